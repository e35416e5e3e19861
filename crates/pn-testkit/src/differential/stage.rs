//! A proxy and the oracle, each with an origin of its own, and what both sides of each see of some bytes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::oracle;
use super::origin::Recorder;
use crate::http1::{RawResponse, find, parse_response};
use crate::raw::{End, RawClient};
use crate::seen::Seen;
use crate::wait::PATIENCE;

/// An answer that has not come by then does not come.
const LATE: Duration = Duration::from_secs(5);

/// Whoever asks has an address of its own, by which the upstream is told who it was: a request that the proxy gave up may
/// get there while the next is asked.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// What one proxy made of a client's bytes.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The whole requests that reached the upstream.
    pub asked: Vec<Seen>,
    /// What the client was answered, 100 Continue left out.
    pub answers: Vec<Answer>,
}

/// One response as the client had it.
#[derive(Debug, Clone)]
pub struct Answer {
    pub response: RawResponse,
    /// The upstream's, not the proxy's own.
    pub forwarded: bool,
    /// It ended before it was whole.
    pub cut: bool,
}

/// Two proxies that are asked the same.
#[derive(Debug)]
pub struct Stage {
    own: SocketAddr,
    own_origin: Recorder,
    oracle: SocketAddr,
    oracle_origin: Recorder,
}

impl Stage {
    /// `own` is in front of `origin`; the oracle is started beside it.
    pub fn new(own: SocketAddr, origin: Recorder) -> Self {
        let oracle_origin = Recorder::start();
        let oracle = oracle::start(oracle_origin.addr());
        Self { own, own_origin: origin, oracle, oracle_origin }
    }

    /// What the proxy and the oracle make of a connection that begins with these bytes, and of which no more come.
    pub fn ask(&self, bytes: &[u8]) -> (Told, Told) {
        let oracle = ask(self.oracle, &self.oracle_origin, bytes, None);
        let own = ask(self.own, &self.own_origin, bytes, Some(oracle.answers.len()));
        (own, oracle)
    }
}

/// A proxy may take a client for gone that closes its side: `wanted` answers are waited for before that is done.
fn ask(proxy: SocketAddr, origin: &Recorder, bytes: &[u8], wanted: Option<usize>) -> Told {
    let own = source();
    let mut client = RawClient::connect_from(own, proxy);
    client.send(bytes);
    let mut found = Vec::new();
    while wanted.is_some_and(|wanted| finals(&found) < wanted)
        && let Some(answer) = client.take_within(LATE, |bytes| first(bytes, false))
    {
        found.extend(answer);
    }
    let (end, came) = client.close_write().end_within(PATIENCE);
    assert_ne!(end, End::Open, "{proxy} never closes after {:?}", bytes.escape_ascii().to_string());
    found.extend(answers(&came));
    if end == End::Reset
        && let Some(last) = found.last_mut()
    {
        last.cut = true;
    }
    let mut asked = origin.take();
    // The oracle gives up nothing, and says nothing of who asked.
    asked.retain(|seen| wanted.is_none() || seen.header("x-forwarded-for") == [own.to_string()]);
    Told { asked, answers: found }
}

/// The next address of 127.1.0.0/16.
fn source() -> IpAddr {
    let [.., high, low] = ASKED.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(127, 1, high, low).into()
}

fn finals(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| !answer.is_interim()).count()
}

impl Answer {
    /// In front of another one.
    pub(super) fn is_interim(&self) -> bool {
        self.response.status < 200 && self.response.status != 101
    }
}

/// The answer at the front, and how many bytes it takes. `None` for one that nobody looks at.
fn first(bytes: &[u8], at_end: bool) -> Option<(Option<Answer>, usize)> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let forwarded = head.contains("\r\nx-origin:") || head.starts_with("http/1.1 10");
    let whole = parse_response(bytes, is_to_head(&bytes[..end]), at_end);
    let cut = whole.is_none();
    if cut && !at_end {
        return None;
    }
    let (mut response, mut taken) = whole.or_else(|| parse_response(&bytes[..end + 4], true, true))?;
    if cut || response.status == 101 {
        if !at_end {
            return None;
        }
        response.body = bytes[taken..].to_vec();
        taken = bytes.len();
    }
    let told = response.status != 100;
    Some((told.then_some(Answer { response, forwarded, cut }), taken))
}

/// Whether the upstream says that it was asked HEAD.
fn is_to_head(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).into_owned();
    let mut fields = text.split("\r\n").filter_map(|line| line.split_once(": "));
    fields.any(|(name, value)| name.eq_ignore_ascii_case("x-origin") && value == "HEAD")
}

fn answers(mut bytes: &[u8]) -> Vec<Answer> {
    let mut found = Vec::new();
    while let Some((answer, taken)) = first(bytes, true) {
        found.extend(answer);
        bytes = &bytes[taken..];
    }
    assert!(bytes.is_empty(), "half a head: {:?}", String::from_utf8_lossy(bytes));
    found
}
