//! 天地图 under the map, where it is configured: tiles that this server fetches and hands on. Browsers ask nobody but this server, so the page's
//! policy stays closed, the token stays here, and a screen needs no way to the internet. What does not come is told as 503: the page then shows
//! the map that it draws itself. Kept in memory only, so many at most, and only for places around the city: this is no relay for the world.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use axum::body::{Body, Bytes};
use axum::extract::{Path as InPath, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use yiping_city::Bounds;

use crate::api::{Wall, problem};
use crate::page;

const PATIENCE: Duration = Duration::from_secs(10);
/// Questions to 天地图 at the same time.
const AT_ONCE: usize = 8;
/// A tile of 256×256 pixels has some ten thousand bytes.
const TILE_MAX_BYTES: usize = 128 << 10;
/// The two maps of a 7680×2160 wall have about 120 tiles.
const MOST_TILES: usize = 1_024;
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// What did not come is not asked for again before that, however many screens want it.
const AGAIN: Duration = Duration::from_secs(30);
/// From a whole province to a street; beyond, no wall looks.
const ZOOMS: std::ops::RangeInclusive<u32> = 5..=16;
/// What an image may be: nothing that a browser would run.
const KINDS: [&str; 4] = ["image/png", "image/jpeg", "image/webp", "image/gif"];

type Place = (u32, u32, u32);

/// Where tiles come from, and those that came.
pub struct Tiles {
    /// With `{z}`, `{x}`, `{y}`, and with the token already in it: never told, never logged.
    url: String,
    http: Client,
    asking: Semaphore,
    around: Bounds,
    kept: Mutex<HashMap<Place, Arc<Slot>>>,
}

/// One place: whoever comes second waits for the first one's answer.
#[derive(Default)]
struct Slot(tokio::sync::Mutex<Held>);

#[derive(Default)]
struct Held {
    tile: Option<Tile>,
    /// When it came, or when it last failed to.
    fetched: Option<Instant>,
    failed: Option<Instant>,
}

#[derive(Clone)]
struct Tile {
    image: Bytes,
    kind: &'static str,
    etag: String,
}

impl Tiles {
    /// `url` as in the settings.
    ///
    /// # Errors
    /// When the token can't be read, or the address with it is none.
    pub fn new(url: &str, token_file: Option<&Path>, city: &Bounds) -> anyhow::Result<Self> {
        let token = match token_file {
            None => String::new(),
            Some(file) => {
                let text = std::fs::read_to_string(file);
                let text = text.with_context(|| format!("wall.tianditu.token_file, {}", file.display()))?;
                let token = text.trim();
                let plain = !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric());
                ensure!(plain, "wall.tianditu.token_file, {}: a token is of letters and digits", file.display());
                token.to_owned()
            }
        };
        let url = url.replace("{token}", &token);
        // the reason alone: the address holds the token
        address(&url, (0, 0, 0)).context("wall.tianditu.url is no address")?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        // a redirect could take the token elsewhere
        let http = Client::builder().timeout(PATIENCE).redirect(Policy::none()).build()?;
        // A window shows more than the city where it is longer than that.
        let (wide, high) = (city.east - city.west, city.north - city.south);
        let around = Bounds::from([city.west - wide, city.south - high, city.east + wide, city.north + high]);
        Ok(Tiles { url, http, asking: Semaphore::new(AT_ONCE), around, kept: Mutex::default() })
    }

    fn offers(&self, (z, x, y): Place) -> bool {
        let Bounds { west, south, east, north } = self.around;
        ZOOMS.contains(&z)
            && x < 1 << z
            && y < 1 << z
            && lon(z, x + 1) > west
            && lon(z, x) < east
            && lat(z, y) > south
            && lat(z, y + 1) < north
    }

    /// The tile, which may be a day old, and older where no newer one comes: the ground does not change by the hour.
    async fn tile(&self, place: Place) -> Option<Tile> {
        let slot = self.slot(place);
        let mut held = slot.0.lock().await;
        let within = |since: Option<Instant>, span| since.is_some_and(|since| since.elapsed() < span);
        if !within(held.fetched, FRESH) && !within(held.failed, AGAIN) {
            match self.fetch(place).await {
                Ok(tile) => *held = Held { tile: Some(tile), fetched: Some(Instant::now()), failed: None },
                Err(error) => {
                    tracing::debug!(error = format!("{error:#}"), ?place, "a tile did not come");
                    held.failed = Some(Instant::now());
                }
            }
        }
        held.tile.clone()
    }

    /// Room is made by forgetting all that nobody waits for: the walls of one house ask for the same few again.
    fn slot(&self, place: Place) -> Arc<Slot> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_TILES && !kept.contains_key(&place) {
            kept.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        Arc::clone(kept.entry(place).or_default())
    }

    async fn fetch(&self, place: Place) -> anyhow::Result<Tile> {
        let _asking = self.asking.acquire().await?;
        // Errors of HTTP name the address, and the address holds the token.
        let answer = self.http.get(address(&self.url, place)?).send().await;
        let mut answer = answer.map_err(reqwest::Error::without_url)?;
        ensure!(answer.status() == StatusCode::OK, "the answer is {}", answer.status());
        let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        // 天地图 tells some refusals as 200 with a text
        let Some(kind) = KINDS.into_iter().find(|known| kind.starts_with(known)) else { bail!("{kind:?} is no image") };
        let mut image = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            ensure!(image.len() + chunk.len() <= TILE_MAX_BYTES, "more than {TILE_MAX_BYTES} bytes");
            image.extend_from_slice(&chunk);
        }
        let etag = page::etag(&hex::encode(&Sha256::digest(&image)[..12]));
        Ok(Tile { image: image.into(), kind, etag })
    }
}

