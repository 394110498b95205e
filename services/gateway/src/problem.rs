//! Errors as RFC 9457 problem documents. A detail never repeats what was sent, nor a token.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// Why a request was refused, for the counter: carried by the answer, never sent.
#[derive(Debug, Clone, Copy)]
pub struct Reason(pub &'static str);

impl Reason {
    /// Where nothing more is said than the status.
    fn of(status: StatusCode) -> Self {
        Reason(match status {
            StatusCode::BAD_REQUEST => "unreadable",
            StatusCode::UNAUTHORIZED => "no_token",
            StatusCode::FORBIDDEN => "no_right",
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => "no_route",
            StatusCode::REQUEST_TIMEOUT => "too_slow",
            StatusCode::PAYLOAD_TOO_LARGE => "too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
            StatusCode::UNPROCESSABLE_ENTITY => "all_rejected",
            StatusCode::TOO_MANY_REQUESTS => "busy",
            StatusCode::SERVICE_UNAVAILABLE => "log",
            _ => "internal",
        })
    }
}

/// An answer that is no success.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    retry_after_s: Option<u32>,
    closing: bool,
    reason: Option<&'static str>,
    members: BTreeMap<&'static str, Box<RawValue>>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            retry_after_s: None,
            closing: false,
            reason: None,
            members: BTreeMap::new(),
        }
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Nothing more is read from this connection: the rest of the request is still on its way.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.closing = true;
        self
    }

    /// Says more of why than the status.
    #[must_use]
    pub fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Adds a member of our own to the document.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &impl Serialize) -> Self {
        // (numbers, texts and lists of them: nothing fails)
        self.members.extend(to_raw_value(value).ok().map(|value| (name, value)));
        self
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    of: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(flatten)]
    members: &'a BTreeMap<&'static str, Box<RawValue>>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            of: "about:blank",
            title: self.status.canonical_reason().unwrap_or("error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            members: &self.members,
        };
        let mut answer = (self.status, Json(document)).into_response();
        answer.extensions_mut().insert(self.reason.map_or_else(|| Reason::of(self.status), Reason));
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.closing {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}
