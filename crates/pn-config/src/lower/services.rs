//! Services by their kind keys.

use super::process::statuses;
use super::{Context, targets, transports};
use crate::parse::{self, Invalid, Upstream};
use crate::resolved::{Node, Section};
use crate::schema::suggest::nearest;
use crate::value::{Kind, Table, Value};
use pn_model::service::{
    Balance, HashBy, HealthCheck, HostHeader, Outlier, Probe, Redirect, Respond, Retries, RetryOn, SameSite,
    Server, Servers, Split, StatusRanges, StickyCookie, UpstreamScheme,
};
use pn_model::transport::UpstreamProtocol;
use pn_model::{Secret, Service, ServiceKind, ServiceName, Text, TransportName, limits};
use std::collections::HashSet;

pub(super) fn lower(cx: &mut Context<'_>) {
    for node in cx.resolved.of(Section::Services) {
        service(cx, ServiceName::new(node.name.clone()), node);
    }
}

pub(super) fn service(cx: &mut Context<'_>, name: ServiceName, node: &Node) {
    let table = &node.table;
    let kind = if table.has("servers") {
        servers(cx, node).map(ServiceKind::Servers)
    } else if table.has("split") {
        split(cx, node).map(ServiceKind::Split)
    } else if let Some(table) = table.table("respond") {
        respond(cx, table).map(ServiceKind::Respond)
    } else {
        table.table("redirect").and_then(|table| redirect(cx, table)).map(ServiceKind::Redirect)
    };
    let middlewares = cx.middlewares(table, "use");
    // What refuses a node is one finding; that it is missing where it is used would be another.
    let refused = |cx: &Context<'_>| cx.has_errors().then(|| ServiceKind::Respond(nothing()));
    if let Some(kind) = kind.or_else(|| refused(cx)) {
        let service = Service { name: name.clone(), kind, middlewares, path: node.path.clone() };
        cx.model.services.insert(name, service);
    }
}

fn servers(cx: &mut Context<'_>, node: &Node) -> Option<Servers> {
    let table = &node.table;
    let transport = transport(cx, node);
    let mut servers: Vec<Server> = Vec::new();
    let mut seen = HashSet::new();
    for item in table.items("servers") {
        let fields = item.as_table();
        let url = fields.map_or(Some(item), |fields| fields.get("url"));
        let Some(url) = url else { continue };
        let Some(upstream) = cx.parsed(url, parse::upstream) else { continue };
        if !seen.insert(upstream.url.clone()) && !url.absent {
            let message = format!("{} is listed twice", url.shown());
            cx.error("duplicate-server", url.span, message, "give the one a larger `weight` instead");
        }
        check_protocol(cx, url, &upstream, transport.as_ref());
        let weight = fields.and_then(|fields| fields.int("weight")).unwrap_or(1);
        servers.push(Server {
            url: upstream.url,
            scheme: upstream.scheme,
            address: upstream.address,
            weight,
        });
    }
    let span = node.at("servers");
    if table.items("servers").is_empty() {
        cx.error("invalid-value", span, "a service without servers", "list at least one");
    } else if !servers.is_empty() && servers.iter().all(|server| server.weight == 0) {
        cx.error("zero-weights", span, "every weight is 0, so no server takes requests", "give one a weight");
    }
    (!servers.is_empty()).then(|| Servers {
        servers,
        balance: balance(table),
        sticky: sticky(cx, table),
        health_check: health_check(cx, table),
        outlier: outlier(table),
        retries: retries(table),
        host_header: host_header(cx, table),
        transport,
    })
}

fn transport(cx: &mut Context<'_>, node: &Node) -> Option<TransportName> {
    let value = node.table.get("transport")?;
    let Some(table) = value.as_table() else {
        let name = cx.reference(&node.table, "transport", Section::Transports)?;
        return Some(TransportName::new(name));
    };
    let path = node.path.child("transport");
    let name = TransportName::new(path.to_string());
    transports::transport(cx, name.clone(), table, path);
    Some(name)
}

/// A version of HTTP that the URL's scheme cannot carry.
fn check_protocol(cx: &mut Context<'_>, url: &Value, upstream: &Upstream, transport: Option<&TransportName>) {
    let protocol =
        transport.and_then(|name| cx.model.transports.get(name)).map(|transport| transport.protocol);
    let wrong = match (upstream.scheme, protocol) {
        (UpstreamScheme::Https, Some(UpstreamProtocol::H2c)) => "the transport's `h2c` is HTTP/2 without TLS",
        (UpstreamScheme::Http, Some(UpstreamProtocol::H2)) => "the transport's `h2` needs an https:// server",
        (UpstreamScheme::H2c, Some(UpstreamProtocol::H1 | UpstreamProtocol::H2)) => {
            "an h2c:// server does not speak the transport's protocol"
        }
        _ => return,
    };
    cx.error("protocol-mismatch", url.span, wrong, "leave the transport's `protocol` at `auto`");
}

