//! Requests that nobody means well, many of them: heads, bodies, encodings and tokens that were right once and were then changed at
//! random. Every one has an answer, none is 5xx, and memory doesn't grow.
//!
//! `YIPING_FUZZ_REQUESTS` says how many (4,000 otherwise), `YIPING_FUZZ_SEED` which.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use yiping_event::Stream;
use yiping_gateway::Right;

use crate::fixture::*;

const SENDERS: u64 = 8;
/// A run of fewer says nothing about growth.
const TELLING: u64 = 100_000;
/// What a process may grow by after a tenth of a long run: allocators keep some.
const GROWTH: u64 = 64 << 20;

#[test]
fn no_request_breaks_the_gateway_or_makes_it_grow() {
    let number = |name: &str, other: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(other);
    let (requests, seed) = (number("YIPING_FUZZ_REQUESTS", 4_000), number("YIPING_FUZZ_SEED", 20_261_123));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let gateway = Arc::new(runtime.block_on(Fixture::start()));
    gateway.log.forget();
    let tokens = [
        gateway.token("all", &Stream::ALL),
        gateway.token_for("replay", &Stream::ALL, &["*"], &[Right::SetReceived]),
        gateway.token_for("one", &[Stream::Parking], &["/lots*"], &[]),
    ];
    let words = Arc::new(Words { tokens, bodies: bodies() });
    let done = Arc::new(AtomicU64::new(0));
    let senders = (0..SENDERS).map(|sender| {
        let (gateway, words, done) = (gateway.clone(), words.clone(), done.clone());
        runtime.spawn(async move {
            let mut chance = Chance(seed.wrapping_mul(SENDERS) + sender);
            let mut answers: BTreeMap<u16, u64> = BTreeMap::new();
            let mut socket = None;
            for _ in 0..requests / SENDERS {
                let request = words.request(&mut chance);
                let status = exchange(&mut socket, gateway.base.trim_start_matches("http://"), &request).await;
                assert!(
                    (200..500).contains(&status),
                    "{status} with seed {seed} to\n{}",
                    String::from_utf8_lossy(&request[..request.len().min(2_000)])
                );
                *answers.entry(status).or_default() += 1;
                done.fetch_add(1, Ordering::Relaxed);
            }
            answers
        })
    });
    let senders: Vec<_> = senders.collect();
    let mut early = None;
    let answers = runtime.block_on(async {
        let mut all: BTreeMap<u16, u64> = BTreeMap::new();
        let mut joined = futures::future::join_all(senders);
        loop {
            match timeout(Duration::from_millis(100), &mut joined).await {
                Ok(ended) => {
                    for (status, count) in ended.into_iter().flat_map(Result::unwrap) {
                        *all.entry(status).or_default() += count;
                    }
                    return all;
                }
                Err(_) if early.is_none() && done.load(Ordering::Relaxed) >= requests / 10 => early = Some(resident()),
                Err(_) => {}
            }
        }
    });
    let (early, late) = (early.unwrap_or_else(resident), resident());
    eprintln!(
        "{requests} requests, seed {seed}: {answers:?}; {} MB after a tenth, {} MB at the end",
        early >> 20,
        late >> 20
    );
    assert!(requests < TELLING || late < early + GROWTH, "it grew");
    for status in [200, 202, 400, 401, 404, 405, 415, 422] {
        assert!(answers.contains_key(&status), "{status} never came: the requests don't get far");
    }
    let honest = gateway.post(&words.tokens[0], ONE, position("a").to_string());
    assert_eq!(runtime.block_on(honest.send()).unwrap().status(), 202);
    assert_eq!(gateway.metrics.gateway.in_flight_bytes.get(), 0);
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Sends a request and reads its answer's status; 0: there was none.
async fn exchange(socket: &mut Option<TcpStream>, address: &str, request: &[u8]) -> u16 {
    for fresh in [false, true] {
        if fresh || socket.is_none() {
            *socket = Some(TcpStream::connect(address).await.unwrap());
        }
        let Some(open) = socket.as_mut() else { return 0 };
        let answered = timeout(Duration::from_secs(60), async {
            // (the gateway may answer, and hang up, before all is written)
            let written = open.write_all(request).await.is_ok();
            answer(open).await.map(|(status, keeps)| (status, keeps && written))
        });
        match answered.await.expect("no answer within a minute") {
            Some((status, keeps)) => {
                if !keeps {
                    *socket = None;
                }
                return status;
            }
            // one that was kept may have been closed in the meantime
            None => *socket = None,
        }
    }
    0
}

/// The status of the next answer, and whether the connection goes on behind it.
async fn answer(socket: &mut TcpStream) -> Option<(u16, bool)> {
    let mut said = Vec::new();
    let end = loop {
        if let Some(at) = said.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut said).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(said[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    if status == 100 {
        return Box::pin(answer(socket)).await;
    }
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.trim().parse().ok())?;
    while said.len() < end + length {
        if socket.read_buf(&mut said).await.ok()? == 0 {
            return Some((status, false));
        }
    }
    // more than the answer: what was sent were several requests
    Some((status, !head.contains("connection: close") && said.len() == end + length))
}

/// Bodies as they should be.
fn bodies() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/events/examples");
    for kind in std::fs::read_dir(examples).unwrap() {
        for file in std::fs::read_dir(kind.unwrap().path()).unwrap() {
            let event: serde_json::Value =
                serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            all.push(event.to_string().into_bytes());
        }
    }
    all.sort();
    let several: Vec<_> = all.iter().take(5).map(|body| String::from_utf8(body.clone()).unwrap()).collect();
    all.push(several.join("\n").into_bytes());
    all.push(format!("[{}]", several.join(",")).into_bytes());
    all.push("车场,时间,泊位,占用,状态\n东门,2026-11-20 18:00:00,120,87,正常\n".as_bytes().to_vec());
    all.push(b"\xb3\xb5\xb3\xa1,\xca\xb1\xbc\xe4\n\xb6\xab\xc3\xc5,2026-11-20 18:00:00\n".to_vec());
    all.push(Vec::new());
    all
}

/// A sequence of chances that a seed repeats (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// One time in `of`.
    fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn of<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len())]
    }
}

