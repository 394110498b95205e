-- The contract's view over the history: partitions merged, newest generation that covers the window, gone rows hidden.
-- Filters on metric, level, span, key, window_end reach the table's index through the GROUP BY; keep a time filter on
-- window_end, which also picks the table's partitions.

-- Merged watermark (I8): minimum over the partitions of the stream's newest generation that have time.
CREATE OR REPLACE VIEW city.stream_watermarks AS
SELECT stream, min(watermark) AS watermark
FROM city.status_rows FINAL
WHERE (stream, generation) IN (SELECT stream, max(generation) FROM city.status_rows GROUP BY stream)
GROUP BY stream;

-- Minutes of event time of which events came too late for their windows and were not healed since (I5); `until` counts them up to
-- and with that minute.
CREATE OR REPLACE VIEW city.unhealed AS
SELECT stream, minute, events, sum(events) OVER (PARTITION BY stream ORDER BY minute) AS until
FROM
(
    SELECT stream, minute, sum(toInt64(late.events) - toInt64(healed.events)) AS events
    FROM (SELECT * FROM city.late_rows FINAL) AS late
    LEFT JOIN (SELECT * FROM city.healed_rows FINAL) AS healed
        ON healed.stream = late.stream AND healed.generation = late.generation
        AND healed.partition = late.partition AND healed.minute = late.minute
    GROUP BY stream, minute
    HAVING events > 0
);

-- Merged sums of each window: partitions added up, the newest generation that covers it, gone rows hidden. A metric's definition says
-- whether its parts add up or the least counts; both are made here, since definitions are joined after the merge.
CREATE OR REPLACE VIEW city.window_sums AS
WITH (
    SELECT groupArray((
        toString(stream),
        toInt32(generation),
        ifNull(toUnixTimestamp64Milli(`from`), -9223372036854775808),
        ifNull(toUnixTimestamp64Milli(`to`), 9223372036854775807)))
    FROM city.generations FINAL
) AS lives
SELECT r.*
FROM
(
    SELECT
        stream, metric, level, key, span, window_start, window_end, generation,
        sumIf(m.num, NOT gone) AS num,
        sumIf(m.den, NOT gone) AS den,
        sumIf(m.n, NOT gone) AS n,
        sumIf(m.num2, NOT gone) AS num2,
        sumIf(m.den2, NOT gone) AS den2,
        minIf(m.num, NOT gone AND m.n > 0) AS least,
        sumMapIf(m.hist, NOT gone) AS hist,
        max(m.incomplete) AS incomplete,
        max(m.revision) AS revision
    FROM city.metric_rows AS m FINAL
    GROUP BY stream, metric, level, key, span, window_start, window_end, generation
    HAVING countIf(NOT gone) > 0
) AS r
WHERE r.generation = arrayMax(arrayMap(
    life -> if(life.1 = r.stream
               AND life.3 < toUnixTimestamp64Milli(r.window_end)
               AND toUnixTimestamp64Milli(r.window_end) <= life.4, life.2, -1),
    lives));

-- The figures that have rows of their own.
CREATE OR REPLACE VIEW city.metrics_merged AS
@published
FROM city.window_sums AS r
@joined;

-- With those that are made of them.
CREATE OR REPLACE VIEW city.metrics AS
SELECT * FROM city.metrics_merged
@derived(city.metrics_merged);

-- The last 7 and 30 calendar days, for every figure of a day: one row for each day's end, merged from the days that there are. Counts are
-- those of all days, ratios and percentiles those of all their events; a turnover is the days' mean. (2 hours of leeway, for days on
-- which clocks change.)
CREATE OR REPLACE VIEW city.metrics_days AS
@published
FROM
(
    SELECT
        stream, metric, level, key, '7d' AS span, window_end,
        min(d.window_start) OVER w AS window_start,
        sum(d.num) OVER w AS num, sum(d.den) OVER w AS den, sum(d.n) OVER w AS n,
        sum(d.num2) OVER w AS num2, sum(d.den2) OVER w AS den2, min(d.least) OVER w AS least,
        sumMap(d.hist) OVER w AS hist, max(d.incomplete) OVER w AS incomplete, max(d.revision) OVER w AS revision
    FROM city.window_sums AS d
    WHERE d.span = 'day'
    WINDOW w AS (PARTITION BY stream, metric, level, key ORDER BY toUnixTimestamp(d.window_end) RANGE BETWEEN 525600 PRECEDING AND CURRENT ROW)
    UNION ALL
    SELECT
        stream, metric, level, key, '30d' AS span, window_end,
        min(d.window_start) OVER w AS window_start,
        sum(d.num) OVER w AS num, sum(d.den) OVER w AS den, sum(d.n) OVER w AS n,
        sum(d.num2) OVER w AS num2, sum(d.den2) OVER w AS den2, min(d.least) OVER w AS least,
        sumMap(d.hist) OVER w AS hist, max(d.incomplete) OVER w AS incomplete, max(d.revision) OVER w AS revision
    FROM city.window_sums AS d
    WHERE d.span = 'day'
    WINDOW w AS (PARTITION BY stream, metric, level, key ORDER BY toUnixTimestamp(d.window_end) RANGE BETWEEN 2512800 PRECEDING AND CURRENT ROW)
) AS r
@joined;
