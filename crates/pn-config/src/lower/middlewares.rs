//! Middlewares, by their kind key.

use super::context::{FileUse, FileWhat};
use super::process::statuses;
use super::{Context, services, targets};
use crate::htpasswd;
use crate::parse::{self, Invalid};
use crate::resolved::{Node, Section};
use crate::units;
use crate::value::{Kind, Table, Value};
use pn_model::middleware::{
    BasicAuth, ClientCertField, ClientKey, Compress, Encoding, Errors, FRAMING_FIELDS, HeaderEdits, Headers,
    IpAllow, PassClientCert, RateLimit,
};
use pn_model::service::StatusRanges;
use pn_model::{Middleware, MiddlewareKind, MiddlewareName, Secret};

pub(super) fn lower(cx: &mut Context<'_>) {
    for node in cx.resolved.of(Section::Middlewares) {
        // What refuses a node is one finding; that it is missing where it is used would be another.
        let refused = |cx: &Context<'_>| cx.has_errors().then(|| MiddlewareKind::Headers(Headers::default()));
        let Some(kind) = kind(cx, node).or_else(|| refused(cx)) else { continue };
        let name = MiddlewareName::new(node.name.clone());
        cx.model.middlewares.insert(name.clone(), Middleware { name, kind, path: node.path.clone() });
    }
}

fn kind(cx: &mut Context<'_>, node: &Node) -> Option<MiddlewareKind> {
    let table = &node.table;
    let (key, value) =
        table.iter().map(|(key, entry)| (&**key, &entry.value)).find(|(key, _)| *key != "use")?;
    let inner = value.as_table().unwrap_or_else(|| Table::empty());
    Some(match key {
        "headers" => MiddlewareKind::Headers(Headers {
            request: {
                refuse_host(cx, inner.sub("request"));
                edits(cx, inner.sub("request"))
            },
            response: edits(cx, inner.sub("response")),
        }),
        "strip-prefix" => MiddlewareKind::StripPrefix(cx.scalars(table, key, prefix)),
        "strip-prefix-regex" => MiddlewareKind::StripPrefixRegex(cx.scalars(table, key, parse::regex)),
        "add-prefix" => MiddlewareKind::AddPrefix(cx.scalar(table, key, prefix)?),
        "replace-path" => MiddlewareKind::ReplacePath(cx.scalar(table, key, parse::path_literal)?),
        "replace-path-regex" => {
            let (regex, replacement) = replacement(cx, inner)?;
            MiddlewareKind::ReplacePathRegex { regex, replacement }
        }
        "redirect-scheme" => MiddlewareKind::RedirectScheme {
            scheme: inner.str("scheme").unwrap_or("https").to_owned(),
            port: inner.int("port"),
            permanent: inner.bool("permanent").unwrap_or_default(),
        },
        "redirect-regex" => {
            let (regex, replacement) = replacement(cx, inner)?;
            let permanent = inner.bool("permanent").unwrap_or_default();
            MiddlewareKind::RedirectRegex { regex, replacement, permanent }
        }
        "basic-auth" => MiddlewareKind::BasicAuth(basic_auth(cx, value, inner)?),
        "ip-allow" => MiddlewareKind::IpAllow(ip_allow(cx, inner)),
        "rate-limit" => MiddlewareKind::RateLimit(rate_limit(cx, inner)?),
        "in-flight" => MiddlewareKind::InFlight { amount: inner.int("amount")?, by: client_key(cx, inner)? },
        "body-limit" => MiddlewareKind::BodyLimit(table.size(key)?),
        "compress" => MiddlewareKind::Compress(compress(cx, inner)),
        "errors" => MiddlewareKind::Errors(errors(cx, node, inner)?),
        "pass-client-cert" => MiddlewareKind::PassClientCert(pass_client_cert(inner)),
        "chain" => MiddlewareKind::Chain(chain(cx, table, value)),
        _ => return None,
    })
}

fn edits(cx: &mut Context<'_>, table: &Table) -> HeaderEdits {
    for key in ["set", "add"] {
        for (name, entry) in table.sub(key).iter() {
            let place = Value::string(name.clone(), entry.key_span);
            refuse_framing(cx, &place);
            plain_credentials(cx, name, &entry.value);
        }
    }
    table.items("remove").iter().for_each(|name| refuse_framing(cx, name));
    HeaderEdits {
        set: services::fields(cx, table, "set"),
        add: services::fields(cx, table, "add"),
        remove: cx.scalars(table, "remove", parse::header_name),
    }
}

