-- How merged sums become the published row: the same for city.metrics and city.metrics_latest, which name their merged
-- rows `r` and put this file in the place of `@published`. Kinds and units: METRICS of the catalogue.
SELECT
    r.stream AS stream,
    r.metric AS metric,
    r.level AS level,
    r.key AS key,
    r.span AS span,
    r.window_start AS window_start,
    r.window_end AS window_end,
    multiIf(
        d.kind IN ('count', 'gauge'), r.num * d.num_scale,
        d.kind = 'integral' AND r.den != 0, r.num * d.num_scale / (r.den * d.den_scale) * d.value_scale,
        n = 0 OR n < d.min_n, NULL,
        d.kind = 'percentile', (
            -- the bucket that holds the ceil(q × n)-th value, and the middle of it: v < 128 has its own bucket, above that
            -- 64 buckets an octave (relative error < 0.8 %)
            mapKeys(r.hist)[arrayFirstIndex(
                below -> below >= greatest(1, ceil(d.quantile * arraySum(mapValues(r.hist)))),
                arrayCumSum(mapValues(r.hist)))] AS bucket,
            intDiv(bucket, 64) - 1 AS octave,
            if(bucket < 128, toUInt64(bucket),
               bitShiftLeft(toUInt64(64 + bucket % 64), octave) + intDiv(bitShiftLeft(toUInt64(1), octave), 2))
        ).3 * d.value_scale,
        denominator = 0, NULL,
        numerator / denominator * d.value_scale) AS value,
    if(d.kind = 'percentile', 0, r.num * d.num_scale) AS numerator,
    multiIf(
        d.kind IN ('count', 'gauge'), 1,
        d.kind = 'percentile', toFloat64(r.n),
        ifNull(c.den, r.den) * d.den_scale) AS denominator,
    multiIf(d.kind = 'ratio', ifNull(c.den, r.den), d.kind = 'gauge', r.den, r.n) AS n,
    toBool(ifNull(r.window_end <= w.watermark, 0)) AS is_final,
    r.revision AS revision,
    w.watermark AS watermark,
    -- records of its time were gone before they were read
    toBool(r.incomplete) AS incomplete,
    -- events of its stream and time that came too late to be counted, and were not healed since
    toUInt64(greatest(0, l_end.until - l_start.until)) AS late
