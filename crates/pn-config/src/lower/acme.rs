//! Issuers that speak ACME. What sites may ask of them is checked in `checks`.

use super::Context;
use super::context::FileWhat;
use crate::parse::{self, Invalid};
use crate::resolved::{Node, Section};
use crate::value::{Span, Table};
use pn_model::acme::{
    AcmeIssuer, ChallengeKind, DnsProvider, DnsSettings, Eab, KeyType, OnDemand, Propagation, Throttle, Tsig,
    TsigAlgorithm, UntilIssued,
};
use pn_model::{IssuerName, Secret};

/// Providers that are built in, with the keys that each needs and takes.
const PROVIDERS: [(&str, &str, &[&str]); 3] = [
    ("rfc2136", "server", &["server", "tsig"]),
    ("exec", "program", &["program", "args", "mode"]),
    ("httpreq", "url", &["url", "username", "password", "mode"]),
];
const OF_PROVIDERS: [&str; 9] =
    ["server", "tsig", "program", "args", "url", "username", "password", "mode", "settings"];

pub(super) fn issuer(cx: &mut Context<'_>, node: &Node, table: &Table) -> AcmeIssuer {
    let default = AcmeIssuer::default();
    let directory = cx.scalar(table, "directory", parse::directory);
    let known = directory.as_ref().and_then(|directory| directory.known);
    let eab = table.table("eab").and_then(|table| eab(cx, table));
    if let Some(known) = known.filter(|known| known.needs_eab && !table.has("eab")) {
        let message = format!("{} opens accounts only for those who have one there already", known.name);
        let help = "add `eab = { kid = \"..\", hmac = \"${env:..}\" }` with what the CA shows on its site";
        cx.error("missing-eab", place(node, table, "directory"), message, help);
    }
    let dns = table.table("dns").and_then(|table| dns(cx, table));
    AcmeIssuer {
        staging: staging(cx, table, known.and_then(|known| known.staging)),
        directory: directory.map_or(default.directory, |directory| directory.url),
        email: cx.scalar(table, "email", parse::email),
        roots: cx.pems(table, "roots", FileWhat::Roots),
        challenges: challenges(cx, node, table),
        key_type: key_type(table.str("key-type")),
        profile: text(table, "profile"),
        preferred_chain: text(table, "preferred-chain"),
        eab,
        dns,
        fallback: fallback(cx, table),
        until_issued: match table.str("until-issued") {
            Some("unavailable") => UntilIssued::Unavailable,
            _ => UntilIssued::InternalCa,
        },
        on_demand: table.get("on-demand").and_then(|value| on_demand(cx, value.as_table()?, value.span)),
        throttle: throttle(table.sub("throttle")),
    }
}

/// Where the key stands, or the node where nobody wrote it.
fn place(node: &Node, table: &Table, key: &str) -> Span {
    let span = table.span(key);
    if span.is_none() { node.at("acme") } else { span }
}