fn balance(table: &Table) -> Balance {
    match table.get("balance").map(|value| &value.kind) {
        Some(Kind::Table(_)) => Balance::Hash(HashBy::ClientIp),
        Some(Kind::String(text)) if &**text == "least-conn" => Balance::LeastConn,
        Some(Kind::String(text)) if &**text == "p2c" => Balance::P2c,
        _ => Balance::RoundRobin,
    }
}

fn sticky(cx: &mut Context<'_>, table: &Table) -> Option<StickyCookie> {
    let table = table.table("sticky")?;
    let name = cx.scalar(table, "cookie", parse::cookie_name)?;
    let same_site = match table.str("same-site") {
        Some("strict") => Some(SameSite::Strict),
        Some("none") => Some(SameSite::None),
        _ => Some(SameSite::Lax),
    };
    let secure = table.bool("secure").unwrap_or(true);
    if same_site == Some(SameSite::None) && !secure {
        let help = "set `secure = true`, or `same-site = \"lax\"`";
        cx.error(
            "invalid-value",
            table.span("same-site"),
            "browsers refuse such a cookie without `secure`",
            help,
        );
    }
    Some(StickyCookie {
        name,
        secure,
        http_only: table.bool("http-only").unwrap_or(true),
        same_site,
        max_age: table.duration("max-age"),
        path: cx.scalar(table, "path", attribute).unwrap_or_else(|| "/".to_owned()),
        domain: cx.scalar(table, "domain", parse::host_name),
    })
}

/// The value of a cookie's attribute.
fn attribute(text: &str) -> Result<String, Invalid> {
    if !text.starts_with('/') || text.contains(';') {
        return Err(Invalid::new("the path of a cookie starts with `/` and has no `;`"));
    }
    parse::header_value(text)
}

fn health_check(cx: &mut Context<'_>, table: &Table) -> Option<HealthCheck> {
    let table = table.table("health-check")?;
    let probe = match table.str("mode") {
        Some("grpc") => Probe::Grpc { service: table.str("grpc-service").unwrap_or_default().to_owned() },
        Some("tcp") => Probe::Tcp,
        _ => Probe::Http {
            path: cx.scalar(table, "path", target_path).unwrap_or_else(|| "/".to_owned()),
            method: cx.scalar(table, "method", parse::method).unwrap_or_else(|| "GET".to_owned()),
            host: cx.scalar(table, "host", authority),
            headers: fields(cx, table, "headers"),
            status: StatusRanges(statuses(table, "status")),
        },
    };
    let interval = table.duration("interval").unwrap_or_default();
    let timeout = table.duration("timeout").unwrap_or_default();
    if timeout > interval {
        let help = "a check that is still running holds up the next one";
        cx.warn(
            "slow-health-check",
            table.span("timeout"),
            "a check may take longer than the time between two",
            help,
        );
    }
    Some(HealthCheck {
        probe,
        interval,
        timeout,
        passes: table.int("passes").unwrap_or(1),
        fails: table.int("fails").unwrap_or(1),
        port: table.int("port"),
    })
}

/// The path and query of a request that this side makes.
fn target_path(text: &str) -> Result<String, Invalid> {
    let sound = text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains('#');
    if sound { Ok(text.to_owned()) } else { Err(Invalid::new("a path starts with `/` and has no spaces")) }
}

/// `host` or `host:port`.
fn authority(text: &str) -> Result<String, Invalid> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let Some((host, port)) = port else { return parse::host_name(text).map(bracketed) };
    if port.parse::<u16>().is_err() || port.starts_with('+') {
        return Err(Invalid::new(format!("`{port}` is no port")));
    }
    Ok(format!("{}:{port}", bracketed(parse::host_name(host)?)))
}

fn bracketed(host: String) -> String {
    if host.contains(':') { format!("[{host}]") } else { host }
}

fn outlier(table: &Table) -> Option<Outlier> {
    let table = table.table("outlier")?;
    Some(Outlier {
        failures: table.int("failures")?,
        window: table.duration("window")?,
        eject: table.duration("eject")?,
    })
}

