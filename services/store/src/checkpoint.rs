//! Checkpoints (I4): a manifest written after its immutable, content-addressed segments. The store doesn't know what the
//! parts are; it only gives back exactly the bytes it was given, or says that it can't.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Result, Store, StoreError};

/// What a restart begins with: state as of `offset` (the next record to apply).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub generation: u16,
    pub offset: u64,
    pub parts: Parts,
}

/// (name, bytes), in the order in which they were saved.
pub type Parts = Vec<(String, Vec<u8>)>;

/// Which checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointId {
    pub stream: String,
    pub partition: u32,
    pub generation: u16,
    /// The next record to apply.
    pub offset: u64,
    pub written_at_ms: i64,
}

impl From<&Manifest> for CheckpointId {
    fn from(manifest: &Manifest) -> Self {
        CheckpointId {
            stream: manifest.stream.clone(),
            partition: manifest.partition,
            generation: manifest.generation,
            offset: manifest.offset,
            written_at_ms: manifest.written_at,
        }
    }
}

/// A checkpoint that is there and can't be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub generation: u16,
    pub offset: u64,
    pub reason: String,
}

/// The newest checkpoint whose checksum holds, and the newer ones that had to be skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewestCheckpoint {
    pub checkpoint: Option<Checkpoint>,
    pub unreadable: Vec<Unreadable>,
}

/// What [`Store::prune_checkpoints`] keeps.
#[derive(Debug, Clone, Copy)]
pub struct PrunePolicy {
    /// Newest of each (stream, partition).
    pub newest: u32,
    /// One a day of each (stream, partition), for so many days.
    pub daily: u32,
    /// A segment that no manifest names is dropped when it is older; two hours at least.
    pub orphan_age: Duration,
}

impl Default for PrunePolicy {
    fn default() -> Self {
        Self { newest: 3, daily: 35, orphan_age: Duration::from_secs(86_400) }
    }
}

/// How much [`Store::prune_checkpoints`] dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    pub manifests: u64,
    pub segments: u64,
}

/// What a manifest of this build looks like. Raise it with a change, and keep reading the old one.
const FORMAT: u16 = 1;
/// Largest segment, before compression.
const SEGMENT_BYTES: usize = 4 << 20;
const ZSTD_LEVEL: i32 = 3;
/// Segments of about so many bytes, compressed, are written at once.
const INSERT_BYTES: usize = 8 << 20;
/// A segment that is there is written again once an hour, so that no pruning takes one that a manifest is about to name:
/// orphans live at least twice as long.
const REWRITE_AFTER: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, Row, Serialize, Deserialize)]
struct Manifest {
    stream: String,
    partition: u32,
    generation: u16,
    offset: u64,
    format: u16,
    checksum: String,
    names: Vec<String>,
    sizes: Vec<u64>,
    segments: Vec<String>,
    written_at: i64,
}

#[derive(Row, Serialize, Deserialize)]
struct Segment {
    hash: String,
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
    written_at: i64,
}

impl Store {
    /// Stores the state of a partition as of `offset`: the segments that are not there yet, then the manifest. When it
    /// returns, all of it is on disk. Parts that don't change (ids of a closed hour) cost nothing again.
    pub async fn save_checkpoint(
        &self,
        stream: &str,
        partition: u32,
        generation: u16,
        offset: u64,
        parts: Vec<(String, Vec<u8>)>,
    ) -> Result<()> {
        let now = now_ms();
        let mut segments: Vec<(String, &[u8])> = Vec::new();
        for (_, bytes) in &parts {
            segments.extend(bytes.chunks(SEGMENT_BYTES).map(|chunk| (hash(chunk), chunk)));
        }
        let mut manifest = Manifest {
            stream: stream.to_owned(),
            partition,
            generation,
            offset,
            format: FORMAT,
            checksum: String::new(),
            names: parts.iter().map(|(name, _)| name.clone()).collect(),
            sizes: parts.iter().map(|(_, bytes)| bytes.len() as u64).collect(),
            segments: segments.iter().map(|(hash, _)| hash.clone()).collect(),
            written_at: now,
        };
        manifest.checksum = manifest.sum();

        let there = self.young_segments(&manifest.segments).await?;
        let mut written = there;
        // every insert is a flush to the disk: many small segments go in one
        let (mut waiting, mut waiting_bytes) = (Vec::new(), 0);
        for (hash, chunk) in segments {
            if !written.insert(hash.clone()) {
                continue;
            }
            let data = zstd::bulk::compress(chunk, ZSTD_LEVEL)
                .map_err(|error| StoreError::Checkpoint(format!("zstd: {error}")))?;
            waiting_bytes += data.len();
            waiting.push(Segment { hash, data, written_at: now });
            if waiting_bytes >= INSERT_BYTES {
                self.insert("checkpoint_segments", &waiting.iter().collect::<Vec<_>>()).await?;
                waiting.clear();
                waiting_bytes = 0;
            }
        }
        if !waiting.is_empty() {
            self.insert("checkpoint_segments", &waiting.iter().collect::<Vec<_>>()).await?;
        }
        self.insert("checkpoint_manifests", &[&manifest]).await
    }

