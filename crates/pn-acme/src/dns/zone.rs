//! Which zone a name is in, as one name server sees it (RFC 1034 section 4.2).

use std::net::SocketAddr;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};

use super::error::DnsError;
use super::exchange::ask;

/// The first answer names the zone, even where it denies the name. Only a server that refuses names of other zones is
/// asked label by label; a name has 127 labels at most and hardly ever 16.
const STEPS: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) apex: Name,
    /// Who said so.
    pub(super) server: SocketAddr,
    /// Whether that server has the zone itself.
    pub(super) authoritative: bool,
}

/// `None`: the server knows no zone that has the name. The root is none: it stands for names that exist nowhere.
pub(super) async fn zone_at(
    server: SocketAddr,
    name: &Name,
    recursion: bool,
) -> Result<Option<Zone>, DnsError> {
    let (mut at, mut failing) = (name.clone(), None);
    for _ in 0..STEPS {
        if at.is_root() {
            break;
        }
        let answer = ask(server, &at, RecordType::SOA, recursion).await?;
        if let Some(apex) = apex_in(&answer, name) {
            return Ok(Some(Zone { apex, server, authoritative: answer.authoritative }));
        }
        failing = failing.or_else(|| Some(answer.response_code).filter(|code| !denies(*code)));
        at = at.base_name();
    }
    match failing {
        Some(code) => {
            let (code, what) = (code_name(code), format!("the zone of {}", name.to_ascii()));
            Err(DnsError::Failing { server, code, what })
        }
        None => Ok(None),
    }
}

/// A name of a configuration or a challenge, absolute and in lower case.
pub(super) fn absolute(name: &str) -> Result<Name, DnsError> {
    let mut parsed = Name::from_ascii(name).map_err(|error| DnsError::name(name, &error))?;
    parsed.set_fqdn(true);
    Ok(parsed.to_lowercase())
}

/// Whether a server answered at all: it has the name, or it denies it.
pub(super) fn is_answer(message: &Message) -> bool {
    matches!(message.response_code, ResponseCode::NoError | ResponseCode::NXDomain)
}

/// Whether it says by this that it has no such zone.
fn denies(code: ResponseCode) -> bool {
    use ResponseCode::{NXDomain, NoError, NotAuth, Refused};
    matches!(code, NoError | NXDomain | Refused | NotAuth)
}

/// As BIND and `dig` write it (RFC 6895 section 2.3).
pub(super) fn code_name(code: ResponseCode) -> String {
    let name = match code {
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::NotAuth => "NOTAUTH",
        other => return format!("\"{other}\""),
    };
    name.to_owned()
}

fn apex_in(answer: &Message, name: &Name) -> Option<Name> {
    let records = answer.answers.iter().chain(&answer.authorities);
    let mut apexes = records.filter(|each| matches!(each.data, RData::SOA(_))).map(|each| &each.name);
    let found = apexes.find(|apex| is_answer(answer) && !apex.is_root() && apex.zone_of(name));
    found.map(Name::to_lowercase)
}
