//! The DNS challenges against a real BIND, a real program and a real HTTP service.

mod hooks;
mod hostile;
mod solving;
mod updates;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::RecordType;
use pn_model::Secret;
use pn_model::acme::{ChallengeKind, Propagation, Tsig, TsigAlgorithm};
use pn_testkit::Named;

use super::exchange::ask;
use super::journal::Journal;
use super::lookup::Lookup;
use super::zone::absolute;
use super::{DnsPresenter, DnsSolver, Rfc2136, TxtRecord};
use crate::acme::{Challenge, Identifier};
use crate::storage::{MemoryStore, Storage};

const ZONE: &str = "test.example";
const NOW: crate::Time = 1_700_000_000;

fn tsig() -> Tsig {
    Tsig {
        name: Named::KEY.to_owned(),
        algorithm: TsigAlgorithm::HmacSha256,
        secret: Secret::new(Named::SECRET),
    }
}

fn rfc2136(server: SocketAddr) -> Rfc2136 {
    Rfc2136::new(&server.to_string(), Some(&tsig())).unwrap()
}

fn record(fqdn: &str, value: &str) -> TxtRecord {
    TxtRecord { fqdn: fqdn.to_owned(), value: value.to_owned(), ttl: Duration::from_secs(5), raw: None }
}

fn challenge(name: &str, token: &str) -> Challenge {
    Challenge {
        kind: ChallengeKind::Dns01,
        identifier: Identifier::Dns(name.trim_start_matches("*.").to_owned()),
        wildcard: name.starts_with("*."),
        token: token.to_owned(),
        key_authorization: format!("{token}.thumbprint"),
        account_uri: "https://ca.example/acct/123".to_owned(),
        issuer_domains: vec!["ca.example".to_owned()],
    }
}

/// Short pauses; a test that waits for nothing to happen waits for half a second.
fn quick() -> Propagation {
    Propagation {
        check: true,
        timeout: Duration::from_millis(500),
        interval: Duration::from_millis(20),
        resolvers: Vec::new(),
    }
}

/// Asks the primary for all; no resolver of the system is ever asked.
fn lookup(primary: SocketAddr) -> Lookup {
    Lookup { resolvers_testify: true, ..Lookup::new(&[primary.to_string()], Some(&primary.to_string())) }
}

fn store() -> Arc<dyn Storage> {
    Arc::new(MemoryStore::new("node", Arc::new(|| NOW)))
}

/// With a store of its own.
fn solver(presenter: impl DnsPresenter + 'static, lookup: Lookup) -> DnsSolver {
    solver_in(store(), presenter, lookup)
}

fn solver_in(storage: Arc<dyn Storage>, presenter: impl DnsPresenter + 'static, lookup: Lookup) -> DnsSolver {
    DnsSolver {
        presenter: Some(Arc::new(presenter)),
        ttl: Duration::from_secs(5),
        propagation: quick(),
        lookup,
        journal: Journal { storage, issuer: "main".to_owned() },
    }
}

/// The values at a name, sorted.
async fn txt(server: SocketAddr, fqdn: &str) -> Vec<String> {
    let answer = ask(server, &absolute(fqdn).unwrap(), RecordType::TXT, false).await.unwrap();
    let mut values: Vec<String> =
        answer.answers.iter().map(|record| record.data.to_string().replace('"', "")).collect();
    values.sort();
    values
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}
