//! Open SOS cases from `elder` in other processes: their admin address answers `/live/sos` without ClickHouse.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use futures::future::try_join_all;
use reqwest::Url;
use serde::Deserialize;
use yiping_event::TimeMs;

use crate::source::{Cases, Sos};

/// For plain questions within the machine room.
pub(crate) fn client(patience: Duration) -> anyhow::Result<reqwest::Client> {
    // Whoever came first chose; and plain HTTP needs none.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().timeout(patience).build()?)
}

/// All instances of `elder`: each knows the cases of its own partitions. A name that stands for several of them (a headless service, a
/// scaled one of compose) is each of its addresses, looked up every time: instances come and go.
pub struct Elders {
    addresses: Vec<Url>,
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
    /// When one is no URL, or no HTTP client can be made.
    pub fn new(addresses: Vec<String>) -> anyhow::Result<Self> {
        let url = |address: &String| address.parse().with_context(|| format!("wall.elder: {address}"));
        let addresses = addresses.iter().map(url).collect::<anyhow::Result<_>>()?;
        Ok(Elders { addresses, http: client(Duration::from_secs(2))? })
    }

    /// The questions to every instance.
    async fn instances(&self) -> anyhow::Result<BTreeSet<Url>> {
        let mut all = BTreeSet::new();
        for address in &self.addresses {
            let (host, port) = (address.host_str().unwrap_or_default(), address.port_or_known_default().unwrap_or(80));
            let host = host.trim_matches(['[', ']']); // as a URL writes IPv6
            let found = tokio::net::lookup_host((host, port)).await.with_context(|| address.to_string())?;
            all.extend(found.filter_map(|found| question(address, found.ip())));
        }
        Ok(all)
    }

    async fn ask(&self, url: Url) -> anyhow::Result<Vec<Sos>> {
        #[derive(Deserialize)]
        struct Answer {
            sos: Vec<Told>,
        }
        let answer = self.http.get(url.clone()).send().await.and_then(reqwest::Response::error_for_status);
        let answer: Answer = answer.with_context(|| url.to_string())?.json().await.context(url)?;
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
        let told = try_join_all(self.instances().await?.into_iter().map(|url| self.ask(url))).await?.concat();
        // one instance may be reached in two ways, and a partition that changes its owner be told by both
        Ok(told.into_iter().map(|sos| (sos.case.clone(), sos)).collect::<BTreeMap<_, _>>().into_values().collect())
    }
}

/// What the instance at `ip` is asked.
fn question(address: &Url, ip: IpAddr) -> Option<Url> {
    let mut url = address.clone();
    url.set_ip_host(ip).ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().extend(["live", "sos"]);
    Some(url)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_asked_by_its_own_address() {
        for (address, ip, asked) in [
            ("http://elder:9600", "10.1.2.3", "http://10.1.2.3:9600/live/sos"),
            ("http://elder:9600/", "fd00::7", "http://[fd00::7]:9600/live/sos"),
            ("http://proxy/elder", "10.1.2.3", "http://10.1.2.3/elder/live/sos"),
        ] {
            let url = question(&address.parse().unwrap(), ip.parse().unwrap()).unwrap();
            assert_eq!(url.as_str(), asked);
        }
    }

    /// An instance with one case, like its own name; where it is.
    async fn instance(name: &'static str) -> String {
        let sos = serde_json::json!({ "sos": [{ "key": name, "district": null, "street": null, "state": "raised", "raised": "" }] });
        let app = axum::Router::new().route("/live/sos", axum::routing::get(move || async { axum::Json(sos) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, app).await });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn every_instance_is_asked_and_a_case_counts_once() {
        let (a, b) = (instance("a").await, instance("b").await);
        let open = Elders::new(vec![a.clone(), b.clone()]).unwrap().open().await.unwrap();
        assert_eq!(open.iter().map(|sos| sos.case.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let again = Elders::new(vec![a.clone(), a, b.clone()]).unwrap().open().await.unwrap();
        assert_eq!(again, open);
        // where nobody answers, what that one knows is unknown, and so is the whole
        let gone = Elders::new(vec![b, "http://127.0.0.1:1".to_owned()]).unwrap();
        assert!(gone.open().await.is_err());
    }
}
