//! Sites: hosts, listeners, where the certificate comes from, and the routes under them.

use super::{Context, routes};
use crate::diagnostic::Diagnostic;
use crate::parse;
use crate::resolved::{Node, Section};
use crate::value::Span;
use pn_model::site::{CertificateSource, HttpsMode};
use pn_model::{HostPattern, IssuerName, ListenerName, Site, SiteName, TlsPolicyName};

pub(super) fn lower(cx: &mut Context<'_>) {
    for node in cx.resolved.of(Section::Sites) {
        let place = crate::value::Value::string(node.name.clone(), node.span);
        let Some(own) = cx.parsed(&place, parse::host_pattern) else { continue };
        let name = SiteName::new(own.to_string());
        let mut hosts = Vec::new();
        claim(cx, &name, own, node.span, &mut hosts);
        for item in node.table.items("hosts") {
            let Some(host) = cx.parsed(item, parse::host_pattern) else { continue };
            if item.absent && cx.hosts.contains_key(&host) {
                continue;
            }
            if item.secret && cx.hosts.contains_key(&host) {
                let help = "keep one of them";
                cx.error("duplicate-host", item.span, "this host belongs to a site already", help);
                continue;
            }
            claim(cx, &name, host, item.span, &mut hosts);
        }
        if hosts.is_empty() {
            continue;
        }
        let mut site = site(cx, node, name.clone(), hosts);
        site.routes = routes::of_site(cx, node, &site.name);
        cx.model.sites.insert(name, site);
    }
}

/// Makes a host the site's own, unless another one has it.
fn claim(cx: &mut Context<'_>, name: &SiteName, host: HostPattern, span: Span, hosts: &mut Vec<HostPattern>) {
    if let Some((owner, before)) = cx.hosts.get(&host) {
        let message = match owner == name {
            true => format!("the host `{host}` is named twice"),
            false => format!("the host `{host}` belongs to the site `{owner}` already"),
        };
        let found =
            Diagnostic::error("duplicate-host", message).at(span, "again here").at(*before, "first here");
        return cx.push(found.help("keep one of them"));
    }
    cx.hosts.insert(host.clone(), (name.clone(), span));
    hosts.push(host);
}

/// A site for a host that only a rule names: the defaults, nothing else.
pub(super) fn implied(cx: &mut Context<'_>, host: HostPattern, rule: &Node) -> SiteName {
    let name = SiteName::new(host.to_string());
    let mut node = cx.resolved.template(Section::Sites, "to");
    node.name = name.shared();
    node.span = rule.at("rule");
    node.path = rule.path.child("rule");
    cx.hosts.insert(host.clone(), (name.clone(), node.span));
    let mut site = site(cx, &node, name.clone(), vec![host]);
    site.implied = true;
    site.routes = routes::of_site(cx, &node, &name);
    cx.model.sites.insert(name.clone(), site);
    name
}

/// Without its routes.
fn site(cx: &mut Context<'_>, node: &Node, name: SiteName, hosts: Vec<HostPattern>) -> Site {
    let mut listeners = listeners(cx, node);
    let https = https(cx, node, &listeners);
    if https == HttpsMode::Off {
        // A site without TLS opens no TLS listener.
        listeners.retain(|name| cx.model.listeners.get(name).is_none_or(|listener| !listener.tls));
    }
    let certificate = certificate(cx, node, https, &hosts);
    let middlewares = cx.middlewares(&node.table, "use");
    cx.site_use.insert(name.clone(), middlewares);
    let tls_policy = cx.reference(&node.table, "tls-policy", Section::TlsPolicies).map(TlsPolicyName::new);
    if https == HttpsMode::Off && tls_policy.is_some() && !node.table.span("tls-policy").is_none() {
        let help = "drop `tls-policy` (`unset` it where it is inherited), or give the site TLS";
        let message = "a site without TLS cannot keep a TLS policy";
        cx.error("policy-without-tls", node.at("tls-policy"), message, help);
    }
    Site {
        name,
        hosts,
        listeners,
        https,
        certificate,
        san_group: node.table.str("san-group").unwrap_or_default().to_owned(),
        tls_policy,
        routes: Vec::new(),
        implied: false,
        path: node.path.clone(),
    }
}

