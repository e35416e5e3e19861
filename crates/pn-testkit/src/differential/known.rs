//! The differences between the proxy and the oracle that are wanted, each with its reason.

use super::compare::Kind;

/// A wanted difference.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub name: &'static str,
    pub section: &'static str,
    pub kind: Kind,
    pub why: &'static str,
}

impl Known {
    #[track_caller]
    pub fn of(name: &str) -> &'static Self {
        KNOWN.iter().find(|known| known.name == name).unwrap_or_else(|| panic!("{name} is not listed"))
    }
}

const fn stricter(name: &'static str, section: &'static str, why: &'static str) -> Known {
    Known { name, section, kind: Kind::Stricter, why }
}

/// All of them. A test fails for one that does not occur.
pub const KNOWN: &[Known] = &[
    stricter(
        "no-host",
        "RFC 9112 §3.2",
        "hyper leaves Host to its user; the oracle's upstream refuses the request alone",
    ),
    stricter("many-hosts", "RFC 9112 §3.2", "the same with two of them"),
    stricter("bad-host", "RFC 9112 §3.2", "and with one that is none"),
    stricter(
        "host-differs",
        "RFC 9112 §3.2.2",
        "a target of another host than Host: no honest client sends it",
    ),
    stricter("line-end", "RFC 9112 §2.2", "hyper takes LF for the end of a line"),
    stricter("empty-lines", "RFC 9112 §2.2", "hyper passes over any number of empty lines"),
    stricter("fragment", "RFC 9112 §3.2.1", "hyper cuts a fragment off"),
    stricter("target-form", "RFC 9112 §3.2.4", "hyper leaves the form of targets to its user"),
    stricter("percent", "RFC 3986 §2.1", "a path that cannot be brought into one form"),
    stricter("expectation", "RFC 9110 §10.1.1", "417 to what is not 100-continue; the oracle drops it"),
    stricter("max-forwards", "RFC 9110 §7.6.2", "the proxy answers where no hop is left"),
    stricter("chunk-extension", "RFC 9112 §7.1.1", "hyper takes control characters in chunk extensions"),
    stricter("chunk-size", "RFC 9112 §7.1", "hyper takes any number of leading zeros"),
    stricter("length-repeated", "RFC 9112 §6.3", "hyper makes equal lengths of a request one"),
    stricter("length-and-coding", "RFC 9112 §6.1", "hyper drops the length beside a coding"),
    stricter("coding", "RFC 9112 §6.1", "hyper looks at the last coding alone"),
    stricter("answer-length-and-coding", "RFC 9112 §6.3", "the same in a response"),
    stricter(
        "head-lengths-differ",
        "RFC 9110 §8.6",
        "hyper does not look at the lengths of an answer to HEAD",
    ),
    stricter("answer-coding", "RFC 9112 §6.1", "the same in a response"),
    Known {
        name: "old-without-host",
        section: "RFC 9112 §3.2",
        kind: Kind::Laxer,
        why: "HTTP/1.0 needs no Host: the upstream is sent its own, by the oracle none",
    },
    Known {
        name: "path",
        section: "RFC 3986 §6.2.2",
        kind: Kind::Target,
        why: "paths go on in the form by which routes are chosen",
    },
    Known {
        name: "trailers",
        section: "RFC 9110 §6.5",
        kind: Kind::Trailers,
        why: "hyper's client sends the trailers alone that Trailer announces",
    },
    Known {
        name: "upgrade-to-http",
        section: "RFC 9113 §3.1",
        kind: Kind::Request,
        why: "an upgrade to HTTP itself would lead past every route; the request goes on without",
    },
    Known {
        name: "old-cut",
        section: "RFC 9112 §8",
        kind: Kind::Response,
        why: "a body that ends with the connection, and breaks off, ends by RST; hyper's cannot be told from a whole one",
    },
    Known {
        name: "interim",
        section: "RFC 9110 §15.2",
        kind: Kind::Interim,
        why: "hyper's server cannot send interim responses",
    },
];
