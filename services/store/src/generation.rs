//! Which life of a stream's log its rows come from (I4).

use crate::{GenerationRow, Result, Store};

impl Store {
    /// The newest generation of a stream.
    pub async fn newest_generation(&self, stream: &str) -> Result<Option<GenerationRow>> {
        let sql = "SELECT ?fields FROM city.generations FINAL WHERE stream = ? ORDER BY generation DESC LIMIT 1";
        Ok(self.client().query(sql).bind(stream).fetch_optional().await?)
    }

    /// The newest watermark that any partition of a stream has published: where a new generation begins. ms; `None` before any.
    pub async fn published_until(&self, stream: &str) -> Result<Option<i64>> {
        let sql = "SELECT maxOrNull(toUnixTimestamp64Milli(assumeNotNull(watermark))) FROM city.stream_status \
                   WHERE stream = ? AND watermark IS NOT NULL";
        Ok(self.client().query(sql).bind(stream).fetch_one().await?)
    }
}