    /// The checkpoints of a partition, newest first: highest (generation, offset).
    pub async fn checkpoints(&self, stream: &str, partition: u32) -> Result<Vec<CheckpointId>> {
        Ok(self.manifests(stream, partition).await?.iter().map(CheckpointId::from).collect())
    }

    /// A checkpoint's parts, as they were saved; the inner error says why they can't be had. (The outer one: ClickHouse didn't
    /// answer, which says nothing about the checkpoint.)
    pub async fn checkpoint_parts(&self, id: &CheckpointId) -> Result<std::result::Result<Parts, String>> {
        let sql = "SELECT ?fields FROM city.checkpoint_manifests FINAL
                   WHERE stream = ? AND partition = ? AND generation = ? AND offset = ?";
        let query = self.client().query(sql).bind(&id.stream).bind(id.partition).bind(id.generation).bind(id.offset);
        match query.fetch_optional::<Manifest>().await? {
            Some(manifest) => self.parts_of(&manifest).await,
            None => Ok(Err("it is gone".to_owned())),
        }
    }

    /// The newest checkpoint whose every byte is as it was saved.
    pub async fn newest_checkpoint(&self, stream: &str, partition: u32) -> Result<NewestCheckpoint> {
        let mut unreadable = Vec::new();
        for manifest in self.manifests(stream, partition).await? {
            let (generation, offset) = (manifest.generation, manifest.offset);
            match self.parts_of(&manifest).await? {
                Ok(parts) => {
                    return Ok(NewestCheckpoint {
                        checkpoint: Some(Checkpoint { generation, offset, parts }),
                        unreadable,
                    });
                }
                Err(reason) => unreadable.push(Unreadable { generation, offset, reason }),
            }
        }
        Ok(NewestCheckpoint { checkpoint: None, unreadable })
    }

    async fn manifests(&self, stream: &str, partition: u32) -> Result<Vec<Manifest>> {
        self.catch_up(&["checkpoint_segments", "checkpoint_manifests"]).await?;
        let sql = "SELECT ?fields FROM city.checkpoint_manifests FINAL WHERE stream = ? AND partition = ?
                   ORDER BY generation DESC, offset DESC";
        Ok(self.client().query(sql).bind(stream).bind(partition).fetch_all().await?)
    }