/// An empty string is as good as none.
fn text(table: &Table, key: &str) -> Option<String> {
    table.str(key).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn staging(cx: &mut Context<'_>, table: &Table, built_in: Option<&str>) -> Option<String> {
    match table.str("staging") {
        None => built_in.map(str::to_owned),
        Some("off") => None,
        Some(_) => cx.scalar(table, "staging", parse::directory).map(|directory| directory.url),
    }
}

fn eab(cx: &mut Context<'_>, table: &Table) -> Option<Eab> {
    let hmac = cx.scalar(table, "hmac", parse::base64url)?;
    Some(Eab { kid: table.str("kid")?.to_owned(), hmac: Secret::new(hmac) })
}

fn challenges(cx: &mut Context<'_>, node: &Node, table: &Table) -> Vec<ChallengeKind> {
    if !table.has("challenges") {
        let dns = vec![ChallengeKind::Dns01];
        return if table.has("dns") { dns } else { AcmeIssuer::default().challenges };
    }
    let mut kinds = Vec::new();
    for item in table.items("challenges") {
        let kind = ChallengeKind::ALL.into_iter().find(|kind| item.as_str() == Some(kind.name()));
        kinds.extend(kind.filter(|kind| !kinds.contains(kind)));
    }
    if kinds.is_empty() {
        let help = "leave the key out for tls-alpn-01 and http-01";
        cx.error("invalid-value", place(node, table, "challenges"), "no challenge is listed", help);
    }
    if kinds.contains(&ChallengeKind::Dns01) && !table.has("dns") {
        let help =
            "add `dns = { provider = \"rfc2136\", server = \"..\", tsig = { .. } }`, or another provider";
        let message = "`dns-01` has to know how to write records";
        cx.error("missing-dns", place(node, table, "challenges"), message, help);
    }
    kinds
}

fn key_type(text: Option<&str>) -> KeyType {
    match text {
        Some("p384") => KeyType::P384,
        Some("rsa2048") => KeyType::Rsa2048,
        Some("rsa3072") => KeyType::Rsa3072,
        Some("rsa4096") => KeyType::Rsa4096,
        _ => KeyType::P256,
    }
}

fn fallback(cx: &mut Context<'_>, table: &Table) -> Vec<IssuerName> {
    let mut names: Vec<IssuerName> = Vec::new();
    for item in table.items("fallback") {
        let Some(name) = item.as_str() else { continue };
        if !cx.refer(Section::Issuers, item) {
            continue;
        }
        let acme = cx.resolved.get(Section::Issuers, name).is_some_and(|node| node.table.has("acme"));
        if !acme {
            let message = format!("the issuer {} does not speak ACME", item.shown());
            let help =
                "before a certificate is there, `until-issued = \"internal-ca\"` serves the internal CA's";
            cx.error("wrong-kind", item.span, message, help);
        } else if !names.iter().any(|known| known.as_str() == name) {
            names.push(IssuerName::new(name));
        }
    }
    names
}

fn on_demand(cx: &mut Context<'_>, table: &Table, span: Span) -> Option<OnDemand> {
    let ask = cx.scalar(table, "ask", parse::deciding_url);
    let allow = cx.scalars(table, "allow", parse::host_pattern);
    if !table.has("ask") && table.items("allow").is_empty() {
        let help =
            "add `ask = \"http://..\"`, a service that says which names are yours, or `allow = [\"*.host\"]`";
        let message = "certificates on demand for any name that a client thinks of";
        cx.error("missing-permission", span, message, help);
        return None;
    }
    Some(OnDemand { ask, allow })
}

fn throttle(table: &Table) -> Throttle {
    let default = Throttle::default();
    Throttle {
        orders: table.int("orders").unwrap_or(default.orders),
        per: table.duration("per").unwrap_or(default.per),
    }
}

fn dns(cx: &mut Context<'_>, table: &Table) -> Option<DnsSettings> {
    let provider = provider(cx, table)?;
    let ttl = table.duration("ttl").unwrap_or(std::time::Duration::from_secs(60));
    let (own, default) = (table.sub("propagation"), Propagation::default());
    let propagation = Propagation {
        check: own.bool("check").unwrap_or(default.check),
        timeout: own.duration("timeout").unwrap_or(default.timeout),
        interval: own.duration("interval").unwrap_or(default.interval),
        resolvers: cx.scalars(own, "resolvers", parse::name_server),
    };
    Some(DnsSettings { provider, ttl, propagation })
}

fn provider(cx: &mut Context<'_>, table: &Table) -> Option<DnsProvider> {
    let name = table.str("provider")?.to_owned();
    let built_in = PROVIDERS.into_iter().find(|(known, ..)| *known == name);
    let (needed, taken) = built_in.map_or((None, &["settings"][..]), |(_, key, keys)| (Some(key), keys));
    for key in OF_PROVIDERS.into_iter().filter(|key| !taken.contains(key)) {
        // Defaults have no place.
        if !table.span(key).is_none() {
            let message = format!("`{key}` is not for the provider `{name}`");
            cx.error("wrong-key", table.span(key), message, "remove it");
        }
    }
    if let Some(key) = needed.filter(|key| !table.has(key)) {
        let message = format!("the provider `{name}` lacks its `{key}`");
        cx.error("missing-key", table.span("provider"), message, &format!("add `{key} = \"..\"`"));
        return None;
    }
    match name.as_str() {
        "rfc2136" => Some(DnsProvider::Rfc2136 {
            server: cx.scalar(table, "server", parse::name_server)?,
            tsig: table.table("tsig").and_then(|table| tsig(cx, table)),
        }),
        "exec" => Some(DnsProvider::Exec {
            program: cx.path(table.get("program")?)?,
            args: table.items("args").iter().filter_map(crate::value::Value::text).collect(),
            raw: table.str("mode") == Some("raw"),
        }),
        "httpreq" => Some(DnsProvider::HttpReq {
            url: cx.scalar(table, "url", parse::service_url)?,
            username: text(table, "username"),
            password: table.str("password").map(Secret::new),
            raw: table.str("mode") == Some("raw"),
        }),
        _ => cx
            .scalar(table, "provider", library)
            .map(|name| DnsProvider::Library { name, settings: settings(table.sub("settings")) }),
    }
}

fn settings(table: &Table) -> std::collections::BTreeMap<String, Secret> {
    let pairs = table.iter().filter_map(|(key, entry)| Some((key, entry.value.as_str()?)));
    pairs.map(|(key, value)| (key.to_string(), Secret::new(value))).collect()
}

/// Which providers the library has is known where it is built in.
fn library(text: &str) -> Result<String, Invalid> {
    let sound =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if sound { Ok(text.to_owned()) } else { Err(Invalid::new(format!("`{text}` is no name of a provider"))) }
}

fn tsig(cx: &mut Context<'_>, table: &Table) -> Option<Tsig> {
    let algorithm = match table.str("algorithm") {
        Some("hmac-sha384") => TsigAlgorithm::HmacSha384,
        Some("hmac-sha512") => TsigAlgorithm::HmacSha512,
        _ => TsigAlgorithm::HmacSha256,
    };
    let name = cx.scalar(table, "name", parse::key_name);
    let secret = cx.scalar(table, "secret", parse::base64);
    Some(Tsig { name: name?, algorithm, secret: Secret::new(secret?) })
}