/// The field that servers get says which host is asked for, and is a matter of the service.
fn refuse_host(cx: &mut Context<'_>, table: &Table) {
    let keys = ["set", "add"].into_iter().flat_map(|key| table.sub(key).iter());
    let mut names: Vec<Value> =
        keys.map(|(name, entry)| Value::string(name.clone(), entry.key_span)).collect();
    names.extend(table.items("remove").iter().cloned());
    for name in
        names.iter().filter(|name| name.as_str().is_some_and(|text| text.eq_ignore_ascii_case("host")))
    {
        let help = "say it in the service: `host-header = \"server\"`, or a literal name";
        cx.error("host-field", name.span, "the field Host is written by the service", help);
    }
}

fn refuse_framing(cx: &mut Context<'_>, name: &Value) {
    let framing =
        name.as_str().is_some_and(|text| FRAMING_FIELDS.contains(&text.to_ascii_lowercase().as_str()));
    if framing {
        let message = format!("the field {} frames messages, and is written by the proxy", name.shown());
        cx.error("framing-field", name.span, message, "leave it out");
    }
}

/// Credentials that stand in the file for everybody to read.
fn plain_credentials(cx: &mut Context<'_>, name: &str, value: &Value) {
    let sensitive = ["authorization", "proxy-authorization", "cookie", "x-api-key"];
    for item in value.items() {
        let written = !item.secret && item.as_str().is_some_and(|text| !text.is_empty());
        if written && sensitive.contains(&name.to_ascii_lowercase().as_str()) {
            let help = "bring it by `${file:}` or `${env:}`";
            cx.warn("plaintext-credentials", item.span, format!("the field `{name}` in plain text"), help);
        }
    }
}

/// A prefix of paths, without a slash at its end.
fn prefix(text: &str) -> Result<String, Invalid> {
    let path = parse::path_prefix(text)?;
    match path.strip_suffix('/').unwrap_or(&path) {
        "" => Err(Invalid::new("the prefix `/` changes nothing")),
        path => Ok(path.to_owned()),
    }
}

/// A regex and what replaces its matches; a group that the regex lacks would silently be nothing.
fn replacement(cx: &mut Context<'_>, table: &Table) -> Option<(String, String)> {
    let regex = cx.scalar(table, "regex", parse::regex)?;
    let compiled = regex::Regex::new(&regex).ok()?;
    let replacement = cx.scalar(table, "replacement", |text| {
        for name in groups(text) {
            let known = match name.parse::<usize>() {
                Ok(number) => number < compiled.captures_len(),
                Err(_) => compiled.capture_names().flatten().any(|own| own == name),
            };
            if !known {
                let error = Invalid::new(format!("the regex has no group `{name}`"));
                return Err(error.help("`${1}` ends a number before a letter; `$$` is a dollar sign"));
            }
        }
        parse::header_value(text)
    })?;
    Some((regex, replacement))
}

/// The groups that a replacement names: `$1`, `$name`, `${name}`.
fn groups(text: &str) -> Vec<&str> {
    let mut groups = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('$') {
        if let Some(tail) = after.strip_prefix('$') {
            rest = tail;
            continue;
        }
        rest = after;
        let name = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}').map_or("", |(name, _)| name),
            None => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                after.split_at(after.find(|c| !word(c)).unwrap_or(after.len())).0
            }
        };
        if !name.is_empty() {
            groups.push(name);
        }
    }
    groups
}

