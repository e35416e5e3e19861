//! `@whoami`: shows a request as it arrives at a service, to see what middlewares and proxies in front made of it.

use http::StatusCode;
use http::header::{AUTHORIZATION, COOKIE};
use pn_core::{BuiltinService, Reply, RequestContext};
use std::fmt::Write;

/// Plain text: the connection, the request line, the fields. Credentials are masked.
#[derive(Debug, Default)]
pub struct Whoami;

impl BuiltinService for Whoami {
    fn reply(&self, request: &RequestContext) -> Reply {
        let text = describe(request).unwrap_or_default();
        Reply::text(StatusCode::OK, text)
    }
}

fn describe(request: &RequestContext) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(out, "Client-Ip: {}", request.client_ip())?;
    writeln!(out, "Peer-Ip: {}", request.peer_ip())?;
    writeln!(out, "Listener: {}", request.listener())?;
    writeln!(out, "Site: {}", request.site().unwrap_or_default())?;
    writeln!(out, "Route: {}", request.route().unwrap_or_default())?;
    if let Some(tls) = request.tls() {
        writeln!(out, "Tls: {} {}", tls.version, tls.cipher_suite)?;
        if let Some(client) = &tls.client {
            writeln!(out, "Tls-Client: {} (verified: {})", client.subject, client.verified)?;
        }
    }
    if let Some(user) = request.user() {
        writeln!(out, "User: {user}")?;
    }
    let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
    writeln!(out, "\n{} {}{query} {:?}", request.method(), request.path(), request.version())?;
    writeln!(out, "Host: {}", request.host())?;
    for (name, value) in request.headers() {
        let secret = [AUTHORIZATION.as_str(), COOKIE.as_str()].contains(&name) || looks_secret(name);
        let value = if secret { "***".into() } else { String::from_utf8_lossy(value.as_bytes()) };
        writeln!(out, "{name}: {value}")?;
    }
    Ok(out)
}

/// Names by which applications carry credentials.
fn looks_secret(name: &str) -> bool {
    ["token", "secret", "api-key", "apikey", "password"].iter().any(|word| name.contains(word))
}
