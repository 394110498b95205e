//! The open SOS cases as the service itself knows them: an answer that needs no ClickHouse (I9).

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use yiping_store::LiveRow;

/// An open case: by an opaque key, at street level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCase {
    #[serde(default)]
    pub key: Arc<str>,
    pub district: Option<String>,
    pub street: Option<String>,
    /// `raised` or `acknowledged`.
    pub state: String,
    /// RFC 3339.
    pub raised: String,
}

type Known = BTreeMap<(u32, Arc<str>), OpenCase>;

/// The open cases of the partitions that a process works on; shared between the service that knows them and who asks.
#[derive(Debug, Clone, Default)]
pub struct OpenCases(Arc<Mutex<Known>>);

impl OpenCases {
    /// The cases, those raised first at the front.
    #[must_use]
    pub fn list(&self) -> Vec<OpenCase> {
        let mut cases: Vec<OpenCase> = self.lock().values().cloned().collect();
        cases.sort_by(|a, b| (&a.raised, &a.key).cmp(&(&b.raised, &b.key)));
        cases
    }

    /// Takes a partition's live rows in; whether that changed anything.
    pub(crate) fn take<'a>(&self, partition: u32, rows: impl Iterator<Item = &'a LiveRow>) -> bool {
        let mut known = self.lock();
        let mut changed = false;
        for row in rows.filter(|row| &*row.kind == "sos") {
            let id = (partition, Arc::clone(&row.key));
            changed |= match serde_json::from_str::<OpenCase>(&row.attrs) {
                Ok(case) if !row.gone => {
                    let case = OpenCase { key: Arc::clone(&row.key), ..case };
                    known.insert(id, case.clone()).as_ref() != Some(&case)
                }
                _ => known.remove(&id).is_some(),
            };
        }
        changed
    }

    /// A partition is another's now.
    pub(crate) fn forget(&self, partition: u32) {
        self.lock().retain(|(of, _), _| *of != partition);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
