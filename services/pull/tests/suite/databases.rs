//! Real databases, where the environment names them (`tests/databases/start` starts some): YIPING_POSTGRES_URL and
//! YIPING_MYSQL_URL, each of a database in which tables may be made.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions, mysql, postgres};
use yiping_pull::failure::Reason;
use yiping_pull::source::{Fetched, Payload, Source, database::Database};
use yiping_runtime::config::{Overlap, Pull};

enum Server {
    Postgres(postgres::PgConnection),
    MySql(mysql::MySqlConnection),
}

struct Kind {
    name: &'static str,
    url: String,
}

impl Kind {
    async fn connect(&self) -> Server {
        match self.name {
            "postgres" => {
                Server::Postgres(self.url.parse::<postgres::PgConnectOptions>().unwrap().connect().await.unwrap())
            }
            _ => Server::MySql(self.url.parse::<mysql::MySqlConnectOptions>().unwrap().connect().await.unwrap()),
        }
    }
}

impl Server {
    async fn run(&mut self, sql: &str) {
        let question = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Postgres(connection) => question.execute(connection).await.map(|_| ()).unwrap(),
            Self::MySql(connection) => question.execute(connection).await.map(|_| ()).unwrap(),
        }
    }
}

/// The databases that there are.
fn kinds() -> Vec<Kind> {
    let named = [("postgres", "YIPING_POSTGRES_URL"), ("mysql", "YIPING_MYSQL_URL")];
    let found: Vec<Kind> =
        named.iter().filter_map(|(name, variable)| Some(Kind { name, url: std::env::var(variable).ok()? })).collect();
    if found.is_empty() {
        eprintln!("skipped: neither YIPING_POSTGRES_URL nor YIPING_MYSQL_URL is set");
    }
    found
}

fn source(folder: &Path, kind: &Kind, pull: Pull) -> Database {
    let url_file = folder.join("url");
    std::fs::write(&url_file, format!("{}\n", kind.url)).unwrap();
    let pull = Pull { timeout: Duration::from_secs(30), ..pull };
    Database::new(url_file, &pull, folder.join("place.json")).unwrap()
}

fn pull(query: &str, cursor: &str, rows: usize) -> Pull {
    Pull { query: Some(query.into()), cursor: Some(cursor.into()), rows, ..Pull::default() }
}

