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
        d.kind IN ('count', 'gauge', 'age'), numerator,
        d.kind = 'integral' AND r.den != 0, r.num * d.num_scale / (r.den * d.den_scale) * d.value_scale,
        n < d.min_n, NULL,
        d.kind = 'percentile' AND n > 0, (
            -- the bucket that holds the ceil(q × n)-th value, and the middle of it: v < 128 has its own bucket, above that
            -- 64 buckets an octave (relative error < 0.8 %)
            mapKeys(r.hist)[arrayFirstIndex(
                below -> below >= greatest(1, ceil(d.quantile * arraySum(mapValues(r.hist)))),
                arrayCumSum(mapValues(r.hist)))] AS bucket,
            intDiv(bucket, 64) - 1 AS octave,
            if(bucket < 128, toUInt64(bucket),
               bitShiftLeft(toUInt64(64 + bucket % 64), octave) + intDiv(bitShiftLeft(toUInt64(1), octave), 2))
        ).3 * d.value_scale,
        r.den = 0 AND d.kind IN ('deviation', 'excess'), NULL,
        d.kind = 'excess' AND r.den2 = 0, NULL,
        d.kind = 'excess', numerator - denominator,
        d.kind = 'time_to' AND r.den <= 0, NULL,
        denominator = 0, NULL,
        numerator / denominator * d.value_scale) AS value,
    multiIf(
        d.kind = 'percentile', 0,
        -- a time of the oldest (ms) becomes its age
        d.kind = 'age', if(r.n > 0, toUnixTimestamp64Milli(r.window_end) - r.least, 0) * d.num_scale,
        -- population standard deviation, from Σx and Σx²
        d.kind = 'deviation', if(r.n = 0, 0, sqrt(toFloat64(greatest(
            toInt128(r.n) * toInt128(r.num2) - toInt128(r.num) * toInt128(r.num), toInt128(0)))) / r.n) * d.num_scale,
        -- mean waits, Σx²/(2Σx)
        d.kind = 'excess', if(r.den = 0, 0, r.num / (2. * r.den)) * d.num_scale,
        d.kind = 'per_level', r.den * d.num_scale,
        r.num * d.num_scale) AS numerator,
    multiIf(
        d.kind IN ('count', 'gauge', 'age'), 1,
        d.kind = 'percentile', toFloat64(r.n),
        d.kind = 'deviation', if(r.n = 0, 0, r.den / r.n) * d.den_scale,
        d.kind = 'excess', if(r.den2 = 0, 0, r.num2 / (2. * r.den2)) * d.den_scale,
        d.kind = 'per_level', r.num * d.den_scale,
        ifNull(c.den, r.den) * d.den_scale) AS denominator,
    multiIf(d.kind = 'ratio', ifNull(c.den, r.den), d.kind = 'gauge', r.den, r.n) AS n,
    toBool(ifNull(r.window_end <= w.watermark, 0)) AS is_final,
    r.revision AS revision,
    w.watermark AS watermark,
    -- records of its time were gone before they were read
    toBool(r.incomplete) AS incomplete,
    -- events of its stream and time that came too late to be counted, and were not healed since
    toUInt64(greatest(0, l_end.until - l_start.until)) AS late