fn address(url: &str, (z, x, y): Place) -> anyhow::Result<Url> {
    let [z, x, y] = [z, x, y].map(|n| n.to_string());
    Ok(url.replace("{z}", &z).replace("{x}", &x).replace("{y}", &y).parse()?)
}

/// The western edge of a column, in degrees.
fn lon(z: u32, x: u32) -> f64 {
    f64::from(x) / f64::from(1 << z) * 360.0 - 180.0
}

/// The northern edge of a row, in degrees.
fn lat(z: u32, y: u32) -> f64 {
    let north = std::f64::consts::PI * (1.0 - 2.0 * f64::from(y) / f64::from(1 << z));
    north.sinh().atan().to_degrees()
}

pub(crate) async fn serve(State(wall): State<Arc<Wall>>, InPath(place): InPath<Place>, headers: HeaderMap) -> Response {
    let Some(tiles) = wall.tiles.as_ref().filter(|tiles| tiles.offers(place)) else {
        return problem(StatusCode::NOT_FOUND, "there is no such tile");
    };
    let Some(tile) = tiles.tile(place).await else {
        let mut gone = problem(StatusCode::SERVICE_UNAVAILABLE, "天地图 does not answer");
        gone.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(AGAIN.as_secs()));
        gone.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        return gone;
    };
    let about =
        [(header::ETAG, tile.etag.clone()), (header::CACHE_CONTROL, format!("private, max-age={}", FRESH.as_secs()))];
    if page::is_known(&headers, &tile.etag) {
        return (StatusCode::NOT_MODIFIED, about).into_response();
    }
    (about, [(header::CONTENT_TYPE, tile.kind)], Body::from(tile.image)).into_response()
}

#[cfg(test)]
mod tests {
    use yiping_city::City;

    use super::*;

    #[test]
    fn tiles_are_of_the_city_and_what_is_around_it() {
        let tiles = Tiles::new("http://tiles/{z}/{x}/{y}", None, &City::weihai().bounds).unwrap();
        // 威海: 122.12 E, 37.51 N
        assert!(tiles.offers((10, 859, 396)));
        assert!(tiles.offers((13, 6874, 3171)));
        // Beijing, beyond the world, too far away, too near
        for place in [(10, 843, 387), (10, 1024, 396), (10, 859, 1024), (4, 13, 6), (17, 109_990, 50_700), (40, 1, 1)] {
            assert!(!tiles.offers(place), "{place:?}");
        }
    }
}
