//! A request's bytes: received whole, unpacked, and never larger than the limit, packed or not. Every byte has its place in the
//! gateway's room before it is kept.

use std::io::Read;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;

use crate::problem::Problem;
use crate::room::Place;
use crate::split::{FORMS, Form};

/// Of a body that is refused, so many times the limit is read over; then the connection is closed.
const DRAINED_LIMITS: usize = 8;
/// zstd frames that ask for a larger window than 8 MiB are refused before it is allocated.
const ZSTD_WINDOW_LOG: u32 = 23;
/// What is unpacked at once.
const PIECE_BYTES: usize = 64 << 10;

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

/// How the body holds events, by its content type.
pub fn form(headers: &HeaderMap) -> Result<Form, Problem> {
    let named = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = named.split(';').next().unwrap_or_default().trim();
    FORMS.iter().find(|(name, _)| media.eq_ignore_ascii_case(name)).map(|(_, form)| *form).ok_or_else(|| {
        let names = FORMS.map(|(name, _)| name).join(", ");
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("content-type must be one of {names}"))
    })
}

/// Refuses a body that says itself that it is too large.
pub fn fits(headers: &HeaderMap, limit: usize) -> Result<(), Problem> {
    match declared(headers) {
        Some(length) if length > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

fn declared(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Receives the body as it was sent, within `time`.
pub async fn receive(body: Body, limit: usize, time: Duration, place: &mut Place) -> Result<Bytes, Problem> {
    let late = || {
        let detail = format!("the body did not arrive within {} s", time.as_secs());
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail).closing()
    };
    tokio::time::timeout(time, collect(body, limit, place)).await.map_err(|_| late())?
}

async fn collect(body: Body, limit: usize, place: &mut Place) -> Result<Bytes, Problem> {
    let mut chunks = body.into_data_stream();
    let mut all = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("the body broke off"))?;
        let kept = if all.len() + chunk.len() > limit { Err(too_large(limit)) } else { place.grow(chunk.len()) };
        if let Err(problem) = kept {
            drop(all);
            let ended = drain(chunks, limit).await;
            return Err(if ended { problem } else { problem.closing() });
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

/// Reads over a body that nobody wants: a sender that finds the connection closed while it still writes never reads the
/// answer. One that asked before it sent (`Expect`) has its answer without. Whether it came to its end.
pub async fn discard(headers: &HeaderMap, body: Body, limit: usize, time: Duration) -> bool {
    if headers.contains_key(header::EXPECT) {
        return true;
    }
    tokio::time::timeout(time, drain(body.into_data_stream(), limit)).await.unwrap_or(false)
}

async fn drain(mut chunks: BodyDataStream, limit: usize) -> bool {
    let mut left = limit.saturating_mul(DRAINED_LIMITS);
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else { return false };
        left = left.saturating_sub(chunk.len());
        if left == 0 {
            return false;
        }
    }
    true
}

/// Unpacks a received body.
pub fn unpack(bytes: Bytes, encoding: Encoding, limit: usize, place: &mut Place) -> Result<Bytes, Problem> {
    match encoding {
        Encoding::Plain => Ok(bytes),
        Encoding::Gzip => read(flate2::read::MultiGzDecoder::new(&*bytes), limit, place),
        Encoding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(&*bytes).map_err(|_| unreadable())?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|_| unreadable())?;
            read(decoder, limit, place)
        }
    }
}

fn read(mut packed: impl Read, limit: usize, place: &mut Place) -> Result<Bytes, Problem> {
    let mut plain = Vec::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = packed.read(&mut piece).map_err(|_| unreadable())?;
        if length == 0 {
            return Ok(plain.into());
        }
        if plain.len() + length > limit {
            return Err(too_large(limit));
        }
        place.grow(length)?;
        plain.extend_from_slice(&piece[..length]);
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {limit} bytes, unpacked too; send several"))
}

fn unreadable() -> Problem {
    Problem::bad_request("the body is not what its content-encoding says")
}