fn retries(table: &Table) -> Option<Retries> {
    let table = table.table("retries")?;
    let on = |item: &Value| match &item.kind {
        Kind::Integer(code) => u16::try_from(*code).ok().map(RetryOn::Status),
        Kind::String(text) => match &**text {
            "connect" => Some(RetryOn::Connect),
            "reset" => Some(RetryOn::Reset),
            "timeout" => Some(RetryOn::Timeout),
            code => code.parse().ok().map(RetryOn::Status),
        },
        _ => None,
    };
    Some(Retries {
        attempts: table.int("attempts")?,
        on: table.items("on").iter().filter_map(on).collect(),
        budget: table.float("budget")?,
    })
}

fn host_header(cx: &mut Context<'_>, table: &Table) -> HostHeader {
    match table.str("host-header") {
        None | Some("preserve") => HostHeader::Preserve,
        Some("server") => HostHeader::Server,
        Some(_) => {
            cx.scalar(table, "host-header", authority).map_or(HostHeader::Preserve, HostHeader::Literal)
        }
    }
}

fn split(cx: &mut Context<'_>, node: &Node) -> Option<Split> {
    let value = node.table.get("split")?;
    let mut targets = Vec::new();
    for (name, entry) in value.as_table()?.iter() {
        let place = Value::string(name.clone(), entry.key_span);
        let path = node.path.child("split").child(name.clone());
        let Some(service) = targets::reference(cx, &place, &path) else { continue };
        let weight =
            entry.value.as_integer().and_then(|weight| u32::try_from(weight).ok()).unwrap_or_default();
        targets.push((service, weight));
    }
    if value.as_table()?.is_empty() {
        cx.error("invalid-value", value.span, "a split between no services", "name at least one");
    } else if targets.len() == value.as_table()?.iter().count()
        && targets.iter().all(|(_, weight)| *weight == 0)
    {
        cx.error(
            "zero-weights",
            value.span,
            "every weight is 0, so no service takes requests",
            "give one a weight",
        );
    }
    let sticky = sticky(cx, &node.table);
    (!targets.is_empty()).then_some(Split { targets, sticky })
}

fn respond(cx: &mut Context<'_>, table: &Table) -> Option<Respond> {
    let status = statuses(table, "status").first().map_or(200, |&(status, _)| status);
    let body = table.get("body").and_then(Value::text).unwrap_or_else(|| "".into());
    let length = body.expose().len();
    if status < 200 {
        let help = "a final response has a status of 200 or more";
        cx.error("invalid-value", table.span("status"), format!("{status} is no final response"), help);
    }
    if matches!(status, 204 | 304) && length > 0 {
        let message = format!("a response of status {status} has no body");
        cx.error("invalid-value", table.span("body"), message, "leave `body` out");
    }
    if length > limits::SYNTHETIC_BODY_BYTES {
        let message = format!("a body of {length} bytes is held in memory");
        cx.error("invalid-value", table.span("body"), message, "at most 16 MiB");
    }
    Some(Respond { status, body, headers: fields(cx, table, "headers") })
}

fn nothing() -> Respond {
    Respond { status: 503, body: "".into(), headers: Vec::new() }
}

fn redirect(cx: &mut Context<'_>, table: &Table) -> Option<Redirect> {
    let to = cx.scalar(table, "to", redirect_url)?;
    Some(Redirect { to, permanent: table.bool("permanent").unwrap_or_default() })
}

const PLACEHOLDERS: [&str; 6] = ["scheme", "host", "port", "path", "query", "uri"];

fn redirect_url(text: &str) -> Result<String, Invalid> {
    let starts = ["http://", "https://", "{scheme}://", "/"];
    let absolute = starts.into_iter().any(|start| text.starts_with(start)) && !text.starts_with("//");
    if !absolute {
        let error = Invalid::new("a redirect leads to a whole URL or to a path");
        return Err(error.help("for example \"https://{host}{uri}\""));
    }
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        if !PLACEHOLDERS.contains(&name) {
            let error = Invalid::new(format!("there is no placeholder `{{{name}}}`"));
            let near = nearest(name, PLACEHOLDERS).map(|near| format!("did you mean `{{{near}}}`?"));
            let all = || format!("there are {}", PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(", "));
            return Err(error.help(near.unwrap_or_else(all)));
        }
        rest = tail;
    }
    parse::header_value(text)
}

/// Names and values of header fields, in the order written.
pub(super) fn fields(cx: &mut Context<'_>, table: &Table, key: &str) -> Vec<(String, Text)> {
    let mut fields = Vec::new();
    for (name, entry) in table.sub(key).iter() {
        let place = Value::string(name.clone(), entry.key_span);
        let Some(name) = cx.parsed(&place, parse::header_name) else { continue };
        for item in entry.value.items() {
            let Some(value) = cx.parsed(item, parse::header_value) else { continue };
            let value = if item.secret { Text::Secret(Secret::new(value)) } else { value.into() };
            fields.push((name.clone(), value));
        }
    }
    fields
}
