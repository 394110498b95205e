//! Which life of a stream's log its rows come from (I4).

use crate::{GenerationRow, Result, Store};

impl Store {
    /// The generations of a stream, newest first.
    pub async fn generations(&self, stream: &str) -> Result<Vec<GenerationRow>> {
        self.catch_up(&["generations"]).await?;
        let sql = "SELECT ?fields FROM city.generations FINAL WHERE stream = ? ORDER BY generation DESC";
        Ok(self.client().query(sql).bind(stream).fetch_all().await?)
    }

    /// The newest watermark that any partition of a stream has published: where a new generation begins. ms; `None` before any.
    pub async fn published_until(&self, stream: &str) -> Result<Option<i64>> {
        let sql = "SELECT maxOrNull(toUnixTimestamp64Milli(assumeNotNull(watermark))) FROM city.stream_status \
                   WHERE stream = ? AND watermark IS NOT NULL";
        Ok(self.client().query(sql).bind(stream).fetch_one().await?)
    }
}
