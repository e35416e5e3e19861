//! Issuers and TLS policies.

use super::context::FileWhat;
use super::{Context, acme};
use crate::parse;
use crate::resolved::{Node, Section};
use crate::value::Table;
use pn_model::tls::{ClientAuth, ClientAuthMode, IssuerKind, TlsVersion};
use pn_model::{Issuer, IssuerName, TlsPolicy, TlsPolicyName};

/// Protocols that a TLS listener can speak, by their ALPN ids.
const ALPN: [&str; 2] = ["h2", "http/1.1"];

pub(super) fn lower(cx: &mut Context<'_>) {
    for node in cx.resolved.of(Section::Issuers) {
        let name = IssuerName::new(node.name.clone());
        let kind = match node.table.table("acme") {
            Some(table) => IssuerKind::Acme(Box::new(acme::issuer(cx, node, table))),
            None => IssuerKind::InternalCa {
                lifetime: node.table.sub("internal-ca").duration("lifetime").unwrap_or_default(),
            },
        };
        cx.model.issuers.insert(name.clone(), Issuer { name, kind, path: node.path.clone() });
    }
    for node in cx.resolved.of(Section::TlsPolicies) {
        let policy = policy(cx, node);
        cx.model.tls_policies.insert(policy.name.clone(), policy);
    }
}

fn policy(cx: &mut Context<'_>, node: &Node) -> TlsPolicy {
    let table = &node.table;
    let lowest = profile(cx, table);
    let min_version = version(table.str("min-version")).unwrap_or(lowest);
    let max_version = version(table.str("max-version")).unwrap_or(TlsVersion::V1_3);
    if min_version > max_version {
        let span = node.at("min-version");
        cx.error("invalid-value", span, "the lowest TLS version is above the highest", "");
    }
    let policy = TlsPolicy {
        name: TlsPolicyName::new(node.name.clone()),
        min_version,
        max_version,
        cipher_suites: table.strings("cipher-suites"),
        groups: table.strings("groups"),
        alpn: table.strings("alpn"),
        client_auth: table.table("client-auth").map(|table| client_auth(cx, table)),
        sni_strict: table.bool("sni-strict").unwrap_or_default(),
        path: node.path.clone(),
    };
    check_suites(cx, node, &policy);
    for item in table.items("alpn") {
        if item.as_str().is_some_and(|name| !ALPN.contains(&name)) {
            let message = format!("{} is not spoken here", item.shown());
            cx.error("invalid-value", item.span, message, "\"h2\" and \"http/1.1\" are");
        }
    }
    policy
}

/// The lowest version of a profile (Mozilla's Server Side TLS 5.7). Suites and groups of `intermediate` are those of the
/// library, which has none without forward secrecy; its key exchange with a post-quantum part comes first.
fn profile(cx: &mut Context<'_>, table: &Table) -> TlsVersion {
    let Some(name) = table.str("profile") else { return TlsVersion::V1_2 };
    for key in ["min-version", "max-version", "cipher-suites", "groups"] {
        if !table.span(key).is_none() {
            let message = format!("the profile `{name}` says itself what `{key}` says");
            cx.error("kind-key", table.span(key), message, "keep one of them");
        }
    }
    if name == "old" {
        let help = "name `intermediate`; clients that know nothing of TLS 1.2 cannot be served";
        let message = "TLS 1.0, TLS 1.1 and their suites are not spoken: this is the profile `intermediate`";
        cx.warn("profile-old", table.span("profile"), message, help);
    }
    if name == "modern" { TlsVersion::V1_3 } else { TlsVersion::V1_2 }
}

/// A version for which no suite is left would refuse every client that needs it.
fn check_suites(cx: &mut Context<'_>, node: &Node, policy: &TlsPolicy) {
    // What stands in for an unknown suite is of no version in particular.
    if policy.cipher_suites.is_empty() || node.table.items("cipher-suites").iter().any(|item| item.absent) {
        return;
    }
    let of_1_2 = |suite: &String| suite.starts_with("TLS_ECDHE_");
    let lacking = [
        (TlsVersion::V1_2, "1.2", policy.cipher_suites.iter().any(of_1_2)),
        (TlsVersion::V1_3, "1.3", !policy.cipher_suites.iter().all(of_1_2)),
    ];
    for (version, name, there) in lacking {
        if !there && (policy.min_version..=policy.max_version).contains(&version) {
            let message = format!("none of these suites is of TLS {name}, which the policy offers");
            let help = "add one, or set `min-version` or `max-version`";
            cx.error("invalid-value", node.at("cipher-suites"), message, help);
        }
    }
}

fn client_auth(cx: &mut Context<'_>, table: &Table) -> ClientAuth {
    let mode = match table.str("mode") {
        Some("request") => ClientAuthMode::Request,
        Some("require-any") => ClientAuthMode::RequireAny,
        Some("verify-if-given") => ClientAuthMode::VerifyIfGiven,
        _ => ClientAuthMode::RequireAndVerify,
    };
    let verifies = matches!(mode, ClientAuthMode::VerifyIfGiven | ClientAuthMode::RequireAndVerify);
    let roots = cx.pems(table, "roots", FileWhat::Roots);
    if verifies && table.items("roots").is_empty() {
        let help = "name PEM files of the CAs in `roots`";
        cx.error(
            "missing-roots",
            first_span(table),
            "client certificates cannot be verified without roots",
            help,
        );
    }
    let crls = cx.pems(table, "crls", FileWhat::Revocations);
    let subjects = cx.scalars(table, "subjects", parse::subject);
    let names = cx.scalars(table, "sans", parse::client_name);
    if !verifies && let Some(first) = table.items("subjects").iter().chain(table.items("sans")).next() {
        let message = "what a certificate says that nobody verifies is no reason to let anybody in";
        let help = "set `mode` to \"require-and-verify\" or \"verify-if-given\"";
        cx.error("unverified-names", first.span, message, help);
    }
    ClientAuth { mode, roots, crls, subjects, names }
}

/// Any place in a table that somebody wrote.
fn first_span(table: &Table) -> crate::value::Span {
    let spans = table.iter().map(|(_, entry)| entry.value.span);
    spans.into_iter().find(|span| !span.is_none()).unwrap_or(crate::value::Span::NONE)
}

fn version(text: Option<&str>) -> Option<TlsVersion> {
    match text? {
        "1.2" => Some(TlsVersion::V1_2),
        "1.3" => Some(TlsVersion::V1_3),
        _ => None,
    }
}
