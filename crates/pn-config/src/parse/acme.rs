//! What ACME issuers are told: directories, URLs, name servers, keys in base64.

use super::{Invalid, host_name};
use crate::schema::suggest::nearest;
use pn_model::acme::{DIRECTORIES, KnownDirectory};
use std::net::IpAddr;

/// The URL of a directory: https, or http to this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) url: String,
    pub(crate) known: Option<&'static KnownDirectory>,
    /// Whether it is on this machine.
    pub(crate) loopback: bool,
}

/// The URL that the text stands for where an issuer's `directory` says it; with the errors of that.
pub fn acme_directory(text: &str) -> Result<String, Invalid> {
    directory(text).map(|directory| directory.url)
}

/// A name of [`DIRECTORIES`] or a URL.
pub(crate) fn directory(text: &str) -> Result<Directory, Invalid> {
    if let Some(known) = DIRECTORIES.iter().find(|known| known.name == text || known.url == text) {
        return Ok(Directory { url: known.url.to_owned(), known: Some(known), loopback: false });
    }
    if !text.contains("://") {
        return Err(no_directory(text));
    }
    let Url { text, secure, loopback } = url(text)?;
    if !secure && !loopback {
        let help = "write https:// (plain http is taken from this machine only)";
        return Err(Invalid::new("the directory of a CA is reached by https").help(help));
    }
    Ok(Directory { url: text, known: None, loopback })
}

fn no_directory(text: &str) -> Invalid {
    let names = || DIRECTORIES.iter().map(|known| known.name);
    let error = Invalid::new(format!("there is no directory `{text}`"));
    match nearest(text, names()) {
        Some(name) => error.help(format!("did you mean `{name}`?")),
        None => error.help(format!("one of {}, or a URL", names().collect::<Vec<_>>().join(", "))),
    }
}

/// A URL of a service that decides: https, or http to this machine, so that nobody on the way decides in its place.
pub(crate) fn deciding_url(text: &str) -> Result<String, Invalid> {
    let Url { text, secure, loopback } = url(text)?;
    if !secure && !loopback {
        let help = "write https:// (plain http is taken from this machine only)";
        return Err(Invalid::new("who decides about certificates is reached by https").help(help));
    }
    Ok(text)
}

/// A URL of a service that is asked: `http://` or `https://`.
pub(crate) fn service_url(text: &str) -> Result<String, Invalid> {
    url(text).map(|url| url.text)
}

struct Url {
    text: String,
    secure: bool,
    loopback: bool,
}

/// Scheme and host in lower case, the rest as it was written.
fn url(text: &str) -> Result<Url, Invalid> {
    let wrong =
        |why: &str| Invalid::new(format!("this is no URL: {why}")).help("write \"https://host/path\"");
    let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    let secure = match scheme.to_ascii_lowercase().as_str() {
        "https" => true,
        "http" => false,
        _ => return Err(wrong("its scheme is neither https nor http")),
    };
    if !rest.bytes().all(|b| b.is_ascii_graphic()) || rest.contains('#') {
        return Err(wrong("it has white space, a fragment, or characters beyond ASCII"));
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(Invalid::new("a URL carries no credentials here"));
    }
    let (host, port) = host_port(authority)?;
    let scheme = if secure { "https" } else { "http" };
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let path = if path.is_empty() { "/" } else { path };
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    Ok(Url { text: format!("{scheme}://{}{port}{path}", bracketed(&host)), secure, loopback })
}

/// `host:port` of a name server, 53 where no port is written.
pub(crate) fn name_server(text: &str) -> Result<String, Invalid> {
    let bare: Option<IpAddr> = text.parse().ok();
    let (host, port) = match bare {
        Some(ip) => (ip.to_string(), None),
        None => host_port(text)?,
    };
    Ok(format!("{}:{}", bracketed(&host), port.unwrap_or(53)))
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn host_port(text: &str) -> Result<(String, Option<u16>), Invalid> {
    let bare = text.ends_with(']') || !text.contains(':');
    let Some((host, port)) = text.rsplit_once(':').filter(|_| !bare) else {
        return Ok((host_name(text)?, None));
    };
    let port = port.parse().ok().filter(|&port| port != 0);
    let port: u16 = port.ok_or_else(|| Invalid::new(format!("`{text}` has no port from 1 to 65535")))?;
    if host.contains(':') && !host.starts_with('[') {
        return Err(Invalid::new(format!("`{text}` has an IPv6 address that does not stand in brackets")));
    }
    Ok((host_name(host)?, Some(port)))
}

/// An address for mail, without `mailto:`.
pub(crate) fn email(text: &str) -> Result<String, Invalid> {
    if text.starts_with("mailto:") {
        return Err(Invalid::new("an address stands without `mailto:`"));
    }
    let sound = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        && text.matches('@').count() == 1
        && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b',' | b'?' | b'<' | b'>'));
    if sound { Ok(text.to_owned()) } else { Err(Invalid::new(format!("`{text}` is no address for mail"))) }
}

/// The key of an external account in base64url, without padding. What some CAs print (`+`, `/`, `=`) is taken too.
pub(crate) fn base64url(text: &str) -> Result<String, Invalid> {
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let sound = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if sound && !text.is_empty() && text.len() % 4 != 1 {
        return Ok(text);
    }
    Err(Invalid::new("this key is not base64url").help("copy it as the CA shows it"))
}

/// The secret of a TSIG key in base64, padded.
pub(crate) fn base64(text: &str) -> Result<String, Invalid> {
    let bare = text.trim_end_matches('=');
    let sound = bare.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
    if sound && !bare.is_empty() && text.len().is_multiple_of(4) && text.len() - bare.len() <= 2 {
        return Ok(text.to_owned());
    }
    Err(Invalid::new("this key is not base64").help("copy the `secret` of what `tsig-keygen` prints"))
}

/// The name of a TSIG key: a domain name (RFC 8945 section 4.2), lower-case, without a trailing dot.
pub(crate) fn key_name(text: &str) -> Result<String, Invalid> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let sound = name.len() <= 253 && name.split('.').all(label);
    if sound { Ok(name) } else { Err(Invalid::new(format!("`{text}` is no name of a TSIG key"))) }
}
