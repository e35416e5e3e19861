//! What sites ask of issuers that speak ACME, and no CA gives.

use crate::diagnostic::Diagnostic;
use crate::lower::Context;
use crate::resolved::Section;
use crate::value::Span;
use pn_model::acme::{AcmeIssuer, ChallengeKind, DIRECTORIES};
use pn_model::site::CertificateSource;
use pn_model::tls::IssuerKind;
use pn_model::{HostPattern, IssuerName, Site};
use std::net::IpAddr;

pub(super) fn run(cx: &mut Context<'_>) {
    let mut found = Vec::new();
    for site in cx.model.sites.values() {
        let CertificateSource::Issuer(name) = &site.certificate else { continue };
        let Some(issuer) = acme(cx, name) else { continue };
        let hosts = site.hosts.iter().filter_map(|host| {
            let (message, help) = refused(cx, host, name, issuer)?;
            Some(Diagnostic::error("no-certificate", message).at(place(cx, site, host), "").help(help))
        });
        found.extend(hosts);
    }
    for (name, issuer) in &cx.model.issuers {
        let IssuerKind::Acme(acme) = &issuer.kind else { continue };
        found.extend(doubts(cx, name, acme));
        found.extend(open_to_anybody(cx, name, acme));
    }
    found.into_iter().for_each(|diagnostic| cx.push(diagnostic));
}

fn acme<'m>(cx: &'m Context<'_>, name: &IssuerName) -> Option<&'m AcmeIssuer> {
    match &cx.model.issuers.get(name)?.kind {
        IssuerKind::Acme(acme) => Some(acme),
        IssuerKind::InternalCa { .. } => None,
    }
}

fn place(cx: &Context<'_>, site: &Site, host: &HostPattern) -> Span {
    let named = |site: &Site| cx.resolved.get(Section::Sites, site.name.as_str()).map(|node| node.span);
    cx.hosts.get(host).map(|(_, span)| *span).or_else(|| named(site)).unwrap_or(Span::NONE)
}

/// Why the issuer never certifies such a host, and what to do.
fn refused(
    cx: &Context<'_>,
    host: &HostPattern,
    name: &IssuerName,
    issuer: &AcmeIssuer,
) -> Option<(String, String)> {
    let public = DIRECTORIES.iter().find(|known| known.url == issuer.directory);
    if let Some(known) = public.filter(|_| is_private(host)) {
        let message = format!("`{host}` is a local name, which {} does not certify", known.name);
        return Some((
            message,
            "name an issuer with `internal-ca = {}`, or the directory of your own CA".into(),
        ));
    }
    let dns = issuer.challenges.iter().any(|kind| kind.is_dns());
    match host {
        HostPattern::Exact(host) => address(host, name, issuer),
        HostPattern::OneLabel(_) if !dns => Some((
            format!("`{host}` is a wildcard, and the issuer `{name}` has no challenge for the zone"),
            "add `dns = { provider = \"rfc2136\", server = \"..\", tsig = { .. } }`, or another provider, to the issuer"
                .into(),
        )),
        HostPattern::OneLabel(_) => None,
        HostPattern::AnyDepth(_) | HostPattern::Any if issuer.on_demand.is_some() => None,
        HostPattern::AnyDepth(suffix) if is_covered(cx, suffix) => None,
        HostPattern::AnyDepth(_) | HostPattern::Any => Some((
            format!("no certificate is for all of `{host}`: names under it are only known once a client asks"),
            open_ended(host),
        )),
    }
}

fn open_ended(host: &HostPattern) -> String {
    let wildcard = match host {
        HostPattern::AnyDepth(suffix) => format!("`hosts = [\"*.{suffix}\"]` with a DNS challenge, "),
        _ => String::new(),
    };
    format!(
        "{wildcard}`on-demand = {{ ask = \"..\" }}` at the issuer, an issuer with `internal-ca = {{}}`, or `https = \"off\"`"
    )
}

/// RFC 8738 section 7: addresses have no zone of their own to prove.
fn address(host: &str, name: &IssuerName, issuer: &AcmeIssuer) -> Option<(String, String)> {
    let only_dns = issuer.challenges.iter().all(|kind| kind.is_dns());
    host.parse::<IpAddr>().ok().filter(|_| only_dns).map(|_| {
        let message =
            format!("`{host}` is an address, which the challenges of the issuer `{name}` cannot prove");
        (message, "add \"tls-alpn-01\" or \"http-01\" to `challenges`, or name another issuer".into())
    })
}

/// Whether a site has the wildcard of the first level, by an issuer that can certify it. Deeper names wait for ever; they
/// are served under what `until-issued` says.
fn is_covered(cx: &Context<'_>, suffix: &str) -> bool {
    cx.model.sites.values().any(|site| match &site.certificate {
        CertificateSource::Issuer(name) => {
            acme(cx, name).is_some() && site.hosts.contains(&HostPattern::OneLabel(suffix.to_owned()))
        }
        _ => false,
    })
}

/// Names under local zones, single labels, and addresses that nobody else can reach.
fn is_private(host: &HostPattern) -> bool {
    let HostPattern::Exact(name) = host else { return host.is_local() };
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local()
        }
        Err(_) => host.is_local(),
    }
}

/// Who is allowed without a question, without a list: below a wildcard there are as many names as anybody likes.
fn open_to_anybody(cx: &Context<'_>, name: &IssuerName, issuer: &AcmeIssuer) -> Option<Diagnostic> {
    let allow = &issuer.on_demand.as_ref()?.allow;
    let wildcard = allow.iter().find(|host| !matches!(host, HostPattern::Exact(_)))?;
    let node = cx.resolved.get(Section::Issuers, name.as_str())?;
    let on_demand = node.table.sub("acme").sub("on-demand");
    let places = || on_demand.items("allow").iter().zip(allow);
    let span = places().find(|(_, host)| *host == wildcard).map_or(Span::NONE, |(value, _)| value.span);
    let message = format!(
        "anybody can have the issuer `{name}` order certificates for names under `{wildcard}`, until its throttle and \
         the limits of its CA are used up for all sites"
    );
    let help = "leave the wildcard out, and name a service that says which names are yours: `ask = \"..\"`";
    Some(Diagnostic::warning("open-issuer", message).at(span, "").help(help))
}

/// What an issuer cannot do, whatever the sites.
fn doubts(cx: &Context<'_>, name: &IssuerName, issuer: &AcmeIssuer) -> Option<Diagnostic> {
    let node = cx.resolved.get(Section::Issuers, name.as_str())?;
    let table = node.table.sub("acme");
    let at = |key: &str| if table.span(key).is_none() { node.at("acme") } else { table.span(key) };
    let plain = || cx.model.listeners.values().any(|listener| !listener.tls);
    if issuer.challenges == [ChallengeKind::Http01] && !plain() {
        let found = Diagnostic::error(
            "no-certificate",
            "`http-01` is asked for on port 80, and no listener is plain",
        );
        return Some(
            found.at(at("challenges"), "").help("add \"tls-alpn-01\", or a site to the listener `web`"),
        );
    }
    let unused = issuer.dns.is_some() && !issuer.challenges.contains(&ChallengeKind::Dns01);
    unused.then(|| {
        let found = Diagnostic::warning("unused-key", "no challenge of this issuer needs `dns`");
        found.at(at("dns"), "").help("add \"dns-01\" to `challenges`, or leave that key out")
    })
}
