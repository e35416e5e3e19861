//! Redirects that the proxy itself gives: plain HTTP to HTTPS, and services of the kind `redirect`.

use http::header::{HeaderValue, LOCATION};
use http::{Method, StatusCode};
use pn_core::{ErrorKind, ProxyError, Reply, RequestContext};
use pn_model::service::Redirect;

/// To the same URL over HTTPS, for good.
pub(crate) fn to_https(cx: &RequestContext, port: u16) -> Reply {
    let host = bracketed(cx.host());
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let query = cx.query().map(|query| format!("?{query}")).unwrap_or_default();
    redirect(cx.method(), true, &format!("https://{host}{port}{}{query}", cx.path()))
}

/// Replaces `{scheme}`, `{host}`, `{port}`, `{path}`, `{query}` and `{uri}`.
pub(crate) fn by_service(spec: &Redirect, cx: &RequestContext) -> Reply {
    let port = cx.port().unwrap_or_else(|| cx.scheme().default_port()).to_string();
    let query = cx.query().unwrap_or_default();
    let uri = if query.is_empty() { cx.path().to_owned() } else { format!("{}?{query}", cx.path()) };
    let host = bracketed(cx.host());
    let parts = [
        ("{scheme}", cx.scheme().as_str()),
        ("{host}", &*host),
        ("{port}", &*port),
        ("{path}", cx.path()),
        ("{query}", query),
        ("{uri}", &*uri),
    ];
    redirect(cx.method(), spec.permanent, &fill(&spec.to, &parts))
}

/// One pass, so that what a client sent is never taken for a placeholder.
fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + 64);
    let mut rest = template;
    while let Some((before, from)) = rest.find('{').map(|at| rest.split_at(at)) {
        out.push_str(before);
        match parts.iter().find_map(|(name, value)| Some((from.strip_prefix(name)?, value))) {
            Some((after, value)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = from.strip_prefix('{').unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// 302 and 301 let a client turn into GET, so that they are for GET and HEAD; 307 and 308 keep the method.
fn redirect(method: &Method, permanent: bool, location: &str) -> Reply {
    let safe = matches!(*method, Method::GET | Method::HEAD);
    let status = match (safe, permanent) {
        (true, true) => StatusCode::MOVED_PERMANENTLY,
        (true, false) => StatusCode::FOUND,
        (false, true) => StatusCode::PERMANENT_REDIRECT,
        (false, false) => StatusCode::TEMPORARY_REDIRECT,
    };
    match HeaderValue::from_str(location) {
        Ok(location) => Reply::new(status).with_header(LOCATION, location),
        Err(cause) => ProxyError::new(ErrorKind::RequestMalformed).caused_by(cause).to_reply(),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::fill;

    #[test]
    fn placeholders_are_filled_once() {
        let parts = [("{host}", "a.example"), ("{path}", "/{host}")];
        for (template, expected) in [
            ("https://{host}{path}", "https://a.example/{host}"),
            ("{nothing}{", "{nothing}{"),
            ("", ""),
            ("{{host}}", "{a.example}"),
        ] {
            assert_eq!(fill(template, &parts), expected, "{template}");
        }
    }
}