    /// Drops manifests beyond the policy, then segments that no manifest names.
    pub async fn prune_checkpoints(&self, policy: PrunePolicy) -> Result<Pruned> {
        let kept = "SELECT stream, partition, generation, offset FROM (
                SELECT stream, partition, generation, offset, written_at,
                    row_number() OVER (PARTITION BY stream, partition ORDER BY generation DESC, offset DESC) AS place,
                    row_number() OVER (PARTITION BY stream, partition, toDate(written_at) ORDER BY generation DESC, offset DESC) AS of_day
                FROM city.checkpoint_manifests FINAL)
            WHERE place <= ? OR (of_day = 1 AND written_at > now64(3) - toIntervalDay(?))";
        let doomed = format!("(stream, partition, generation, offset) NOT IN ({kept})");
        let manifests =
            self.delete("checkpoint_manifests", &doomed, &[policy.newest.into(), policy.daily.into()]).await?;
        let doomed = "hash NOT IN (SELECT arrayJoin(segments) FROM city.checkpoint_manifests)
            AND written_at < now64(3) - toIntervalSecond(?)";
        let segments =
            self.delete("checkpoint_segments", doomed, &[policy.orphan_age.max(REWRITE_AFTER * 2).as_secs()]).await?;
        Ok(Pruned { manifests, segments })
    }

    async fn delete(&self, table: &str, doomed: &str, numbers: &[u64]) -> Result<u64> {
        let bound = |sql: &str| numbers.iter().fold(self.client().query(sql), |query, number| query.bind(number));
        let count = bound(&format!("SELECT count() FROM city.{table} WHERE {doomed}")).fetch_one::<u64>().await?;
        if count > 0 {
            let delete = format!("ALTER TABLE city.{table} DELETE WHERE {doomed}");
            bound(&delete).with_setting("mutations_sync", "1").execute().await?;
        }
        Ok(count)
    }

    /// Which of these segments are there, and so young that no pruning is about to take them as orphans.
    async fn young_segments(&self, hashes: &[String]) -> Result<HashSet<String>> {
        if hashes.is_empty() {
            return Ok(HashSet::new());
        }
        let sql = "SELECT DISTINCT hash FROM city.checkpoint_segments
                   WHERE hash IN ? AND written_at > now64(3) - toIntervalSecond(?)";
        let young = self.client().query(sql).bind(hashes).bind(REWRITE_AFTER.as_secs());
        Ok(young.fetch_all::<String>().await?.into_iter().collect())
    }

    async fn parts_of(&self, manifest: &Manifest) -> Result<std::result::Result<Parts, String>> {
        if manifest.format != FORMAT {
            return Ok(Err(format!("format {} is unknown to this build", manifest.format)));
        }
        if manifest.checksum != manifest.sum() || manifest.names.len() != manifest.sizes.len() {
            return Ok(Err("the manifest's checksum does not hold".to_owned()));
        }
        let mut chunks: HashMap<String, Vec<u8>> = HashMap::new();
        // A few at a time: an answer of all segments would need all their memory in ClickHouse at once.
        for hashes in manifest.segments.chunks(8) {
            let sql = "SELECT ?fields FROM city.checkpoint_segments WHERE hash IN ?";
            for segment in self.client().query(sql).bind(hashes).fetch_all::<Segment>().await? {
                let raw = zstd::bulk::decompress(&segment.data, SEGMENT_BYTES);
                // Of two rows with this hash one may be damaged: the other one serves.
                if let Ok(raw) = raw
                    && hash(&raw) == segment.hash
                {
                    chunks.insert(segment.hash, raw);
                }
            }
        }
        let mut hashes = manifest.segments.iter();
        let mut parts = Vec::new();
        for (name, &size) in manifest.names.iter().zip(&manifest.sizes) {
            let mut bytes = Vec::new();
            while (bytes.len() as u64) < size {
                let Some(hash) = hashes.next() else { return Ok(Err(format!("part {name} is short"))) };
                match chunks.get(hash) {
                    Some(chunk) => bytes.extend_from_slice(chunk),
                    None => return Ok(Err(format!("segment {hash} of part {name} is missing or damaged"))),
                }
            }
            if bytes.len() as u64 != size {
                return Ok(Err(format!("part {name} has {} bytes instead of {size}", bytes.len())));
            }
            parts.push((name.clone(), bytes));
        }
        Ok(Ok(parts))
    }
}

impl Manifest {
    /// Over everything that a restart relies on; the segments' bytes are in it through their hashes.
    fn sum(&self) -> String {
        let mut sum = Sha256::new();
        let mut field = |bytes: &[u8]| {
            sum.update((bytes.len() as u64).to_le_bytes());
            sum.update(bytes);
        };
        field(self.stream.as_bytes());
        field(&self.partition.to_le_bytes());
        field(&self.generation.to_le_bytes());
        field(&self.offset.to_le_bytes());
        field(&self.format.to_le_bytes());
        for (name, size) in self.names.iter().zip(&self.sizes) {
            field(name.as_bytes());
            field(&size.to_le_bytes());
        }
        for hash in &self.segments {
            field(hash.as_bytes());
        }
        hex::encode(sum.finalize())
    }
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
