//! What can go wrong between a challenge and the zone it is answered in. Each error names the place and the remedy.

use std::net::SocketAddr;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    #[error("`{name}` is no domain name: {reason}")]
    Name { name: String, reason: String },
    #[error("{0}")]
    Settings(String),
    /// What is to be removed later could not be noted or looked up.
    #[error("{0}")]
    Storage(String),
    #[error(
        "the name server {server} does not answer: {reason}; check its address and that port 53 is open to it"
    )]
    Unreachable { server: SocketAddr, reason: String },
    #[error("the name server {server} answers {code} when it is asked for {what}; its log says why")]
    Failing { server: SocketAddr, code: String, what: String },
    #[error("no address is known of the name server `{server}`: {reason}")]
    Unresolved { server: String, reason: String },
    #[error("the name server {server} refuses to {action} the TXT record at {fqdn}: {reason}")]
    Update { server: SocketAddr, action: &'static str, fqdn: String, reason: String },
    #[error("{fqdn} is an alias that leads to itself by {through}; remove one of these CNAME records")]
    Loop { fqdn: String, through: String },
    #[error("{fqdn} leads through more than {most} CNAME records; let it lead to the record's name directly")]
    TooManyAliases { fqdn: String, most: usize },
    /// A program or service of the operator's.
    #[error("`{provider}` could not {action} the TXT record at {fqdn}: {reason}")]
    Provider { provider: String, action: &'static str, fqdn: String, reason: String },
    #[error(
        "the TXT record at {fqdn} has not appeared after {}: {seen}; if the zone takes longer, raise \
         `propagation.timeout`; if these servers cannot be asked from here, name others in `propagation.resolvers`",
        seconds(*.waited)
    )]
    NotPropagated { fqdn: String, waited: Duration, seen: String },
    #[error(
        "the TXT records of this order are not all {what} after {}: the provider is too slow; what there is of them \
         goes with a later order",
        seconds(*.waited)
    )]
    Slow { what: &'static str, waited: Duration },
    /// `record` is a line for a zone file.
    #[error("{problem}; make this record once, and the CA will need nothing more: {record}")]
    Persist { problem: String, record: String },
}

impl DnsError {
    pub(super) fn name(name: &str, reason: &impl ToString) -> Self {
        Self::Name { name: name.to_owned(), reason: reason.to_string() }
    }
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs())
}
