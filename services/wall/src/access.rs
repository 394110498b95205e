//! Who may read the wall. On loopback everybody; beyond it whoever brings the token: as `Authorization: Bearer`, or once as `/?token=…`, which a
//! browser then keeps as a cookie that scripts don't see.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rand::TryRng;
use sha2::{Digest, Sha256};

use crate::api::{Wall, problem};

const COOKIE: &str = "yiping_wall";
/// A year: a wall is hung up once.
const COOKIE_S: u32 = 365 * 24 * 3600;

/// What a reader has to bring, kept as its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Token(Sha256::digest(text).into())
    }

    /// The token in a file; one that is not there is made, for its owner's eyes only.
    ///
    /// # Errors
    /// When the file can be neither read nor made, or holds less than 16 characters.
    pub fn in_file(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => made(path)?,
            other => other.with_context(|| format!("the wall's token, {}", path.display()))?,
        };
        anyhow::ensure!(text.trim().len() >= 16, "{}: a token has 16 characters or more", path.display());
        Ok(Token::new(text.trim()))
    }

    /// Comparing hashes of what was brought tells nothing of the token by its time.
    fn is(&self, brought: &str) -> bool {
        *self == Token::new(brought)
    }
}

fn made(path: &Path) -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).context("random bytes for the wall's token")?;
    let text = hex::encode(bytes);
    let make = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        writeln!(file, "{text}")?;
        file.sync_all()
    };
    make().with_context(|| format!("making the wall's token, {}", path.display()))?;
    Ok(text)
}

pub(crate) async fn check(State(wall): State<Arc<Wall>>, request: Request, next: Next) -> Response {
    let Some(token) = &wall.token else { return next.run(request).await };
    let headers = request.headers();
    if bearer(headers).or_else(|| cookie(headers)).is_some_and(|brought| token.is(brought)) {
        return next.run(request).await;
    }
    // Hexadecimal, so nothing in it is escaped.
    let in_query =
        request.uri().query().and_then(|query| query.split('&').find_map(|part| part.strip_prefix("token=")));
    match in_query {
        Some(brought) if token.is(brought) => {
            // Away with it from the address, which a browser shows and remembers.
            let kept = format!("{COOKIE}={brought}; Path=/; HttpOnly; SameSite=Strict; Max-Age={COOKIE_S}");
            let path = format!("/{}", request.uri().path().trim_start_matches('/'));
            (StatusCode::SEE_OTHER, [(header::SET_COOKIE, kept), (header::LOCATION, path)]).into_response()
        }
        _ => {
            let refused =
                problem(StatusCode::UNAUTHORIZED, "open the wall once as /?token=…; the token is in wall.token_file");
            ([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response()
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|one| one.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}
