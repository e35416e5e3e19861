//! Which issuers obtain certificates for names that only clients know, for which names, and who is asked before.

use super::demand::{acme, sources};
use super::{Demand, Source};
use pn_model::acme::DIRECTORIES;
use pn_model::is_local_host;
use pn_model::site::CertificateSource;
use pn_model::{HostPattern, IssuerName, Model};
use std::collections::{BTreeMap, BTreeSet};

/// One issuer, as far as names are concerned that sites do not name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIssuer {
    pub issuer: IssuerName,
    /// Who is asked for the certificates: the issuer, then its fallbacks.
    pub sources: Vec<Source>,
    /// `*` and `**.host` of its sites.
    pub hosts: Vec<HostPattern>,
    /// Hosts that have a site of their own, whatever it says of TLS.
    pub taken: BTreeSet<String>,
    pub ask: Option<String>,
    pub allow: Vec<HostPattern>,
}

/// The issuers of a model whose sites have `*` or `**.host`, and that certify on demand.
pub fn open_issuers(model: &Model) -> BTreeMap<IssuerName, OpenIssuer> {
    let mut open: BTreeMap<IssuerName, OpenIssuer> = BTreeMap::new();
    for site in model.sites.values() {
        let CertificateSource::Issuer(issuer) = &site.certificate else { continue };
        let ended = |host: &&HostPattern| matches!(host, HostPattern::AnyDepth(_) | HostPattern::Any);
        let hosts: Vec<HostPattern> = site.hosts.iter().filter(ended).cloned().collect();
        let Some(on_demand) = acme(model, issuer).and_then(|acme| acme.on_demand.as_ref()) else { continue };
        let Some(sources) = sources(model, issuer).filter(|_| !hosts.is_empty()) else { continue };
        let one = open.entry(issuer.clone()).or_insert_with(|| OpenIssuer {
            issuer: issuer.clone(),
            sources,
            hosts: Vec::new(),
            taken: taken(model),
            ask: on_demand.ask.clone(),
            allow: on_demand.allow.clone(),
        });
        one.hosts.extend(hosts);
    }
    open
}

fn taken(model: &Model) -> BTreeSet<String> {
    let exact = |host: &HostPattern| match host {
        HostPattern::Exact(host) => Some(host.clone()),
        _ => None,
    };
    model.sites.values().flat_map(|site| &site.hosts).filter_map(exact).collect()
}

impl OpenIssuer {
    /// Whether this name could be allowed at all, so that it is worth asking. `name` is normalised.
    pub fn may_be(&self, name: &str) -> bool {
        is_host_name(name)
            && !self.taken.contains(name)
            && self.hosts.iter().any(|host| host.matches(name))
            && (self.ask.is_some() || self.allows(name))
            && !(self.is_public() && is_local_host(name))
    }

    /// Whether it is allowed without asking.
    pub fn allows(&self, name: &str) -> bool {
        self.allow.iter().any(|host| host.matches(name))
    }

    pub fn demand(&self, name: &str) -> Demand {
        Demand { on_demand: true, ..Demand::new(vec![name.to_owned()], self.sources.clone()) }
    }

    /// No public CA certifies local names.
    fn is_public(&self) -> bool {
        let known = |source: &Source| DIRECTORIES.iter().any(|known| known.url == source.directory);
        self.sources.iter().all(known)
    }
}

/// RFC 1123 section 2.1, in lower case. Not an address: no address ends in a label that begins with a letter.
fn is_host_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    name.len() <= 253
        && name.split('.').all(label)
        && last.starts_with(|first: char| first.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life::Throttle;
    use std::time::Duration;

    fn open(directory: &str, ask: bool, allow: &[HostPattern]) -> OpenIssuer {
        let throttle = Throttle::new(10, Duration::from_secs(10));
        let source = Source { issuer: "main".into(), directory: directory.into(), staging: None, throttle };
        OpenIssuer {
            issuer: "main".into(),
            sources: vec![source],
            hosts: vec![HostPattern::AnyDepth("x.example".into()), HostPattern::AnyDepth("x.lan".into())],
            taken: BTreeSet::from(["taken.x.example".to_owned()]),
            ask: ask.then(|| "http://127.0.0.1:1/".to_owned()),
            allow: allow.to_vec(),
        }
    }

    #[test]
    fn names_that_are_worth_asking_for() {
        let long = format!("{}.x.example", "a".repeat(64));
        let longest = format!("{}x.example", "a.".repeat(125));
        for (name, may_be) in [
            ("a.x.example", true),
            ("a.b.x.example", true),
            ("xn--bcher-kva.x.example", true),
            ("a.x.lan", true),
            ("x.example", false),
            ("taken.x.example", false),
            ("a.y.example", false),
            ("*.x.example", false),
            ("a_b.x.example", false),
            ("-a.x.example", false),
            ("a-.x.example", false),
            ("a..x.example", false),
            ("A.x.example", false),
            ("127.0.0.1", false),
            ("::1", false),
            ("", false),
            (&long, false),
            (&longest, false),
        ] {
            assert_eq!(open("https://ca.corp/dir", true, &[]).may_be(name), may_be, "{name}");
        }
    }

    #[test]
    fn addresses_are_no_names_anywhere() {
        let mut any = open("https://ca.corp/dir", true, &[]);
        any.hosts = vec![HostPattern::Any];
        for (name, may_be) in
            [("1.2.3.4", false), ("1.2.3.4a", false), ("a.1", false), ("::1", false), ("nas", true)]
        {
            assert_eq!(any.may_be(name), may_be, "{name}");
        }
    }

    #[test]
    fn a_list_refuses_before_anybody_is_asked_and_public_cas_certify_nothing_local() {
        let listed = [HostPattern::OneLabel("x.example".into())];
        let public = DIRECTORIES.first().unwrap().url;
        for (directory, ask, name, may_be) in [
            ("https://ca.corp/dir", false, "a.x.example", true),
            ("https://ca.corp/dir", false, "a.b.x.example", false),
            ("https://ca.corp/dir", true, "a.b.x.example", true),
            (public, true, "a.x.example", true),
            (public, true, "a.x.lan", false),
        ] {
            assert_eq!(open(directory, ask, &listed).may_be(name), may_be, "{directory} {ask} {name}");
        }
    }
}
