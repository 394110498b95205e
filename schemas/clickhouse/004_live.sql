-- The live state and the freshness of what feeds it. Members that a service doesn't send are NULL.

-- A vehicle's position and its delay come from two partitions (keys vehicle_id and route_id), so they are two rows; a delay
-- noted an hour before the last position says nothing about it.
CREATE OR REPLACE VIEW city.bus_latest AS
SELECT
    v.key AS vehicle_id,
    JSONExtract(v.attrs, 'route_id', 'Nullable(String)') AS route_id,
    JSONExtract(v.attrs, 'direction', 'Nullable(UInt8)') AS direction,
    JSONExtract(v.attrs, 'lon', 'Nullable(Float64)') AS lon,
    JSONExtract(v.attrs, 'lat', 'Nullable(Float64)') AS lat,
    JSONExtract(v.attrs, 'speed_kmh', 'Nullable(Float64)') AS speed_kmh,
    JSONExtract(v.attrs, 'district', 'Nullable(String)') AS district,
    if(d.time > v.time - INTERVAL 1 HOUR, d.delay_s, NULL) AS delay_s,
    v.time AS time
FROM
(
    SELECT key, time, attrs FROM city.live_rows FINAL WHERE stream = 'bus' AND kind = 'vehicle' AND NOT gone
) AS v
LEFT JOIN
(
    SELECT key, time, JSONExtract(attrs, 'delay_s', 'Nullable(Float64)') AS delay_s
    FROM city.live_rows FINAL
    WHERE stream = 'bus' AND kind = 'bus_delay' AND NOT gone
) AS d ON d.key = v.key;

CREATE OR REPLACE VIEW city.parking_latest AS
SELECT
    ifNull(JSONExtract(attrs, 'lot_id', 'Nullable(String)'), key) AS lot_id,
    JSONExtract(attrs, 'floor', 'Nullable(String)') AS floor,
    JSONExtract(attrs, 'district', 'Nullable(String)') AS district,
    JSONExtract(attrs, 'capacity', 'Nullable(Int64)') AS capacity,
    JSONExtract(attrs, 'occupied', 'Nullable(Int64)') AS occupied,
    JSONExtract(attrs, 'free', 'Nullable(Int64)') AS free,
    JSONExtract(attrs, 'open', 'Nullable(Bool)') AS open,
    time
FROM city.live_rows FINAL
WHERE stream = 'parking' AND kind = 'lot' AND NOT gone;

CREATE OR REPLACE VIEW city.orders_open AS
SELECT
    stream,
    key AS order_id,
    JSONExtract(attrs, 'category', 'Nullable(String)') AS category,
    JSONExtract(attrs, 'district', 'Nullable(String)') AS district,
    JSONExtract(attrs, 'street', 'Nullable(String)') AS street,
    JSONExtract(attrs, 'agency', 'Nullable(String)') AS agency,
    JSONExtract(attrs, 'state', 'Nullable(String)') AS state,
    parseDateTime64BestEffortOrNull(JSONExtractString(attrs, 'created'), 3, 'UTC') AS created,
    parseDateTime64BestEffortOrNull(JSONExtractString(attrs, 'due'), 3, 'UTC') AS due,
    time
FROM city.live_rows FINAL
WHERE kind = 'order' AND NOT gone;

CREATE OR REPLACE VIEW city.sos_open AS
SELECT
    key AS case_id,
    JSONExtract(attrs, 'district', 'Nullable(String)') AS district,
    JSONExtract(attrs, 'street', 'Nullable(String)') AS street,
    JSONExtract(attrs, 'state', 'Nullable(String)') AS state,
    parseDateTime64BestEffortOrNull(JSONExtractString(attrs, 'raised'), 3, 'UTC') AS raised,
    parseDateTime64BestEffortOrNull(JSONExtractString(attrs, 'connected'), 3, 'UTC') AS connected,
    parseDateTime64BestEffortOrNull(JSONExtractString(attrs, 'acknowledged'), 3, 'UTC') AS acknowledged,
    parseDateTime64BestEffortOrNull(JSONExtractString(attrs, 'arrived'), 3, 'UTC') AS arrived,
    time
FROM city.live_rows FINAL
WHERE stream = 'elder' AND kind = 'sos' AND NOT gone;

-- Partitions of each stream's newest generation.
CREATE OR REPLACE VIEW city.stream_status AS
SELECT
    stream, partition, generation, watermark, time, last_event, frontier,
    accepted, rejected, late, duplicates, quarantined
FROM city.status_rows FINAL
WHERE (stream, generation) IN (SELECT stream, max(generation) FROM city.status_rows GROUP BY stream);

-- Judged against the clock of the server (I10: ticks move time, so time is no sign of life): fresh up to twice what is
-- expected between two contacts, late up to four times that, then silent. A source that the profile doesn't name (a trial, a
-- department that tried its map) is forgotten a day after its last word: it would make its stream late for ever.
CREATE OR REPLACE VIEW city.source_status AS
SELECT
    source, stream, last_event, last_contact, expected_s,
    multiIf(
        last_contact IS NULL, 'not_connected',
        age_ms <= 2000 * expected_s, 'fresh',
        age_ms <= 4000 * expected_s, 'late',
        'silent') AS state
FROM
(
    SELECT
        stream, source,
        max(s.last_event) AS last_event,
        max(s.last_contact) AS last_contact,
        toUInt32(coalesce(max(s.told_s), max(s.planned_s), 30)) AS expected_s,
        max(s.planned_s) IS NOT NULL AS planned,
        toUnixTimestamp64Milli(now64(3)) - toUnixTimestamp64Milli(last_contact) AS age_ms
    FROM
    (
        SELECT stream, source, last_event, last_contact, expected_s AS told_s, NULL AS planned_s
        FROM city.source_rows FINAL
        UNION ALL
        SELECT stream, source, NULL, NULL, NULL, expected_s
        FROM city.expected_sources FINAL
        WHERE expected_s IS NOT NULL
    ) AS s
    GROUP BY stream, source
)
WHERE planned OR age_ms <= greatest(24 * 3600 * 1000, 8000 * toInt64(expected_s));

-- A breach is written when it opens, gets worse and closes: here is its newest state. (Before there was `watch` this was a table, and
-- empty.)
CREATE OR REPLACE VIEW city.breaches AS
SELECT metric, level, key, span, severity, opened_at, closed_at, value, threshold, revision, id, worst, owner, action
FROM city.breach_rows FINAL;
