//! Which certificates a configuration asks of the internal CA.

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

/// The certificates that a model's sites want of the internal CA: one a site, or one for all sites of a `san-group`.
pub fn demands(model: &Model) -> Vec<Demand> {
    let lifetimes = mint_lifetimes(model);
    let mut groups: BTreeMap<(String, Option<IssuerName>), Demand> = BTreeMap::new();
    for site in model.sites.values() {
        let Some((issuer, lifetime)) = issuer_of(&site.certificate, &lifetimes) else { continue };
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

/// The lifetimes of certificates by issuer, for all issuers that are internal CAs; `None` is the built-in one.
pub fn mint_lifetimes(model: &Model) -> BTreeMap<Option<IssuerName>, Duration> {
    let named = model.issuers.values().filter_map(|issuer| match issuer.kind {
        IssuerKind::InternalCa { lifetime } => Some((Some(issuer.name.clone()), lifetime)),
        IssuerKind::Acme(_) => None,
    });
    named.chain([(None, DEFAULT_LIFETIME)]).collect()
}

fn issuer_of(
    source: &CertificateSource,
    lifetimes: &BTreeMap<Option<IssuerName>, Duration>,
) -> Option<(Option<IssuerName>, Duration)> {
    let issuer = match source {
        CertificateSource::InternalCa => None,
        CertificateSource::Issuer(name) => Some(name.clone()),
        CertificateSource::None | CertificateSource::Files(_) => return None,
    };
    lifetimes.get(&issuer).map(|lifetime| (issuer, *lifetime))
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