fn listeners(cx: &mut Context<'_>, node: &Node) -> Vec<ListenerName> {
    let mut names = Vec::new();
    for item in node.table.items("listeners") {
        let Some(name) = item.as_str() else { continue };
        if cx.refer(Section::Listeners, item) && !names.iter().any(|own: &ListenerName| own.as_str() == name)
        {
            names.push(ListenerName::new(name));
        }
    }
    if node.table.items("listeners").is_empty() {
        let help = "leave the key out for `web` and `websecure`";
        cx.error("invalid-value", node.at("listeners"), "a site on no listener is never served", help);
    }
    names
}

/// The mode as written. A site that nobody gave a TLS listener has none, unless its file asks for one.
fn https(cx: &mut Context<'_>, node: &Node, listeners: &[ListenerName]) -> HttpsMode {
    let kinds: Vec<bool> = listeners
        .iter()
        .filter_map(|name| cx.model.listeners.get(name))
        .map(|listener| listener.tls)
        .collect();
    let (tls, plain) = (kinds.contains(&true), kinds.contains(&false));
    let span = node.table.span("https");
    match node.table.str("https") {
        Some("off") => {
            if !plain && tls {
                let help = "add a plain listener, say `web`";
                cx.error("no-listener", node.at("https"), "a site without TLS on TLS listeners only", help);
            }
            HttpsMode::Off
        }
        Some(mode @ ("redirect" | "both")) if !tls && plain => {
            let help = "add a TLS listener, say `websecure`, or set `https = \"off\"`";
            if span.is_none() {
                let message = format!("`{}` is served without TLS: none of its listeners has it", node.name);
                cx.warn("plain-site", node.at("listeners"), message, help);
            } else {
                let message = format!("`https = \"{mode}\"`, but none of the site's listeners has TLS");
                cx.error("no-listener", span, message, help);
            }
            HttpsMode::Off
        }
        Some("both") => HttpsMode::Both,
        _ => HttpsMode::Redirect,
    }
}

fn certificate(
    cx: &mut Context<'_>,
    node: &Node,
    https: HttpsMode,
    hosts: &[HostPattern],
) -> CertificateSource {
    if https == HttpsMode::Off {
        if node.table.has("certificate") {
            let help = "drop it, or give the site TLS";
            cx.warn(
                "unused-certificate",
                node.at("certificate"),
                "a site without TLS shows no certificate",
                help,
            );
        }
        return CertificateSource::None;
    }
    if let Some(value) = node.table.get("certificate") {
        let pairs: Vec<_> = value.items().iter().filter_map(|pair| cx.certificate(pair, hosts)).collect();
        if value.items().is_empty() {
            cx.error(
                "invalid-value",
                value.span,
                "no certificate is listed",
                "leave the key out for an issuer",
            );
        }
        return CertificateSource::Files(pairs);
    }
    if node.table.has("issuer") {
        let issuer = cx.reference(&node.table, "issuer", Section::Issuers);
        return issuer
            .map_or(CertificateSource::None, |name| CertificateSource::Issuer(IssuerName::new(name)));
    }
    default_issuer(cx, node, hosts)
}

/// The issuer `main`, or the only one; with none at all the built-in internal CA, for local names.
fn default_issuer(cx: &mut Context<'_>, node: &Node, hosts: &[HostPattern]) -> CertificateSource {
    let issuers: Vec<_> = cx.resolved.of(Section::Issuers).map(|node| node.name.clone()).collect();
    let default = issuers.iter().find(|name| &***name == "main").or(match &*issuers {
        [only] => Some(only),
        _ => None,
    });
    if let Some(name) = default {
        cx.used.insert((Section::Issuers, name.clone()));
        return CertificateSource::Issuer(IssuerName::new(name.clone()));
    }
    if !issuers.is_empty() {
        let message =
            format!("there are several issuers, none is called `main`, and `{}` names none", node.name);
        let help = format!("add `issuer = \"..\"`: one of {}", issuers.join(", "));
        cx.error("no-issuer", node.span, message, &help);
        return CertificateSource::None;
    }
    let public: Vec<_> =
        hosts.iter().filter(|host| !host.is_local()).map(|host| format!("`{host}`")).collect();
    if !public.is_empty() {
        let message = format!("nothing says where the certificate of {} comes from", public.join(", "));
        let help = "add `certificate = { cert = \"..\", key = \"..\" }`, an issuer (`[issuers.main]` with \
                    `acme = {}` or `internal-ca = {}`), or `https = \"off\"`; only local names have a built-in internal CA";
        cx.error("no-issuer", node.span, message, help);
        return CertificateSource::None;
    }
    CertificateSource::InternalCa
}
