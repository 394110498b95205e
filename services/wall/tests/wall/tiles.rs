//! 天地图 under the map, with a server on loopback in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use tokio::net::TcpListener;
use yiping_city::City;
use yiping_wall::tiles::Tiles;

use crate::stage::{Answers, Memory, Wall, fast};

const TOKEN: &str = "c0ffee00c0ffee00c0ffee00c0ffee00";
/// In the middle of 威海.
const TILE: &str = "/api/tiles/10/859/396";
const IMAGE: &[u8] = b"\x89PNG as far as the wall looks";

struct Tianditu {
    url: String,
    asked: Arc<AtomicUsize>,
}

/// What it answers depends on the row: 396 an image, 397 a refusal, 398 a refusal told as an answer, 399 a way elsewhere.
async fn answer(State(asked): State<Arc<AtomicUsize>>, uri: OriginalUri) -> Response {
    asked.fetch_add(1, SeqCst);
    let query = uri.query().unwrap_or_default();
    let wanted = |part: &str| query.split('&').any(|one| one == part);
    if !wanted(&format!("tk={TOKEN}")) {
        return (StatusCode::FORBIDDEN, "no token").into_response();
    }
    match query {
        _ if wanted("y=396") => ([("content-type", "image/png")], IMAGE).into_response(),
        _ if wanted("y=398") => ([("content-type", "application/json")], r#"{"code":301012}"#).into_response(),
        _ if wanted("y=399") => (StatusCode::FOUND, [("location", "/elsewhere?y=396")]).into_response(),
        _ => (StatusCode::FORBIDDEN, "too many").into_response(),
    }
}

async fn tianditu() -> Tianditu {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/t?z={{z}}&x={{x}}&y={{y}}&tk={{token}}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&asked));
    tokio::spawn(async { axum::serve(listener, app).await });
    Tianditu { url, asked }
}

fn tiles(url: &str) -> anyhow::Result<Tiles> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    Tiles::new(url, Some(&file), &City::weihai().bounds)
}

#[tokio::test]
async fn however_many_screens_want_a_tile_it_is_fetched_once_and_the_token_stays_here() {
    let upstream = tianditu().await;
    let wall = Wall::over(tiles(&upstream.url).unwrap()).await;
    assert_eq!(wall.json("/api/snapshot").await["city"]["tiles"], true);

    let answers = join_all((0..20).map(|_| wall.get(TILE))).await;
    let etag = answers[0].headers()["etag"].clone();
    for answer in answers {
        assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &"image/png".parse().unwrap()));
        assert!(!format!("{:?}", answer.headers()).contains(TOKEN));
        assert_eq!(answer.bytes().await.unwrap(), IMAGE);
    }
    assert_eq!(upstream.asked.load(SeqCst), 1);
    let known = wall.http.get(format!("{}{TILE}", wall.url)).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(known.status(), 304);
    assert!(!wall.get("/api/snapshot").await.text().await.unwrap().contains(TOKEN));
    wall.down().await;
}

#[tokio::test]
async fn what_does_not_come_is_503_without_a_word_of_the_token_and_is_not_asked_for_at_once_again() {
    let upstream = tianditu().await;
    let wall = Wall::over(tiles(&upstream.url).unwrap()).await;
    for row in [397, 398, 399] {
        for _ in 0..3 {
            let answer = wall.get(&format!("/api/tiles/10/859/{row}")).await;
            assert_eq!(
                (answer.status().as_u16(), &answer.headers()["cache-control"]),
                (503, &"no-store".parse().unwrap())
            );
            let said = format!("{:?} {}", answer.headers().clone(), answer.text().await.unwrap());
            assert!(!said.contains(TOKEN), "{said}");
        }
    }
    // nor where it was sent on to: that could be anybody
    assert_eq!(upstream.asked.load(SeqCst), 3);
    // of others it is still asked
    assert_eq!(wall.get(TILE).await.status(), 200);
    wall.down().await;
}

#[tokio::test]
async fn nobody_asks_through_the_wall_for_the_rest_of_the_world_and_without_settings_for_nothing() {
    let upstream = tianditu().await;
    let wall = Wall::over(tiles(&upstream.url).unwrap()).await;
    for elsewhere in ["/api/tiles/10/843/396", "/api/tiles/2/3/1", "/api/tiles/10/-1/396", "/api/tiles/10/859/396/x"] {
        let status = wall.get(elsewhere).await.status();
        assert!(status.is_client_error(), "{elsewhere}: {status}");
    }
    assert_eq!(upstream.asked.load(SeqCst), 0);
    wall.down().await;

    let without = Wall::up(Memory::of(Answers::default()), fast()).await;
    assert_eq!(without.json("/api/snapshot").await["city"]["tiles"], false);
    assert_eq!(without.get(TILE).await.status(), 404);
    without.down().await;
}

#[test]
fn a_token_that_is_none_is_refused_without_being_told() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for wrong in ["", "  \n", "with space", "a&b=secret"] {
        std::fs::write(file.path(), wrong).unwrap();
        let error = Tiles::new("http://tiles/{z}/{x}/{y}/{token}", Some(file.path()), &City::weihai().bounds);
        let said = format!("{:#}", error.err().expect(wrong));
        assert!(said.contains("wall.tianditu.token_file") && !said.contains("secret"), "{said}");
    }
}