/// One round of polls: what it read, each page apart.
async fn round(source: &mut Database) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    loop {
        match source.fetch().await.unwrap() {
            Fetched::Nothing => return pages,
            Fetched::Something { payload: Payload::Rows(rows), more } => {
                source.taken().await.unwrap();
                pages.push(rows);
                if !more {
                    return pages;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

fn ids(pages: &[Vec<Value>]) -> Vec<i64> {
    pages.iter().flatten().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn every_row_is_read_also_those_that_share_a_value_and_a_restart_goes_on() {
    for kind in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = kind.connect().await;
        server.run("DROP TABLE IF EXISTS pull_pages").await;
        server.run("CREATE TABLE pull_pages (id INT PRIMARY KEY, at TIMESTAMP(3) NULL)").await;
        // seven rows of one moment: more than a page
        for id in 1..=20 {
            let second = if (5..=11).contains(&id) { 5 } else { id };
            server.run(&format!("INSERT INTO pull_pages VALUES ({id}, '2026-11-20 10:00:{second:02}.5')")).await;
        }
        server.run("INSERT INTO pull_pages VALUES (99, NULL)").await;
        let settings = || pull("SELECT id, at FROM pull_pages", "at", 4);
        let mut first = source(folder.path(), &kind, settings());
        let mut read = ids(&round(&mut first).await);
        read.dedup();
        read.sort_unstable();
        read.dedup();
        assert_eq!(read, (1..=20).collect::<Vec<_>>(), "{}", kind.name);
        // nothing new: the last row is all that is read again
        assert_eq!(ids(&round(&mut first).await), [20], "{}", kind.name);
        // another one of that very moment, and a later one, are seen after a restart
        server.run("INSERT INTO pull_pages VALUES (21, '2026-11-20 10:00:20.5'), (22, '2026-11-20 10:00:21')").await;
        let mut again = source(folder.path(), &kind, settings());
        let mut read = ids(&round(&mut again).await);
        read.sort_unstable();
        assert_eq!(read, [20, 21, 22], "{}", kind.name);
        server.run("DROP TABLE pull_pages").await;
    }
}

#[tokio::test]
async fn what_was_not_taken_is_read_again() {
    for kind in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = kind.connect().await;
        server.run("DROP TABLE IF EXISTS pull_taken").await;
        server.run("CREATE TABLE pull_taken (id BIGINT PRIMARY KEY)").await;
        // neighbours that are one number where 53 bits must do
        server.run("INSERT INTO pull_taken VALUES (9007199254740992), (9007199254740993), (9007199254740994)").await;
        let settings = || pull("SELECT id FROM pull_taken", "id", 100);
        for _ in 0..2 {
            let mut source = source(folder.path(), &kind, settings());
            assert!(matches!(source.fetch().await.unwrap(), Fetched::Something { more: false, .. }), "{}", kind.name);
        }
        let mut taken = source(folder.path(), &kind, settings());
        assert_eq!(ids(&round(&mut taken).await).len(), 3, "{}", kind.name);
        let since = Pull { since: Some("9007199254740993".into()), ..settings() };
        std::fs::remove_file(folder.path().join("place.json")).unwrap();
        let mut since = source(folder.path(), &kind, since);
        assert_eq!(ids(&round(&mut since).await), [9_007_199_254_740_993, 9_007_199_254_740_994], "{}", kind.name);
        server.run("DROP TABLE pull_taken").await;
    }
}

#[tokio::test]
async fn rows_that_are_committed_late_are_found_within_the_overlap() {
    for kind in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = kind.connect().await;
        server.run("DROP TABLE IF EXISTS pull_late").await;
        server.run("CREATE TABLE pull_late (id INT PRIMARY KEY, at TIMESTAMP NULL)").await;
        server.run("INSERT INTO pull_late VALUES (10, '2026-11-20 10:10:00'), (20, '2026-11-20 10:20:00')").await;
        let overlaps = [("at", Overlap::Time(Duration::from_secs(600))), ("id", Overlap::Values(10))];
        for (cursor, overlap) in overlaps {
            let settings = Pull { overlap: Some(overlap), ..pull("SELECT id, at FROM pull_late", cursor, 2) };
            let _ = std::fs::remove_file(folder.path().join("place.json"));
            let mut polled = source(folder.path(), &kind, settings);
            round(&mut polled).await;
            server.run("INSERT INTO pull_late VALUES (15, '2026-11-20 10:15:00'), (5, '2026-11-20 10:05:00')").await;
            let mut read = ids(&round(&mut polled).await);
            read.sort_unstable();
            read.dedup();
            assert_eq!(read, [10, 15, 20], "{} {cursor}: 5 is too late", kind.name);
            // pages before the newest one don't lead back
            assert!(std::fs::read_to_string(folder.path().join("place.json")).unwrap().contains("20"));
            server.run("DELETE FROM pull_late WHERE id IN (5, 15)").await;
        }
        let wrong = Pull { overlap: Some(Overlap::Values(10)), ..pull("SELECT id, at FROM pull_late", "at", 2) };
        let _ = std::fs::remove_file(folder.path().join("place.json"));
        let mut wrong = source(folder.path(), &kind, wrong);
        round(&mut wrong).await;
        let error = wrong.fetch().await.unwrap_err();
        assert!(error.to_string().contains("a length of time"), "{error}");
        server.run("DROP TABLE pull_late").await;
    }
}

#[tokio::test]
async fn values_are_json_of_their_kind() {
    for kind in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = kind.connect().await;
        let zoned = if kind.name == "postgres" { "TIMESTAMPTZ" } else { "TIMESTAMP" };
        let offset = if kind.name == "postgres" { "+08" } else { "" };
        server.run("DROP TABLE IF EXISTS pull_types").await;
        server
            .run(&format!(
                "CREATE TABLE pull_types (id BIGINT, n INT, money DECIMAL(10,2), x DOUBLE PRECISION, word VARCHAR(40), \
                 digits VARCHAR(10), nothing INT, local_at {}, at {zoned} NULL)",
                if kind.name == "postgres" { "TIMESTAMP" } else { "DATETIME" }
            ))
            .await;
        server
            .run(&format!(
                "INSERT INTO pull_types VALUES (1, -3, 12.50, 0.25, '东门 \"1\"', '007', NULL, '2026-11-20 10:00:00', \
                 '2026-11-20 10:00:00{offset}')"
            ))
            .await;
        let mut read = source(folder.path(), &kind, pull("SELECT * FROM pull_types WHERE id > 0", "id", 10));
        let row = round(&mut read).await.remove(0).remove(0);
        assert_eq!(row["n"], json!(-3), "{row}");
        assert_eq!((row["money"].as_f64(), row["x"].as_f64()), (Some(12.5), Some(0.25)), "{row}");
        assert_eq!(
            (&row["word"], &row["digits"], &row["nothing"]),
            (&json!("东门 \"1\""), &json!("007"), &Value::Null)
        );
        assert_eq!(row["local_at"], "2026-11-20T10:00:00", "no offset: the feed's zone gives it");
        let at: jiff::Timestamp = row["at"].as_str().unwrap().parse().unwrap();
        let wanted = if kind.name == "postgres" { "2026-11-20T02:00:00Z" } else { "2026-11-20T10:00:00Z" };
        assert_eq!(at, wanted.parse().unwrap(), "{row}");
        server.run("DROP TABLE pull_types").await;
    }
}

#[tokio::test]
async fn a_text_can_be_the_cursor_and_says_nothing_but_itself() {
    for kind in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let mut server = kind.connect().await;
        server.run("DROP TABLE IF EXISTS pull_words").await;
        server.run("CREATE TABLE pull_words (id INT, word VARCHAR(40))").await;
        server.run("INSERT INTO pull_words VALUES (1, 'a'), (2, 'b''; DROP TABLE pull_words; --')").await;
        let mut polled = source(folder.path(), &kind, pull("SELECT id, word FROM pull_words", "word", 10));
        assert_eq!(ids(&round(&mut polled).await), [1, 2]);
        server.run("INSERT INTO pull_words VALUES (3, 'c')").await;
        assert_eq!(ids(&round(&mut polled).await), [2, 3], "{}", kind.name);
        server.run("DROP TABLE pull_words").await;
    }
}