fn basic_auth(cx: &mut Context<'_>, value: &Value, table: &Table) -> Option<BasicAuth> {
    let mut users = Vec::new();
    let mut names = std::collections::HashSet::new();
    for item in table.items("users") {
        let Some(line) = item.as_str().filter(|_| !item.absent) else { continue };
        match htpasswd::user(line) {
            Ok(name) if !names.insert(name.to_owned()) => {
                cx.error(
                    "duplicate-user",
                    item.span,
                    "this user is listed twice",
                    "keep one line for each name",
                );
            }
            Ok(_) => users.push(Secret::new(line)),
            Err(wrong) => cx.error(wrong.code(), item.span, wrong.to_string(), wrong.help()),
        }
    }
    let file = table.get("users-file");
    let users_file = file.and_then(|file| cx.path(file));
    if table.items("users").is_empty() && users_file.is_none() {
        let help = "name `users` or a `users-file`";
        cx.error("invalid-value", value.span, "a basic-auth without users lets nobody in", help);
    }
    if let (Some(file), Some(path)) = (file, &users_file)
        && !file.absent
    {
        cx.files.push(FileUse { what: FileWhat::Users(path.clone()), span: file.span, secret: file.secret });
    }
    Some(BasicAuth {
        users,
        users_file,
        realm: cx.scalar(table, "realm", realm)?,
        remove_header: table.bool("remove-header").unwrap_or_default(),
        header_field: cx.scalar(table, "header-field", parse::header_name),
    })
}

fn realm(text: &str) -> Result<String, Invalid> {
    if text.contains(['"', '\\']) {
        return Err(Invalid::new("a realm has neither quotes nor backslashes"));
    }
    parse::header_value(text)
}

fn ip_allow(cx: &mut Context<'_>, table: &Table) -> IpAllow {
    if table.items("ranges").is_empty() {
        let help = "name the networks that may pass";
        cx.error("invalid-value", table.span("ranges"), "an ip-allow without ranges lets nobody in", help);
    }
    IpAllow {
        ranges: cx.scalars(table, "ranges", parse::network),
        depth: table.int("depth").unwrap_or_default(),
        status: statuses(table, "status").first().map_or(403, |&(status, _)| status),
    }
}

fn pass_client_cert(table: &Table) -> PassClientCert {
    PassClientCert {
        certificate: match table.str("certificate") {
            Some("x-forwarded-tls-client-cert") => ClientCertField::XForwardedTlsClientCert,
            Some("off") => ClientCertField::Off,
            _ => ClientCertField::ClientCert,
        },
        info: table.bool("info").unwrap_or_default(),
        unverified: table.bool("unverified").unwrap_or_default(),
    }
}

fn rate_limit(cx: &mut Context<'_>, table: &Table) -> Option<RateLimit> {
    let (amount, period) = units::rate(table.str("rate")?).ok()?;
    let burst = table.int("burst").unwrap_or(amount);
    Some(RateLimit { amount, period, burst, by: client_key(cx, table)? })
}

fn client_key(cx: &mut Context<'_>, table: &Table) -> Option<ClientKey> {
    Some(match table.get("by").map(|value| &value.kind) {
        Some(Kind::Table(by)) => ClientKey::Header(cx.scalar(by, "header", parse::header_name)?),
        Some(Kind::String(text)) => match &**text {
            "peer-ip" => ClientKey::PeerIp,
            "host" => ClientKey::Host,
            "all" => ClientKey::All,
            _ => ClientKey::ClientIp,
        },
        _ => ClientKey::ClientIp,
    })
}

fn compress(cx: &mut Context<'_>, table: &Table) -> Compress {
    let encoding = |item: &Value| match item.as_str()? {
        "zstd" => Some(Encoding::Zstd),
        "br" => Some(Encoding::Brotli),
        "gzip" => Some(Encoding::Gzip),
        _ => None,
    };
    Compress {
        encodings: table.items("encodings").iter().filter_map(encoding).collect(),
        min_size: table.size("min-size").unwrap_or_default(),
        types: cx.scalars(table, "types", parse::media_type),
        exclude: cx.scalars(table, "exclude", parse::media_type),
    }
}

fn errors(cx: &mut Context<'_>, node: &Node, table: &Table) -> Option<Errors> {
    let at = node.path.child("errors").child("service");
    let service = targets::reference(cx, table.get("service")?, &at);
    let path = cx.scalar(table, "path", |text| match text.starts_with('/') {
        true => parse::header_value(text),
        false => Err(Invalid::new("the path of an error page starts with `/`")),
    });
    Some(Errors { status: StatusRanges(statuses(table, "status")), service: service?, path: path? })
}

fn chain(cx: &mut Context<'_>, table: &Table, value: &Value) -> Vec<MiddlewareName> {
    if value.items().is_empty() {
        cx.error("invalid-value", value.span, "a chain of nothing", "name its middlewares in order");
    }
    cx.middlewares(table, "chain")
}
