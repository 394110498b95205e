-- The newest value of each figure: of the newest window that every partition of the stream (that has time) has reached.
-- Reached is what the partitions' marks say. Within that window a figure without a row is 0: it had one in a window before.
-- A partition that has run on by more than its four slots has the window's row in the history by then: both are read,
-- the higher revision counts. `now`: the sum of each partition's newest row; its time is that which all have reached.

CREATE OR REPLACE VIEW city.latest_reached AS
SELECT
    stream, level, span, m.generation AS generation,
    min(m.window_start) AS window_start,
    min(m.window_end) AS window_end,
    window_end < max(m.window_end) AS apart
FROM city.latest_marks AS m FINAL
WHERE (stream, generation) IN (SELECT stream, max(generation) FROM city.generations GROUP BY stream)
GROUP BY stream, level, span, generation;

-- Its sums, merged over the partitions. Whoever asks every second asks for these, and applies the catalogue's formula itself
-- (store/src/latest.rs): to plan what follows takes ClickHouse longer than to run it.
CREATE OR REPLACE VIEW city.latest_sums AS
SELECT
    stream, metric, level, key, span, window_start, window_end,
    sumIf(f.num, counts) AS num,
    sumIf(f.den, counts) AS den,
    sumIf(f.n, counts) AS n,
    sumIf(f.num2, counts) AS num2,
    sumIf(f.den2, counts) AS den2,
    minIf(f.num, counts AND f.n > 0) AS least,
    sumMapIf(f.hist, counts) AS hist,
    maxIf(f.incomplete, counts) AS incomplete,
    max(f.revision) AS revision
FROM
(
    SELECT
        p.stream AS stream, p.metric AS metric, p.level AS level, p.key AS key, p.span AS span,
        e.window_start AS window_start, e.window_end AS window_end,
        p.num AS num, p.den AS den, p.n AS n, p.num2 AS num2, p.den2 AS den2, p.hist AS hist, p.incomplete AS incomplete, p.revision AS revision,
        (p.span = 'now' OR p.row_end = e.window_end) AND NOT p.gone AS counts
    FROM
    (
        SELECT
            stream, metric, level, key, span, generation, partition, window_end AS row_end,
            max(v.revision) AS revision,
            argMax(v.num, v.revision) AS num,
            argMax(v.den, v.revision) AS den,
            argMax(v.n, v.revision) AS n,
            argMax(v.num2, v.revision) AS num2,
            argMax(v.den2, v.revision) AS den2,
            argMax(v.hist, v.revision) AS hist,
            argMax(v.incomplete, v.revision) AS incomplete,
            argMax(v.gone, v.revision) AS gone
        FROM
        (
            SELECT stream, metric, level, key, span, generation, partition, window_end, revision, num, den, n, num2, den2, hist, gone, incomplete
            FROM city.metric_latest_rows FINAL
            UNION ALL
            SELECT stream, metric, level, key, span, generation, partition, window_end, revision, num, den, n, num2, den2, hist, gone, incomplete
            FROM city.metric_rows FINAL
            WHERE metric IN (SELECT metric FROM city.metric_defs)
              AND (level, span, window_end) IN (SELECT level, span, window_end FROM city.latest_reached WHERE apart AND span != 'now')
        ) AS v
        GROUP BY stream, metric, level, key, span, generation, partition, window_end
    ) AS p
    INNER JOIN city.latest_reached AS e
        ON e.stream = p.stream AND e.level = p.level AND e.span = p.span AND e.generation = p.generation
) AS f
GROUP BY stream, metric, level, key, span, window_start, window_end;

CREATE OR REPLACE VIEW city.metrics_latest_merged AS
@published
FROM city.latest_sums AS r
@joined;

CREATE OR REPLACE VIEW city.metrics_latest AS
SELECT * FROM city.metrics_latest_merged
@derived(city.metrics_latest_merged);
