//! The schema of a cluster, as far as one server can judge it: each statement is one that ClickHouse understands. (A cluster was never
//! started by these tests.)

use clickhouse::Client;
use yiping_store::{KeepDays, Store, StoreOptions};

use crate::{derived, shared};

#[tokio::test]
async fn every_statement_of_a_cluster_is_for_all_its_nodes_and_clickhouse_understands_it() {
    let Some(server) = shared() else { return };
    let who = server.writer();
    let keep = KeepDays { short: Some(35), long: Some(400) };
    let options = StoreOptions { cluster: Some("weihai".to_owned()), keep, ..StoreOptions::default() };
    let spread = Store::connect(&server.url(), &who.user, &who.password, options).unwrap().schema(&derived());
    let plain = Store::connect(&server.url(), &who.user, &who.password, StoreOptions::default()).unwrap();
    let client = Client::default().with_url(server.url()).with_user(&who.user).with_password(&who.password);
    for statement in &spread {
        let understood = client.query("SELECT formatQuerySingleLine(?)").bind(statement).fetch_one::<String>().await;
        let understood = understood.unwrap_or_else(|error| panic!("{error}\n{statement}"));
        assert!(understood.contains("ON CLUSTER weihai"), "{understood}");
        let kept = understood.contains("ENGINE = Replicated") || understood.contains("ENGINE = Distributed");
        assert!(kept || !understood.starts_with("CREATE TABLE"), "a table on one node only: {understood}");
    }
    // the spread table is two: its parts, and what asks them all
    let more =
        ["for the table", "for its later columns", "how long its rows stay, which is the shards' matter alone"].len();
    assert_eq!(spread.len(), plain.schema(&derived()).len() + more);
    let broken = client.query("SELECT formatQuerySingleLine(?)").bind("CREATE TABLE city.x ON CLUSTER ENGINE = ");
    assert!(broken.fetch_one::<String>().await.is_err(), "what is no SQL would be seen");
}
