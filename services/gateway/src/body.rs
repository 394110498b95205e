//! A request's bytes: received whole, unpacked, and never larger than the limit, packed or not.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use crate::problem::Problem;

/// A sender that takes longer holds memory that others need.
const RECEIVE: Duration = Duration::from_secs(30);
/// Of a body that is refused, so many times the limit is read over; then the connection is closed.
const DRAINED_LIMITS: usize = 8;
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
            _ => {
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content-encoding must be gzip, zstd or identity"))
            }
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
    let late = || Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not arrive within 30 s");
    tokio::time::timeout(RECEIVE, collect(body, limit)).await.map_err(|_| late())?
}

async fn collect(body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut all = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("the body broke off"))?;
        if all.len() + chunk.len() > limit {
            drop(all);
            drain(chunks, limit).await;
            return Err(too_large(limit));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

/// Reads over a body that nobody wants: a sender that finds the connection closed while it still writes never reads the
/// answer. One that asked before it sent (`Expect`) has its answer without.
pub async fn discard(headers: &HeaderMap, body: Body, limit: usize) {
    if !headers.contains_key(header::EXPECT) {
        // Whether it came to an end or not, the answer is the same.
        let _ = tokio::time::timeout(RECEIVE, drain(body.into_data_stream(), limit)).await;
    }
}

async fn drain(mut chunks: BodyDataStream, limit: usize) {
    let mut left = limit.saturating_mul(DRAINED_LIMITS);
    while let Some(Ok(chunk)) = chunks.next().await {
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return;
        }
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
