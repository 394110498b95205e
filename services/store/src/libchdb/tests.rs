//! The download against a small registry of our own: it breaks off, it lies, it is asked twice.

use std::{
    future::{Ready, ready},
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sha2::{Digest, Sha256};

use super::{
    LibraryError, Pin, Progress, cached_or,
    download::{Registry, parse_npm},
};

const LIBRARY: &[u8] = b"not really ClickHouse, but its hash is known";

fn tarball() -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none()));
    for (name, bytes) in [("package/package.json", b"{}".as_slice()), ("package/libchdb.so", LIBRARY)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, name, bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn pin() -> Pin {
    Pin {
        path: "@chdb/lib/-/lib.tgz",
        version: "test",
        entry: "package/libchdb.so",
        sha256: hex::encode(Sha256::digest(LIBRARY)),
    }
}

/// A registry with one file, which sends at most `most` bytes an answer though it promises the rest. Returns its address and the count of requests.
fn registry(file: Vec<u8>, most: usize) -> (String, Arc<AtomicUsize>) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/npm/", socket.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = requests.clone();
    std::thread::spawn(move || {
        for mut stream in socket.incoming().map_while(Result::ok) {
            counted.fetch_add(1, Ordering::SeqCst);
            let head: Vec<String> = BufReader::new(&stream)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .map(|line| line.to_lowercase())
                .collect();
            assert!(head[0].starts_with("get /npm/@chdb/lib/-/lib.tgz "), "{head:?}");
            let from = head.iter().find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok());
            let rest = &file[from.unwrap_or(0)..];
            let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", rest.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&rest[..rest.len().min(most)]));
        }
    });
    (address, requests)
}

fn npm(address: &str) -> impl FnOnce() -> Ready<Result<Registry, LibraryError>> {
    let address = address.to_owned();
    move || ready(Ok(Registry { address, cafile: None }))
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    let cache = tempfile::tempdir().unwrap();
    let file = tarball();
    let (address, requests) = registry(file.clone(), file.len() / 2 + 1);
    let mut told = Vec::new();
    let library = cached_or(&pin(), cache.path(), npm(&address), |progress| told.push(progress)).await.unwrap();
    assert_eq!(std::fs::read(&library).unwrap(), LIBRARY);
    assert_eq!(requests.load(Ordering::SeqCst), 2);
    let total_bytes = Some(file.len() as u64);
    assert!(
        told.iter().any(
            |progress| matches!(progress, Progress::Downloading { total_bytes: total, .. } if *total == total_bytes)
        )
    );
    let left: Vec<_> =
        std::fs::read_dir(library.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "library and lock, no parts: {left:?}");

    let again = cached_or(&pin(), cache.path(), npm(&address), |_| {}).await.unwrap();
    assert_eq!((again, requests.load(Ordering::SeqCst)), (library, 2), "the second time it is there");
}

#[tokio::test]
async fn what_an_earlier_process_left_is_not_fetched_again() {
    let cache = tempfile::tempdir().unwrap();
    let file = tarball();
    let folder = cache.path().join("libchdb-test");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("package.tgz.part"), &file[..1000]).unwrap();
    let (address, requests) = registry(file.clone(), file.len() - 1000);
    cached_or(&pin(), cache.path(), npm(&address), |_| {}).await.unwrap();
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn two_at_once_fetch_once() {
    let cache = tempfile::tempdir().unwrap();
    let (address, requests) = registry(tarball(), usize::MAX);
    let (pin, mut waited) = (pin(), false);
    let (one, two) = tokio::join!(
        cached_or(&pin, cache.path(), npm(&address), |_| {}),
        cached_or(&pin, cache.path(), npm(&address), |progress| waited |= progress == Progress::Waiting),
    );
    assert_eq!(one.unwrap(), two.unwrap());
    assert!(waited);
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_wrong_file_never_gets_the_name_and_is_not_gone_on_with() {
    let cache = tempfile::tempdir().unwrap();
    let (address, _) = registry(tarball(), usize::MAX);
    let wrong = Pin { sha256: "00".repeat(32), ..pin() };
    let error = cached_or(&wrong, cache.path(), npm(&address), |_| {}).await.unwrap_err();
    assert!(matches!(error, LibraryError::Wrong { .. }), "{error}");
    let left: Vec<_> =
        std::fs::read_dir(cache.path().join("libchdb-test")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
}

#[tokio::test]
async fn without_a_network_the_error_says_what_to_do() {
    let cache = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    let error = cached_or(&pin(), cache.path(), npm(&address), |_| {}).await.unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("refused") && error.contains("YIPING_LIBCHDB"), "{error}");
}

#[test]
fn npms_own_settings_count() {
    let parse = |answer: &str| parse_npm(answer).map(|registry| (registry.address, registry.cafile));
    let plain = "registry=https://registry.example/\n@chdb:registry=undefined\ncafile=null\n";
    assert_eq!(parse(plain), Some(("https://registry.example/".to_owned(), None)));
    let scoped = "registry=https://a.example/\n@chdb:registry=https://b.example/npm\ncafile=/etc/ca.pem\n";
    assert_eq!(parse(scoped), Some(("https://b.example/npm".to_owned(), Some("/etc/ca.pem".to_owned()))));
    assert_eq!(parse(""), None);
}

#[test]
fn progress_reads_like_a_sentence() {
    let left = Some(std::time::Duration::from_secs(12));
    let progress = Progress::Downloading { done_bytes: 89_000_000, total_bytes: Some(178_000_000), left };
    assert_eq!(progress.to_string(), "fetching ClickHouse: 89 MB of 178 MB, 12 s left");
}
