//! A request's bytes: received whole, unpacked, and never larger than the limit, packed or not.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;

use crate::problem::Problem;

/// A sender that takes longer holds memory that others need.
const RECEIVE: Duration = Duration::from_secs(30);
/// zstd frames that ask for a larger window than 8 MiB are refused before it is allocated.
const ZSTD_WINDOW_LOG: u32 = 23;

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Plain,
    Gzip,
    Zstd,
}

impl Encoding {
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(named) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Plain) };
        match named.as_bytes().trim_ascii().to_ascii_lowercase().as_slice() {
            b"identity" | b"" => Ok(Self::Plain),
            b"gzip" | b"x-gzip" => Ok(Self::Gzip),
            b"zstd" => Ok(Self::Zstd),
            _ => Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-encoding must be gzip, zstd or identity")),
        }
    }
}

/// How many bytes the body may come to need: what it declares, or the limit where that says nothing.
pub fn need(headers: &HeaderMap, encoding: Encoding, limit: usize) -> Result<usize, Problem> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    match declared {
        Some(length) if length > limit => Err(too_large(limit)),
        Some(length) if encoding == Encoding::Plain => Ok(length),
        _ => Ok(limit),
    }
}

/// Receives the body as it was sent.
pub async fn receive(body: Body, limit: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(RECEIVE, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // axum keeps the kind of fault to itself; a body that broke off will not read the answer anyway.
        Ok(Err(_)) => Err(too_large(limit)),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive within 30 s")),
    }
}

/// Unpacks a received body.
pub fn unpack(bytes: Bytes, encoding: Encoding, limit: usize) -> Result<Bytes, Problem> {
    match encoding {
        Encoding::Plain => Ok(bytes),
        Encoding::Gzip => read(flate2::read::MultiGzDecoder::new(&*bytes), limit),
        Encoding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(&*bytes).map_err(|_| unreadable())?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| unreadable())?;
            read(decoder, limit)
        }
    }
}

fn read(packed: impl Read, limit: usize) -> Result<Bytes, Problem> {
    let mut plain = Vec::new();
    // One byte more than allowed tells a full body from an endless one.
    packed.take(limit as u64 + 1).read_to_end(&mut plain).map_err(|_| unreadable())?;
    if plain.len() > limit { Err(too_large(limit)) } else { Ok(plain.into()) }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {limit} bytes, unpacked too; send several"))
}

fn unreadable() -> Problem {
    Problem::bad_request("the body is not what its content-encoding says")
}
