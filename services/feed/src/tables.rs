//! Code tables: what a department's codes mean, from a file of its own. A map reaches them by `lookup("NAME")`, which
//! refuses a code that the table has not, and as `$tables.NAME`, a plain object.
//!
//! | file | a code's value is |
//! | --- | --- |
//! | `.csv` | with two columns the second one; with more an object of the others, by the header's names. The first column holds the codes |
//! | `.toml` | whatever stands there |
//!
//! A CSV is UTF-8, or GB18030 where it is no UTF-8: a table is a few hundred lines that somebody exported once.

use jaq_json::Val;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The tables of one feed, by name.
#[derive(Default)]
pub struct Tables {
    tables: BTreeMap<String, Map<String, Value>>,
    /// The same as `$tables`.
    all: Val,
}

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("can't be read: {0}")]
    Read(#[from] std::io::Error),
    #[error("is neither UTF-8 nor GB18030")]
    Encoding,
    #[error("{0}")]
    Form(String),
}

impl Tables {
    /// Tables that were made elsewhere.
    pub fn new(tables: BTreeMap<String, Map<String, Value>>) -> Self {
        let all = Value::Object(tables.iter().map(|(name, table)| (name.clone(), table.clone().into())).collect());
        // (any JSON is one of jaq's values)
        let all = Val::deserialize(&all).unwrap_or_default();
        Self { tables, all }
    }

    pub(crate) fn all(&self) -> Val {
        self.all.clone()
    }

    /// One table; the error names those that there are.
    pub(crate) fn get(&self, name: &str) -> Result<&Map<String, Value>, String> {
        self.tables.get(name).ok_or_else(|| {
            let names = self.tables.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            format!("there is no table {name:?}; the feed has {}", if names.is_empty() { "none" } else { &names })
        })
    }
}

/// Reads one table.
pub fn load_table(path: &Path) -> Result<Map<String, Value>, TableError> {
    let bytes = std::fs::read(path)?;
    let text = text(&bytes)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => toml::from_str(&text).map_err(|e| TableError::Form(e.message().to_owned())),
        Some("csv") => from_csv(&text),
        _ => Err(TableError::Form("is neither .csv nor .toml".into())),
    }
}

fn text(bytes: &[u8]) -> Result<String, TableError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    let text = encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(std::borrow::Cow::into_owned).ok_or(TableError::Encoding)
}

fn from_csv(text: &str) -> Result<Map<String, Value>, TableError> {
    let form = |error: csv::Error| TableError::Form(error.to_string());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let names = reader.headers().map_err(form)?.clone();
    if names.len() < 2 {
        return Err(TableError::Form("a table has a column of codes and one or more of what they mean".into()));
    }
    let mut table = Map::new();
    for record in reader.records() {
        let record = record.map_err(form)?;
        let code = record.get(0).unwrap_or_default().to_owned();
        let value = if names.len() == 2 {
            Value::from(record.get(1).unwrap_or_default())
        } else {
            Value::Object(names.iter().zip(&record).skip(1).map(|(name, text)| (name.into(), text.into())).collect())
        };
        if table.insert(code.clone(), value).is_some() {
            return Err(TableError::Form(format!("the code {code:?} stands twice")));
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table(name: &str, bytes: &[u8]) -> Result<Value, TableError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        load_table(&path).map(Value::Object)
    }

    #[test]
    fn a_table_is_a_csv_of_two_columns_or_more_or_a_toml() {
        assert_eq!(table("a.csv", b"code,means\n1, open\n2,closed\n").unwrap(), json!({"1": "open", "2": "closed"}));
        let (gb, ..) = encoding_rs::GB18030.encode("车型,类别,核载\nA1,大型,80\n");
        assert_eq!(table("a.csv", &gb).unwrap(), json!({"A1": {"类别": "大型", "核载": "80"}}));
        assert_eq!(table("a.toml", b"1 = 'open'\n2 = {n = 3}\n").unwrap(), json!({"1": "open", "2": {"n": 3}}));
    }

    #[test]
    fn a_table_that_can_mean_two_things_is_refused() {
        let refused = |name: &str, text: &str| table(name, text.as_bytes()).unwrap_err().to_string();
        assert!(refused("a.csv", "code,means\n1,open\n1,closed\n").contains("\"1\" stands twice"));
        assert!(refused("a.csv", "code\n1\n").contains("a column of codes"));
        assert!(refused("a.csv", "code,means\n1\n").contains("fields"));
        assert!(refused("a.xlsx", "").contains("neither .csv nor .toml"));
    }
}
