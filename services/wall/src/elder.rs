//! Open SOS cases from `elder` in other processes: their admin address answers `/live/sos` without ClickHouse.

use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use futures::future::try_join_all;
use serde::Deserialize;
use yiping_event::TimeMs;

use crate::source::{Cases, Sos};

/// For plain questions within the machine room.
pub(crate) fn client(patience: Duration) -> anyhow::Result<reqwest::Client> {
    // Whoever came first chose; and plain HTTP needs none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().timeout(patience).build()?)
}

/// All instances of `elder`: each knows the cases of its own partitions.
pub struct Elders {
    addresses: Vec<String>,
    http: reqwest::Client,
}

/// A case as `/live/sos` tells it.
#[derive(Deserialize)]
struct Told {
    key: String,
    district: Option<String>,
    street: Option<String>,
    state: String,
    raised: String,
}

impl Elders {
    /// `addresses`: admin addresses like `http://elder-1:9600`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(addresses: Vec<String>) -> anyhow::Result<Self> {
        Ok(Elders { addresses, http: client(Duration::from_secs(2))? })
    }

    async fn ask(&self, address: &str) -> anyhow::Result<Vec<Sos>> {
        #[derive(Deserialize)]
        struct Answer {
            sos: Vec<Told>,
        }
        let url = format!("{}/live/sos", address.trim_end_matches('/'));
        let answer = self.http.get(&url).send().await.and_then(reqwest::Response::error_for_status);
        let answer: Answer = answer.with_context(|| url.clone())?.json().await.context(url)?;
        Ok(answer
            .sos
            .into_iter()
            .map(|told| case(told.key, told.district, told.street, told.state, &told.raised))
            .collect())
    }
}

#[async_trait]
impl Cases for Elders {
    /// One that does not answer leaves all of it unknown: its cases would look closed.
    async fn open(&self) -> anyhow::Result<Vec<Sos>> {
        Ok(try_join_all(self.addresses.iter().map(|address| self.ask(address))).await?.concat())
    }
}

/// A case as a service tells it. One whose time can't be read counts as raised at the beginning of time, which nobody overlooks.
#[must_use]
pub fn case(key: String, district: Option<String>, street: Option<String>, state: String, raised: &str) -> Sos {
    Sos {
        case: key,
        district: district.unwrap_or_else(|| yiping_city::OTHER.to_owned()),
        street,
        raised: TimeMs::parse(raised).unwrap_or(TimeMs(0)),
        state,
    }
}