struct Words {
    tokens: [String; 3],
    bodies: Vec<Vec<u8>>,
}

impl Words {
    fn request(&self, chance: &mut Chance) -> Vec<u8> {
        let mut body = chance.of(&self.bodies).clone();
        if !chance.once_in(6) {
            for _ in 0..=chance.below(5) {
                self.change(&mut body, chance);
            }
        }
        let encoding = *chance.of(&["", "", "", "identity", "gzip", "zstd", "br", "gzip, gzip"]);
        if encoding == "gzip" && !chance.once_in(8) {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(&body).unwrap();
            body = packer.finish().unwrap();
        } else if encoding == "zstd" && !chance.once_in(8) {
            body = zstd::encode_all(&*body, 1).unwrap();
        }
        if !encoding.is_empty() && chance.once_in(8) {
            self.change(&mut body, chance);
        }
        let method = *chance.of(&["POST", "POST", "POST", "POST", "POST", "POST", "GET", "PUT", "HEAD2", "OPTIONS"]);
        let path = *chance.of(&[
            "/v1/events",
            "/v1/events",
            "/v1/events",
            "/v1/events",
            "/v1/feeds/lots",
            "/v1/feeds/lots",
            "/v1/feeds/x",
            "/v1/streams",
            "/v1/rejects",
            "/v1/feeds/%ff%00",
            "/v1/feeds/../events",
            "/",
            "//v1/events",
            "*",
        ]);
        let query = *chance.of(&[
            "",
            "",
            "",
            "?dry_run=true",
            "?dry_run=false",
            "?dry_run=%00",
            "?limit=0",
            "?limit=-1",
            "?limit=99999999999999999999",
            "?&&=&",
            "?%",
        ]);
        let kind = *chance.of(&[ONE, ONE, ONE, LINES, LINES, ARRAY, "application/json", "text/plain; charset=\"", ""]);
        let mut head = format!("{method} {path}{query} HTTP/1.1\r\nhost: x\r\n");
        if !kind.is_empty() {
            let _ = write!(head, "content-type: {kind}\r\n");
        }
        if !encoding.is_empty() {
            let _ = write!(head, "content-encoding: {encoding}\r\n");
        }
        let token = chance.of(&self.tokens);
        match chance.below(12) {
            0 => {}
            1 => head.push_str("authorization: Bearer yp_nobody\r\n"),
            2 => head.push_str("authorization: Basic YTpi\r\n"),
            _ => {
                let _ = write!(head, "authorization: Bearer {token}\r\n");
            }
        }
        let mut request = if chance.once_in(5) {
            // in pieces
            let mut chunks = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
            for piece in body.chunks(1 + chance.below(500)) {
                chunks.extend(format!("{:x}\r\n", piece.len()).bytes());
                chunks.extend(piece);
                chunks.extend(b"\r\n");
            }
            chunks.extend(b"0\r\n\r\n");
            chunks
        } else {
            [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
        };
        if chance.once_in(25) {
            // a head that is none: cut short by an end, so that nobody waits for the rest
            let at = chance.below(head.len());
            request[at] = chance.next() as u8;
            let end = head.len().min(request.len());
            request.truncate(end);
            request.extend(b"\r\n\r\n");
        }
        request
    }

    /// Changes a text somewhere.
    fn change(&self, text: &mut Vec<u8>, chance: &mut Chance) {
        const PIECES: [&str; 22] = [
            "[",
            "{",
            "\"",
            "\\",
            "\n",
            "\r\n",
            ",",
            "null",
            "-1",
            "1e999",
            "18446744073709551616",
            "0.1",
            "\u{0}",
            "\u{feff}",
            "\\ud800",
            "\\u0000",
            "鲁K12345",
            "13800138000",
            "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
            "\"a\":",
            "2099-12-31T23:59:59.999999999+23:59",
            "\u{10ffff}",
        ];
        let at = chance.below(text.len() + 1);
        let to = (at + chance.below(40)).min(text.len());
        match chance.below(7) {
            0 if at < text.len() => text[at] ^= 1 << chance.below(8),
            1 => drop(text.drain(at..to)),
            2 => {
                let again = text[at..to].to_vec();
                text.splice(at..at, again);
            }
            3 => {
                let other = chance.of(&self.bodies);
                let from = chance.below(other.len() + 1);
                let until = (from + chance.below(200)).min(other.len());
                text.splice(at..to, other[from..until].iter().copied());
            }
            4 => {
                let piece = chance.of(&PIECES).repeat(if chance.once_in(10) { 1_000 } else { 1 });
                text.splice(at..at, piece.bytes());
            }
            5 => text.truncate(at),
            _ => {
                let piece = chance.of(&PIECES);
                text.splice(at..to, piece.bytes());
            }
        }
    }
}
