//! Which certificates a configuration asks of ACME issuers.

use super::{Held, Throttle, Time};
use crate::storage::certificate_id;
use pn_model::acme::AcmeIssuer;
use pn_model::site::CertificateSource;
use pn_model::tls::IssuerKind;
use pn_model::{HostPattern, IssuerName, Model};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Which certificate, by its names: readable, safe in a path, the same on every node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateId(Arc<str>);

impl CertificateId {
    /// Order and repetition of names make no difference.
    pub fn of(names: &[String]) -> Self {
        Self(certificate_id(names).into())
    }

    /// As it was shown or stored before.
    pub fn from_stored(id: &str) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One certificate that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    pub id: CertificateId,
    /// Hosts, `*.host` and addresses; sorted, each once, never empty.
    pub names: Vec<String>,
    /// A client brought its name: it is kept only for as long as clients come.
    pub on_demand: bool,
    /// Who to ask: the site's issuer, then its fallbacks. Never empty.
    pub issuers: Vec<Source>,
}

/// An issuer as far as the schedule is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub issuer: IssuerName,
    pub directory: String,
    /// Where it is tried after a failure.
    pub staging: Option<String>,
    pub throttle: Throttle,
}

impl Demand {
    pub fn new(mut names: Vec<String>, issuers: Vec<Source>) -> Self {
        names.sort_unstable();
        names.dedup();
        Self { id: CertificateId::of(&names), names, on_demand: false, issuers }
    }

    /// The issuers to ask at present. While a good certificate is held for long, the first alone: its bad day is no
    /// reason to change the CA.
    pub(super) fn usable(&self, held: Option<&Held>, now: Time) -> &[Source] {
        match held {
            Some(held) if !held.is_pressing(now) => self.issuers.get(..1).unwrap_or_default(),
            _ => &self.issuers,
        }
    }
}

/// Names of one certificate, so that it does not grow beyond what CAs take (Let's Encrypt: 100).
const NAMES: usize = 100;

/// The certificates that a model's sites want of ACME issuers: one a site, or one for all sites of a `san-group`. A host
/// that a wildcard of the same issuer covers has none of its own. Hosts under `**.host` and `*` are certified when a
/// client asks.
pub fn demands(model: &Model) -> Vec<Demand> {
    let mut groups: BTreeMap<(&IssuerName, String), BTreeSet<String>> = BTreeMap::new();
    for site in model.sites.values() {
        let CertificateSource::Issuer(issuer) = &site.certificate else { continue };
        // A site's name begins with no dot, so a group cannot be taken for one.
        let group = match site.san_group.is_empty() {
            true => site.name.to_string(),
            false => format!(".{}", site.san_group),
        };
        let names = site.hosts.iter().filter_map(certifiable);
        groups.entry((issuer, group)).or_default().extend(names);
    }
    let wildcards = wildcards(&groups);
    let mut demands = BTreeMap::new();
    for ((issuer, _), names) in &groups {
        let Some(sources) = sources(model, issuer) else { continue };
        let own = |name: &&String| !is_covered(name, wildcards.get(issuer));
        let names: Vec<String> = names.iter().filter(own).cloned().collect();
        for names in names.chunks(NAMES) {
            let demand = Demand::new(names.to_vec(), sources.clone());
            demands.insert(demand.id.clone(), demand);
        }
    }
    demands.into_values().collect()
}

/// What there is an issuer of ACME for, and its fallbacks.
pub(super) fn sources(model: &Model, issuer: &IssuerName) -> Option<Vec<Source>> {
    let first = acme(model, issuer)?;
    let mut sources = vec![source(issuer, first)];
    for fallback in &first.fallback {
        let Some(next) = acme(model, fallback) else { continue };
        if sources.iter().all(|known| known.directory != next.directory) {
            sources.push(source(fallback, next));
        }
    }
    Some(sources)
}

fn source(name: &IssuerName, issuer: &AcmeIssuer) -> Source {
    Source {
        issuer: name.clone(),
        directory: issuer.directory.clone(),
        staging: issuer.staging.clone(),
        throttle: Throttle::new(issuer.throttle.orders, issuer.throttle.per),
    }
}

pub(super) fn acme<'a>(model: &'a Model, issuer: &IssuerName) -> Option<&'a AcmeIssuer> {
    match &model.issuers.get(issuer)?.kind {
        IssuerKind::Acme(acme) => Some(acme),
        IssuerKind::InternalCa { .. } => None,
    }
}

fn certifiable(host: &HostPattern) -> Option<String> {
    match host {
        HostPattern::Exact(_) | HostPattern::OneLabel(_) => Some(host.to_string()),
        HostPattern::AnyDepth(_) | HostPattern::Any => None,
    }
}

/// What comes after `*.` in names of each issuer's certificates.
fn wildcards<'a>(
    groups: &'a BTreeMap<(&'a IssuerName, String), BTreeSet<String>>,
) -> BTreeMap<&'a IssuerName, BTreeSet<&'a str>> {
    let mut all: BTreeMap<&IssuerName, BTreeSet<&str>> = BTreeMap::new();
    for ((issuer, _), names) in groups {
        all.entry(issuer).or_default().extend(names.iter().filter_map(|name| name.strip_prefix("*.")));
    }
    all
}

fn is_covered(name: &str, wildcards: Option<&BTreeSet<&str>>) -> bool {
    let parent = name.split_once('.').filter(|(label, _)| *label != "*").map(|(_, parent)| parent);
    let is_address = name.parse::<IpAddr>().is_ok();
    !is_address && parent.zip(wildcards).is_some_and(|(parent, wildcards)| wildcards.contains(parent))
}
