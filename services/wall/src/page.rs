//! The page, carried in the binary: files with their types, ETags, and how long a browser may keep them.

use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

// `struct Dist`, made by build.rs: the folder differs by machine.
include!(concat!(env!("OUT_DIR"), "/dist.rs"));

/// Changes with the page: a screen that sees another one than its own loads itself anew.
pub(crate) fn build() -> String {
    if let Some(stated) = Dist::get("build.txt") {
        return String::from_utf8_lossy(&stated.data).trim().to_owned();
    }
    let mut hash = Sha256::new();
    for name in Dist::iter() {
        hash.update(name.as_bytes());
        hash.update(Dist::get(&name).map(|file| file.metadata.sha256_hash()).unwrap_or_default());
    }
    hex::encode(&hash.finalize()[..8])
}

pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(file) = Dist::get(path) else {
        return (StatusCode::NOT_FOUND, "there is no such page\n").into_response();
    };
    let etag = etag(&hex::encode(&file.metadata.sha256_hash()[..12]));
    // Names under assets/ carry a hash of their content.
    let keep = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let about = [(header::ETAG, etag.clone()), (header::CACHE_CONTROL, keep.to_owned())];
    if is_known(&headers, &etag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    let kind = match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        kind => kind.to_owned(),
    };
    (about, [(header::CONTENT_TYPE, kind)], Body::from(file.data.into_owned())).into_response()
}

/// Weak, because a compressed answer is another sequence of bytes.
pub(crate) fn etag(of: &str) -> String {
    format!("W/\"{of}\"")
}

pub(crate) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag.trim_start_matches("W/"))
}
