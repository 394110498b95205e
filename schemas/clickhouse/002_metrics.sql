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

-- The figures that have rows of their own. Its definition says whether a metric's parts add up or the least counts; both are made
-- here, since definitions are joined after the merge.
CREATE OR REPLACE VIEW city.metrics_merged AS
WITH (
    SELECT groupArray((
        toString(stream),
        toInt32(generation),
        ifNull(toUnixTimestamp64Milli(`from`), -9223372036854775808),
        ifNull(toUnixTimestamp64Milli(`to`), 9223372036854775807)))
    FROM city.generations FINAL
) AS lives
@published
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
INNER JOIN (SELECT * FROM city.metric_defs FINAL) AS d ON d.metric = r.metric
LEFT JOIN (SELECT metric, level, key, den FROM city.metric_constants FINAL WHERE den IS NOT NULL) AS c
    ON c.metric = r.metric AND c.level = r.level AND c.key = r.key
LEFT JOIN city.stream_watermarks AS w ON w.stream = r.stream
ASOF LEFT JOIN city.unhealed AS l_end ON l_end.stream = r.stream AND l_end.minute < r.window_end
ASOF LEFT JOIN city.unhealed AS l_start ON l_start.stream = r.stream AND l_start.minute < toStartOfMinute(r.window_start)
WHERE r.generation = arrayMax(arrayMap(
    life -> if(life.1 = r.stream
               AND life.3 < toUnixTimestamp64Milli(r.window_end)
               AND toUnixTimestamp64Milli(r.window_end) <= life.4, life.2, -1),
    lives));

-- With those that are made of them.
CREATE OR REPLACE VIEW city.metrics AS
SELECT * FROM city.metrics_merged
@derived(city.metrics_merged);
