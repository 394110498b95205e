//! Checkpoints (I4).

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use yiping_store::{Checkpoint, PrunePolicy};

use crate::{live::ask_as, shared, store_or_skip};

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = SmallRng::seed_from_u64(seed);
    (0..bytes).map(|_| random.random()).collect()
}

async fn as_writer(sql: &str) -> String {
    let server = shared().unwrap();
    ask_as(server.url(), &server.writer().user, &server.writer().password, sql).await.unwrap()
}

async fn segments() -> u64 {
    as_writer("SELECT count() FROM city.checkpoint_segments").await.trim().parse().unwrap()
}

#[tokio::test]
async fn i4_a_checkpoint_comes_back_as_it_was_and_a_damaged_one_gives_way_to_the_one_before() {
    let store = store_or_skip!();
    assert_eq!(store.newest_checkpoint("bus", 0).await.unwrap().checkpoint, None);

    let big = noise(1, (4 << 20) * 2 + 5);
    let parts = |state: &[u8]| {
        vec![("ids".to_owned(), big.clone()), ("empty".to_owned(), vec![]), ("state".to_owned(), state.to_vec())]
    };
    store.save_checkpoint("bus", 0, 1, 100, parts(b"first")).await.unwrap();
    let before = segments().await;
    assert_eq!(before, 4, "two full segments of ids and the rest, one of state");
    store.save_checkpoint("bus", 0, 1, 200, parts(b"second")).await.unwrap();
    assert_eq!(segments().await, before + 1, "what did not change is not written again");
    store.save_checkpoint("bus", 1, 1, 999, vec![("state".into(), b"another partition".to_vec())]).await.unwrap();

    let newest = store.newest_checkpoint("bus", 0).await.unwrap();
    assert_eq!(newest.unreadable, []);
    assert_eq!(newest.checkpoint, Some(Checkpoint { generation: 1, offset: 200, parts: parts(b"second") }));

    // A new generation is newer whatever its offset is; then its bytes rot.
    store.save_checkpoint("bus", 0, 2, 3, vec![("state".into(), b"third".to_vec())]).await.unwrap();
    assert_eq!(store.newest_checkpoint("bus", 0).await.unwrap().checkpoint.unwrap().generation, 2);
    as_writer(
        "ALTER TABLE city.checkpoint_segments UPDATE data = concat(data, 'x') WHERE hash IN
         (SELECT arrayJoin(segments) FROM city.checkpoint_manifests WHERE generation = 2) SETTINGS mutations_sync = 1",
    )
    .await;
    let newest = store.newest_checkpoint("bus", 0).await.unwrap();
    assert_eq!(newest.checkpoint.unwrap().offset, 200);
    assert_eq!((newest.unreadable[0].generation, newest.unreadable[0].offset), (2, 3));
    assert!(newest.unreadable[0].reason.contains("state"), "{}", newest.unreadable[0].reason);

    // Only the newest stays when only one is kept; what it shares with the dropped ones stays too.
    store.save_checkpoint("bus", 0, 3, 1, parts(b"fourth")).await.unwrap();
    let policy = PrunePolicy { newest: 1, daily: 0, orphan_age: Duration::ZERO };
    let pruned = store.prune_checkpoints(policy).await.unwrap();
    assert_eq!(pruned.manifests, 3);
    assert_eq!(pruned.segments, 0, "segments younger than two hours may belong to a manifest that is being written");
    let newest = store.newest_checkpoint("bus", 0).await.unwrap();
    assert_eq!(newest.checkpoint.unwrap().parts, parts(b"fourth"));
    for sql in [
        "CREATE TABLE city.aside ENGINE = Memory AS SELECT * FROM city.checkpoint_segments",
        "ALTER TABLE city.checkpoint_segments DELETE WHERE 1 SETTINGS mutations_sync = 1",
        "INSERT INTO city.checkpoint_segments SELECT hash, data, written_at - INTERVAL 2 DAY FROM city.aside",
    ] {
        as_writer(sql).await;
    }
    let pruned = store.prune_checkpoints(PrunePolicy::default()).await.unwrap();
    assert_eq!((pruned.manifests, pruned.segments), (0, 3), "first, second, third");
    assert_eq!(store.newest_checkpoint("bus", 0).await.unwrap().checkpoint.unwrap().parts, parts(b"fourth"));
    assert_eq!(store.newest_checkpoint("bus", 1).await.unwrap().checkpoint.unwrap().offset, 999);
}
