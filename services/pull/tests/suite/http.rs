//! A real server on the loopback that does what servers do.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use yiping_pull::failure::Reason;
use yiping_pull::source::{Fetched, Payload, Source, http::Http};
use yiping_runtime::config::Pull;

/// The headers of every request to `/lots`.
type Asked = Arc<Mutex<Vec<HeaderMap>>>;

/// A document that changes when its ETag is asked for a third time.
async fn lots(State(asked): State<Asked>, headers: HeaderMap) -> Response {
    let mut asked = asked.lock().unwrap();
    asked.push(headers.clone());
    let version = if asked.len() < 4 { "\"one\"" } else { "\"two\"" };
    if headers.get(header::IF_NONE_MATCH).is_some_and(|etag| etag == version) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let modified = "Fri, 20 Nov 2026 08:00:00 GMT";
    ([(header::ETAG, version), (header::LAST_MODIFIED, modified)], version).into_response()
}

async fn busy() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "77")], "not now").into_response()
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_secs(60)).await;
    "at last"
}

/// Never ends, and doesn't say how long it is.
async fn endless() -> Body {
    Body::from_stream(futures::stream::repeat(Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1_024]))))
}

async fn start() -> (String, Asked) {
    let asked = Asked::default();
    let app = Router::new()
        .route("/lots", get(lots))
        .route("/busy", get(busy))
        .route("/slow", get(slow))
        .route("/endless", get(endless))
        .route("/large", get(|| async { "x".repeat(5_000) }))
        .route("/moved", get(|| async { Redirect::temporary("/lots") }))
        .route("/round", get(|| async { Redirect::temporary("/round") }))
        .route("/away", get(|| async { Redirect::temporary("http://127.0.0.2:1/lots") }))
        .with_state(asked.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, asked)
}

fn pull() -> Pull {
    Pull { timeout: Duration::from_secs(20), max_bytes: 4_096, ..Pull::default() }
}

fn source(address: &str, path: &str) -> Http {
    Http::new(&format!("{address}{path}"), &pull()).unwrap()
}

async fn text(source: &mut Http) -> String {
    match source.fetch().await.unwrap() {
        Fetched::Something { payload: Payload::Bytes(bytes), more: false } => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_document_that_has_not_changed_since_it_was_taken_is_not_sent() {
    let (address, asked) = start().await;
    let mut source = source(&address, "/lots");
    assert_eq!(text(&mut source).await, "\"one\"");
    // what was not taken is asked for again, whole
    assert_eq!(text(&mut source).await, "\"one\"");
    source.taken().await.unwrap();
    assert_eq!(source.fetch().await.unwrap(), Fetched::Nothing);
    assert_eq!(text(&mut source).await, "\"two\"");
    let asked = asked.lock().unwrap();
    let condition =
        |n: usize, name| asked[n].get::<header::HeaderName>(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!((condition(1, header::IF_NONE_MATCH), condition(1, header::IF_MODIFIED_SINCE)), (None, None));
    assert_eq!(condition(2, header::IF_NONE_MATCH).as_deref(), Some("\"one\""));
    assert_eq!(condition(2, header::IF_MODIFIED_SINCE).as_deref(), Some("Fri, 20 Nov 2026 08:00:00 GMT"));
}

#[tokio::test]
async fn whatever_goes_wrong_has_its_name() {
    let (address, _) = start().await;
    let reason = async |path: &str| source(&address, path).fetch().await.unwrap_err().reason;
    assert_eq!(reason("/nowhere").await, Reason::Status);
    assert_eq!(reason("/large").await, Reason::TooLarge);
    assert_eq!(reason("/endless").await, Reason::TooLarge);
    assert_eq!(reason("/round").await, Reason::Redirect);
    assert_eq!(reason("/away").await, Reason::Redirect, "a key must not follow a redirect to another host");
    let busy = source(&address, "/busy").fetch().await.unwrap_err();
    assert_eq!((busy.reason, busy.retry_after), (Reason::Status, Some(Duration::from_secs(77))));
    let mut hasty =
        Http::new(&format!("{address}/slow"), &Pull { timeout: Duration::from_millis(200), ..pull() }).unwrap();
    assert_eq!(hasty.fetch().await.unwrap_err().reason, Reason::Timeout);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = source(&format!("http://{gone}"), "/lots?key=secret").fetch().await.unwrap_err();
    assert_eq!(error.reason, Reason::Connect);
    assert!(!error.to_string().contains("secret"), "{error}");
    assert_eq!(text(&mut source(&address, "/moved")).await, "\"one\"", "a redirect to the same host is followed");
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let _ = socket.read(&mut [0; 1_024]).await;
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":").await.unwrap();
    });
    let failure = source(&address, "/?key=secret").fetch().await.unwrap_err();
    assert_eq!(failure.reason, Reason::Connect);
    let host = address.trim_start_matches("http://");
    assert!(failure.message.starts_with(host) && !failure.message.contains("secret"), "{failure}");
}

#[tokio::test]
async fn the_operators_headers_go_along_and_are_read_anew() {
    let (address, asked) = start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("headers");
    let mut source =
        Http::new(&format!("{address}/lots"), &Pull { headers_file: Some(file.clone()), ..pull() }).unwrap();
    assert_eq!(source.fetch().await.unwrap_err().reason, Reason::Settings, "there is no file");
    for key in ["first", "second"] {
        std::fs::write(&file, format!("# of the platform\nX-Api-Key: {key}\n\nAuthorization: Bearer {key}\n")).unwrap();
        source.fetch().await.unwrap();
    }
    std::fs::write(&file, "no header\n").unwrap();
    let wrong = source.fetch().await.unwrap_err().to_string();
    assert!(wrong.contains("line 1"), "{wrong}");
    let asked = asked.lock().unwrap();
    let sent = |name: &str| asked.iter().map(|headers| headers[name].to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(sent("x-api-key"), ["first", "second"]);
    assert_eq!(sent("authorization"), ["Bearer first", "Bearer second"]);
}
