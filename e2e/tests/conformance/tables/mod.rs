//! The tables, in the order in which they are listed, and the rows that most of them are made of.

mod chunks;
mod expectations;
mod fields;
mod forwarded;
mod h2_floods;
mod h2_frames;
mod h2_malformed;
mod h2_requests;
mod h2_streams;
mod h2_upstreams;
mod host;
mod interim;
mod lengths;
mod paths;
mod persistence;
mod request_line;
mod semantics;
mod slow;
mod tls;
mod upgrades;
mod upstream;
mod websocket_h2;

use crate::case::{Case, case};

pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) cases: fn() -> Vec<Case>,
}

pub(crate) const TABLES: &[Table] = &[
    Table { title: "Request line and target", cases: request_line::cases },
    Table { title: "Host", cases: host::cases },
    Table { title: "Fields", cases: fields::cases },
    Table { title: "Paths", cases: paths::cases },
    Table { title: "Content-Length and Transfer-Encoding", cases: lengths::cases },
    Table { title: "Chunked bodies and trailers", cases: chunks::cases },
    Table { title: "Connections", cases: persistence::cases },
    Table { title: "Expect", cases: expectations::cases },
    Table { title: "Semantics", cases: semantics::cases },
    Table { title: "Upgrades and WebSocket", cases: upgrades::cases },
    Table { title: "Upstreams of HTTP/1", cases: upstream::cases },
    Table { title: "Interim responses", cases: interim::cases },
    Table { title: "What clients claim, and the PROXY protocol", cases: forwarded::cases },
    Table { title: "Frames of HTTP/2", cases: h2_frames::cases },
    Table { title: "Streams of HTTP/2", cases: h2_streams::cases },
    Table { title: "Malformed requests over HTTP/2", cases: h2_malformed::cases },
    Table { title: "Requests over HTTP/2", cases: h2_requests::cases },
    Table { title: "Floods over HTTP/2", cases: h2_floods::cases },
    Table { title: "WebSocket over HTTP/2", cases: websocket_h2::cases },
    Table { title: "Upstreams of HTTP/2", cases: h2_upstreams::cases },
    Table { title: "TLS", cases: tls::cases },
    Table { title: "Slow clients and limits", cases: slow::cases },
];

/// id, section, behaviour, bytes, status: refused with that status, the connection closed, nothing sent upstream.
pub(crate) struct Refused(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static [u8],
    pub(crate) u16,
);

/// id, section, behaviour, bytes, what the origin sees and what it does not: one request goes upstream, is answered
/// with 200, and the connection goes on.
pub(crate) struct Passed(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static [u8],
    pub(crate) &'static [&'static str],
    pub(crate) &'static [&'static str],
);

impl From<&Refused> for Case {
    fn from(&Refused(id, section, behaviour, bytes, status): &Refused) -> Self {
        case(id, section, behaviour).step(move |play| play.send(bytes)).refused(status)
    }
}

impl From<&Passed> for Case {
    fn from(&Passed(id, section, behaviour, bytes, seen, unseen): &Passed) -> Self {
        let sent =
            case(id, section, behaviour).step(move |play| play.send(bytes)).gets(200).kept().upstream(1);
        let sees = seen.iter().fold(sent, |case, text| case.sees(text));
        unseen.iter().fold(sees, |case, text| case.never(text))
    }
}

pub(crate) fn rows<'a, R: 'a>(rows: &'a [R]) -> Vec<Case>
where
    Case: From<&'a R>,
{
    rows.iter().map(Case::from).collect()
}
