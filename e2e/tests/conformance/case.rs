//! A case: one section of an RFC, one behaviour, and the steps that show it.

use std::io;
use std::sync::Arc;

use pn_testkit::Wire;
use proxy_now_e2e::read_request;

use crate::play::Play;

pub(crate) type Step = Box<dyn Fn(&mut Play<'_>) + Send + Sync>;
type Script = Arc<dyn Fn(&mut Wire) -> io::Result<()> + Send + Sync>;

/// Its site is `ID.test` and everything below, with an origin of its own, so that cases do not see each other.
///
/// In what a client sends and in the keys of the site, `{host}` stands for the site, `{id}` for the case and `{origin}`
/// for the address of its origin.
pub(crate) struct Case {
    pub(crate) id: &'static str,
    /// `RFC 9112 §6.3`
    pub(crate) section: &'static str,
    /// A sentence; with the section it is unique.
    pub(crate) behaviour: &'static str,
    /// Where the client connects, as `stage` names it.
    pub(crate) listener: &'static str,
    /// The site's own keys, and after them any tables.
    pub(crate) site: &'static str,
    pub(crate) script: Script,
    pub(crate) steps: Vec<Step>,
}

/// A case whose origin answers every request with 200 and `ok`.
pub(crate) fn case(id: &'static str, section: &'static str, behaviour: &'static str) -> Case {
    let site = "to = \"http://{origin}\"";
    Case { id, section, behaviour, listener: "web", site, script: Arc::new(honest), steps: Vec::new() }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const OK_TO_HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
/// What an honest client of the case asks.
pub(crate) const GET: &str = "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n";

pub(crate) fn honest(wire: &mut Wire) -> io::Result<()> {
    loop {
        let seen = read_request(wire)?;
        wire.send(if seen.method() == "HEAD" { OK_TO_HEAD } else { OK })?;
    }
}

/// Where a request comes from and what it meets.
impl Case {
    pub(crate) fn listener(mut self, name: &'static str) -> Self {
        self.listener = name;
        self
    }

    pub(crate) fn site(mut self, keys: &'static str) -> Self {
        self.site = keys;
        self
    }

    /// What the origin does with each connection.
    pub(crate) fn origin(
        mut self,
        script: impl Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.script = Arc::new(script);
        self
    }

    /// The origin answers each request with these bytes.
    pub(crate) fn answers(self, bytes: &'static [u8]) -> Self {
        self.origin(move |wire| {
            loop {
                read_request(wire)?;
                wire.send(bytes)?;
            }
        })
    }

    /// The origin answers the first request of each connection with these bytes and closes.
    pub(crate) fn answers_and_closes(self, bytes: &'static [u8]) -> Self {
        self.origin(move |wire| {
            read_request(wire)?;
            wire.send(bytes)
        })
    }

    pub(crate) fn step(mut self, step: impl Fn(&mut Play<'_>) + Send + Sync + 'static) -> Self {
        self.steps.push(Box::new(step));
        self
    }
}

/// What a client of HTTP/1 does and meets.
impl Case {
    pub(crate) fn send(self, bytes: &'static (impl AsRef<[u8]> + ?Sized + Sync)) -> Self {
        self.step(move |play| play.send(bytes.as_ref()))
    }

    pub(crate) fn get(self) -> Self {
        self.send(GET)
    }

    /// The next response has this status.
    pub(crate) fn gets(self, status: u16) -> Self {
        self.step(move |play| {
            let response = play.client().response();
            play.answered(response, &[status]);
        })
    }

    /// The next response has one of these: the RFC leaves the choice, and so do we.
    pub(crate) fn gets_one_of(self, statuses: &'static [u16]) -> Self {
        self.step(move |play| {
            let response = play.client().response();
            play.answered(response, statuses);
        })
    }

    /// The next response, to a HEAD request.
    pub(crate) fn gets_to_head(self, status: u16) -> Self {
        self.step(move |play| {
            let response = play.client().response_to_head();
            play.answered(response, &[status]);
        })
    }

    /// The last response has a field of this name with this value.
    pub(crate) fn field(self, name: &'static str, value: &'static str) -> Self {
        self.step(move |play| {
            let value = play.fill_text(value);
            let all = play.last().headers_of(name);
            assert!(all.contains(&&*value), "{name}: {value} is not in {:?}", play.last());
        })
    }

    /// The last response has no field of this name.
    pub(crate) fn without(self, name: &'static str) -> Self {
        self.step(move |play| {
            assert!(play.last().headers_of(name).is_empty(), "{name} is in {:?}", play.last());
        })
    }

    pub(crate) fn body(self, text: &'static str) -> Self {
        self.step(move |play| assert_eq!(play.last().text(), text, "{:?}", play.last()))
    }

    /// The next bytes are these.
    pub(crate) fn reads(self, bytes: &'static (impl AsRef<[u8]> + ?Sized + Sync)) -> Self {
        self.step(move |play| {
            let bytes = bytes.as_ref();
            let came = play.client().read(bytes.len());
            assert_eq!(came, bytes, "{:?}", String::from_utf8_lossy(&came));
        })
    }

    /// The connection is closed, and nothing more came.
    pub(crate) fn closed(self) -> Self {
        self.step(|play| play.client().expect_closed())
    }

    /// The connection goes on: the next thing on it is the answer to the next request.
    pub(crate) fn kept(self) -> Self {
        self.step(|play| play.probe())
    }

    /// A response of this status begins, and the connection ends before it is complete.
    pub(crate) fn cut(self, status: u16) -> Self {
        self.step(move |play| play.cut_off(status))
    }

    /// What the client sent is refused: a status, the end of the connection, and nothing of it goes on.
    pub(crate) fn refused(self, status: u16) -> Self {
        self.gets(status).closed().upstream(0)
    }
}

/// What the origin saw.
impl Case {
    /// So many whole requests came, well-formed, and not a byte beside them.
    pub(crate) fn upstream(self, count: usize) -> Self {
        self.step(move |play| play.upstream(count))
    }

    /// No whole request came, whatever was begun.
    pub(crate) fn nothing_whole(self) -> Self {
        self.step(|play| {
            let seen = play.seen().unwrap_or_default();
            assert!(seen.is_empty(), "{seen:#?}");
        })
    }

    /// This came, in any case of letters.
    pub(crate) fn sees(self, text: &'static str) -> Self {
        self.step(move |play| {
            let (text, seen) = (play.fill_text(text).to_lowercase(), play.seen_text());
            assert!(seen.contains(&text), "{text:?} is not in {seen:?}");
        })
    }

    /// This did not.
    pub(crate) fn never(self, text: &'static str) -> Self {
        self.step(move |play| {
            let (text, seen) = (play.fill_text(text).to_lowercase(), play.seen_text());
            assert!(!seen.contains(&text), "{text:?} is in {seen:?}");
        })
    }

    pub(crate) fn upstream_connections(self, count: usize) -> Self {
        self.step(move |play| assert_eq!(play.origin.connections(), count))
    }
}
