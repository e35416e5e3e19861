//! Which certificates a configuration asks of the internal CA.

use pn_model::acme::UntilIssued;
use pn_model::site::CertificateSource;
use pn_model::tls::IssuerKind;
use pn_model::{HostPattern, IssuerName, Model};
use std::collections::BTreeMap;
use std::time::Duration;

/// Of certificates of the built-in internal CA: short, because renewing costs nothing.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// One certificate that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    pub names: Vec<HostPattern>,
    pub lifetime: Duration,
}

/// How certificates of an issuer are made in the middle of a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MintBy {
    InternalCa(Duration),
    /// Self-signed: only to say that the real one is not there yet.
    Itself,
}

/// The certificates that a model's sites want of the internal CA: one a site, or one for all sites of a `san-group`.
pub fn demands(model: &Model) -> Vec<Demand> {
    let mut groups: BTreeMap<(String, Option<IssuerName>), Demand> = BTreeMap::new();
    for site in model.sites.values() {
        let Some((issuer, lifetime)) = issuer_of(&site.certificate, model) else { continue };
        // A site's name begins with no dot, so a group cannot be taken for one.
        let group = match site.san_group.is_empty() {
            true => site.name.to_string(),
            false => format!(".{}", site.san_group),
        };
        let demand = groups.entry((group, issuer)).or_insert_with(|| Demand { names: Vec::new(), lifetime });
        let names = site.hosts.iter().filter(|host| is_certifiable(host)).cloned();
        demand.names.extend(names);
    }
    groups.into_values().filter(|demand| !demand.names.is_empty()).collect()
}

/// What is made during handshakes for sites of each issuer; `None` is the built-in internal CA. Of an ACME issuer it
/// serves until its own certificate is there.
pub fn minting(model: &Model) -> BTreeMap<Option<IssuerName>, MintBy> {
    let named = model.issuers.values().map(|issuer| {
        let by = match &issuer.kind {
            IssuerKind::InternalCa { lifetime } => MintBy::InternalCa(*lifetime),
            IssuerKind::Acme(acme) if acme.until_issued == UntilIssued::Unavailable => MintBy::Itself,
            IssuerKind::Acme(_) => MintBy::InternalCa(DEFAULT_LIFETIME),
        };
        (Some(issuer.name.clone()), by)
    });
    named.chain([(None, MintBy::InternalCa(DEFAULT_LIFETIME))]).collect()
}

fn issuer_of(source: &CertificateSource, model: &Model) -> Option<(Option<IssuerName>, Duration)> {
    match source {
        CertificateSource::InternalCa => Some((None, DEFAULT_LIFETIME)),
        CertificateSource::Issuer(name) => match model.issuers.get(name)?.kind {
            IssuerKind::InternalCa { lifetime } => Some((Some(name.clone()), lifetime)),
            IssuerKind::Acme(_) => None,
        },
        CertificateSource::None | CertificateSource::Files(_) => None,
    }
}

/// Whether clients accept one certificate for the whole pattern. They take a wildcard for one label only, and not
/// above a single label (`*.localhost`); names under the others are certified one by one, when they are asked for.
pub(super) fn is_certifiable(host: &HostPattern) -> bool {
    match host {
        HostPattern::Exact(_) => true,
        HostPattern::OneLabel(suffix) => suffix.contains('.'),
        HostPattern::AnyDepth(_) | HostPattern::Any => false,
    }
}