#[tokio::test]
async fn a_poll_can_only_read_and_what_is_wrong_is_said() {
    for kind in kinds() {
        let folder = tempfile::tempdir().unwrap();
        let reason = async |query: &str, cursor: &str| {
            source(folder.path(), &kind, pull(query, cursor, 10)).fetch().await.unwrap_err()
        };
        assert_eq!(reason("SELECT 1 AS id FROM pull_nowhere", "id").await.reason, Reason::Database);
        assert_eq!(reason("SELECT 1 AS id", "no_such_column").await.reason, Reason::Database);
        let mut server = kind.connect().await;
        server.run("DROP TABLE IF EXISTS pull_kept").await;
        server.run("CREATE TABLE pull_kept (id INT)").await;
        assert_eq!(reason("DELETE FROM pull_kept", "id").await.reason, Reason::Database);
        server.run("DROP TABLE pull_kept").await;
    }
    // nobody there, and no address at all
    let folder = tempfile::tempdir().unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, wanted) in [
        (format!("postgres://nobody:secret@{gone}/x"), Reason::Connect),
        (format!("mysql://nobody:secret@{gone}/x"), Reason::Connect),
        ("oracle://x".to_owned(), Reason::Settings),
    ] {
        let kind = Kind { name: "", url };
        let error = source(folder.path(), &kind, pull("SELECT 1 AS id", "id", 1)).fetch().await.unwrap_err();
        assert_eq!(error.reason, wanted, "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
