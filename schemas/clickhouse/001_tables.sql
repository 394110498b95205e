-- Tables. Every statement may run again (IF NOT EXISTS). Rows are upserts: a table's ORDER BY is the row's identity, the
-- highest revision wins (I3), and readers use FINAL. fsync_*: what was acknowledged is on the disk (I4).

CREATE DATABASE IF NOT EXISTS city;

-- What one partition knows of one window.
CREATE TABLE IF NOT EXISTS city.metric_rows
(
    stream       LowCardinality(String),
    metric       LowCardinality(String),
    level        LowCardinality(String),
    key          String,
    span         LowCardinality(String),
    window_start DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    window_end   DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD),
    generation   UInt16,
    partition    UInt32,
    revision     UInt64 CODEC(Delta, ZSTD),
    num          Int64 CODEC(ZSTD),
    den          Int64 CODEC(ZSTD),
    n            Int64 CODEC(ZSTD),
    num2         Int64 CODEC(ZSTD),
    den2         Int64 CODEC(ZSTD),
    hist         Map(UInt16, Int64) CODEC(ZSTD),
    gone         Bool,
    incomplete   Bool,
    INDEX by_start window_start TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY toMonday(window_end)
ORDER BY (metric, level, span, window_end, key, generation, partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, index_granularity = 4096;

-- The newest windows of each partition: four slots in a row, so that the view finds the newest one that all have reached.
CREATE TABLE IF NOT EXISTS city.metric_latest_rows
(
    stream         LowCardinality(String),
    metric         LowCardinality(String),
    level          LowCardinality(String),
    key            String,
    span           LowCardinality(String),
    window_start   DateTime64(3, 'UTC'),
    window_end     DateTime64(3, 'UTC'),
    generation     UInt16,
    partition      UInt32,
    slot           UInt8,
    revision       UInt64,
    num            Int64,
    den            Int64,
    n              Int64,
    num2           Int64,
    den2           Int64,
    hist           Map(UInt16, Int64),
    gone           Bool,
    incomplete     Bool,
    partition_time DateTime64(3, 'UTC'),
    watermark      DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (metric, level, key, span, generation, partition, slot)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- "All my rows of this level and span up to this window are written", by each partition.
CREATE TABLE IF NOT EXISTS city.latest_marks
(
    stream       LowCardinality(String),
    level        LowCardinality(String),
    span         LowCardinality(String),
    generation   UInt16,
    partition    UInt32,
    window_start DateTime64(3, 'UTC'),
    window_end   DateTime64(3, 'UTC'),
    revision     UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (stream, level, span, generation, partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- From the catalogue. A metric that left it keeps its definition, so that its history can be read.
CREATE TABLE IF NOT EXISTS city.metric_defs
(
    metric      LowCardinality(String),
    stream      LowCardinality(String),
    kind        LowCardinality(String),
    min_n       Int64,
    num_scale   Float64,
    den_scale   Float64,
    value_scale Float64,
    quantile    Float64,
    version     UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY metric
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- From the profile, joined at the merge and never summed (I8). den NULL: no longer a constant.
CREATE TABLE IF NOT EXISTS city.metric_constants
(
    metric  LowCardinality(String),
    level   LowCardinality(String),
    key     String,
    den     Nullable(Int64),
    version UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (metric, level, key)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- From the profile: the sources that there should be. expected_s NULL: no longer expected.
CREATE TABLE IF NOT EXISTS city.expected_sources
(
    stream     LowCardinality(String),
    source     String,
    expected_s Nullable(UInt32),
    version    UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (stream, source)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- The live state, one row an entity. No personal data.
CREATE TABLE IF NOT EXISTS city.live_rows
(
    stream   LowCardinality(String),
    kind     LowCardinality(String),
    key      String,
    time     DateTime64(3, 'UTC'),
    revision UInt64,
    gone     Bool,
    attrs    String CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (stream, kind, key)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS city.status_rows
(
    stream      LowCardinality(String),
    partition   UInt32,
    generation  UInt16,
    revision    UInt64,
    watermark   Nullable(DateTime64(3, 'UTC')),
    time        Nullable(DateTime64(3, 'UTC')),
    last_event  Nullable(DateTime64(3, 'UTC')),
    frontier    UInt64,
    accepted    UInt64,
    rejected    UInt64,
    late        UInt64,
    duplicates  UInt64,
    quarantined UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (stream, generation, partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS city.source_rows
(
    stream       LowCardinality(String),
    source       String,
    partition    UInt32,
    revision     UInt64,
    last_event   Nullable(DateTime64(3, 'UTC')),
    last_contact Nullable(DateTime64(3, 'UTC')),
    expected_s   Nullable(UInt32)
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (stream, source, partition)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- To count and to find: the bytes stay in the log.
CREATE TABLE IF NOT EXISTS city.rejects
(
    stream     LowCardinality(String),
    generation UInt16,
    partition  UInt32,
    offset     UInt64,
    time       DateTime64(3, 'UTC'),
    source     String,
    event_id   String,
    code       LowCardinality(String),
    pointer    String,
    message    String
)
ENGINE = ReplacingMergeTree
ORDER BY (stream, generation, partition, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Events that came too late for their windows, counted by the minute of their time; each row holds the count so far.
CREATE TABLE IF NOT EXISTS city.late_rows
(
    stream     LowCardinality(String),
    generation UInt16,
    partition  UInt32,
    minute     DateTime64(3, 'UTC'),
    events     UInt64,
    revision   UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (stream, generation, partition, minute)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- How many of them `yiping heal` has counted in since.
CREATE TABLE IF NOT EXISTS city.healed_rows
(
    stream     LowCardinality(String),
    generation UInt16,
    partition  UInt32,
    minute     DateTime64(3, 'UTC'),
    events     UInt64,
    revision   UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (stream, generation, partition, minute)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS city.configs
(
    stream      LowCardinality(String),
    generation  UInt16,
    partition   UInt32,
    from_offset UInt64,
    time        DateTime64(3, 'UTC'),
    hash        String,
    text        String
)
ENGINE = ReplacingMergeTree
ORDER BY (stream, generation, partition, from_offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- The lives of a stream's log. A window is read from the newest one that covers it: from < window_end <= to.
CREATE TABLE IF NOT EXISTS city.generations
(
    stream      LowCardinality(String),
    generation  UInt16,
    fingerprint String,
    partitions  UInt32,
    `from`      Nullable(DateTime64(3, 'UTC')),
    `to`        Nullable(DateTime64(3, 'UTC')),
    revision    UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (stream, generation)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- What `watch` found; `city.breaches` shows each breach as it was last written.
CREATE TABLE IF NOT EXISTS city.breach_rows
(
    metric    LowCardinality(String),
    level     LowCardinality(String),
    key       String,
    span      LowCardinality(String),
    severity  LowCardinality(String),
    opened_at DateTime64(3, 'UTC'),
    closed_at Nullable(DateTime64(3, 'UTC')),
    value     Nullable(Float64),
    threshold Float64,
    revision  UInt64,
    -- made of what identifies it: whoever finds it gives it the same one
    id        String,
    -- the worst value so far; `value` is the one that opened it
    worst     Nullable(Float64),
    -- the department that acts, and what it does
    owner     String,
    action    String
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (metric, level, key, span, severity, opened_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- What `watch` remembers of a series that is or was beyond a limit: since when, and the open breach.
CREATE TABLE IF NOT EXISTS city.watch_states
(
    stream    LowCardinality(String),
    rule      String,
    level     LowCardinality(String),
    key       String,
    span      LowCardinality(String),
    since     Nullable(DateTime64(3, 'UTC')),
    opened_at Nullable(DateTime64(3, 'UTC')),
    value     Nullable(Float64),
    worst     Nullable(Float64),
    threshold Nullable(Float64),
    seen      DateTime64(3, 'UTC'),
    revision  UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY (stream, rule, level, key, span)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Up to which window end `watch` has judged a stream's figures.
CREATE TABLE IF NOT EXISTS city.watch_marks
(
    stream   LowCardinality(String),
    until    DateTime64(3, 'UTC'),
    revision UInt64
)
ENGINE = ReplacingMergeTree(revision)
ORDER BY stream
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Checkpoints (I4): segments by content, a manifest after them. Segments come compressed.
CREATE TABLE IF NOT EXISTS city.checkpoint_segments
(
    hash       String,
    data       String CODEC(NONE),
    written_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY hash
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS city.checkpoint_manifests
(
    stream     LowCardinality(String),
    partition  UInt32,
    generation UInt16,
    offset     UInt64,
    format     UInt16,
    checksum   String,
    names      Array(String),
    sizes      Array(UInt64),
    segments   Array(String),
    written_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (stream, partition, generation, offset)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Columns that tables made by an earlier version don't have.
ALTER TABLE city.metric_rows ADD COLUMN IF NOT EXISTS num2 Int64 CODEC(ZSTD) AFTER n, ADD COLUMN IF NOT EXISTS den2 Int64 CODEC(ZSTD) AFTER num2;
ALTER TABLE city.metric_latest_rows ADD COLUMN IF NOT EXISTS num2 Int64 AFTER n, ADD COLUMN IF NOT EXISTS den2 Int64 AFTER num2;
