//! Addresses: what listeners bind, where upstream servers are, and networks.

use super::{Invalid, host_name};
use ipnet::IpNet;
use pn_model::listener::BindAddress;
use pn_model::service::{UpstreamAddress, UpstreamScheme};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

/// A server as a URL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// The normal form: lower-case, no default port, no trailing slash.
    pub url: String,
    pub scheme: UpstreamScheme,
    pub address: UpstreamAddress,
}

/// `"0.0.0.0:80"`, `"[::1]:80"`, `":80"` (the same as `"[::]:80"`: both families), `"unix:/path"`, `"fd:web"`.
pub(crate) fn bind_address(text: &str) -> Result<BindAddress, Invalid> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix_path(path).map(BindAddress::Unix);
    }
    if let Some(name) = text.strip_prefix("fd:") {
        let sound = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b':');
        return if sound {
            Ok(BindAddress::Fd(name.to_owned()))
        } else {
            Err(Invalid::new("a socket handed over has the name of its unit's FileDescriptorName"))
        };
    }
    if text.ends_with("/udp") {
        return Err(Invalid::new("UDP listeners are not in this version"));
    }
    socket_address(text).map(BindAddress::Tcp)
}

/// `"127.0.0.1:8079"`, `"[::1]:8079"`, `":8079"` (both families).
fn socket_address(text: &str) -> Result<SocketAddr, Invalid> {
    if let Some(port) = text.strip_prefix(':') {
        return Ok(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), number(port).ok_or_else(|| no_port(text))?));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return match address.port() {
            0 => Err(no_port(text)),
            _ => Ok(address),
        };
    }
    let error = Invalid::new(format!("`{text}` is no address to listen on"));
    Err(if text.parse::<IpAddr>().is_ok() {
        error.help("it lacks its port: \"127.0.0.1:8080\", \"[::1]:8080\"")
    } else if number(text).is_some() {
        error.help(format!("write \":{text}\" for every address of this machine"))
    } else if text.strip_prefix("localhost:").is_some_and(|port| number(port).is_some()) {
        error.help("names are not looked up here; write 127.0.0.1 or [::1]")
    } else {
        error.help("addresses are written like \"0.0.0.0:80\", \":80\", \"[::1]:80\", \"unix:/path\"")
    })
}

/// `http://`, `https://` and `h2c://` URLs without a path, `host:port` (plain HTTP), `unix:/path`,
/// `unix+h2c:/path`.
pub(crate) fn upstream(text: &str) -> Result<Upstream, Invalid> {
    if let Some((scheme, path)) = unix(text) {
        let path = unix_path(path)?;
        let url = text.to_owned();
        return Ok(Upstream { url, scheme, address: UpstreamAddress::Unix(path) });
    }
    let (scheme, name, rest) = match text.split_once("://") {
        Some(("http", rest)) => (UpstreamScheme::Http, "http", rest),
        Some(("https", rest)) => (UpstreamScheme::Https, "https", rest),
        Some(("h2c", rest)) => (UpstreamScheme::H2c, "h2c", rest),
        Some((other, _)) => {
            let error = Invalid::new(format!("`{other}` is no scheme of an upstream"));
            return Err(error.help("http, https, h2c or unix"));
        }
        None => (UpstreamScheme::Http, "http", text),
    };
    let default = if scheme == UpstreamScheme::Https { 443 } else { 80 };
    let (host, port) = authority(text, rest)?;
    if port.is_none() && !text.contains("://") {
        return Err(
            Invalid::new(format!("`{text}` lacks its port")).help("servers are URLs or \"host:port\"")
        );
    }
    let port = port.unwrap_or(default);
    let shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let url = if port == default { format!("{name}://{shown}") } else { format!("{name}://{shown}:{port}") };
    let address = match host.parse::<IpAddr>() {
        Ok(ip) => UpstreamAddress::Socket(SocketAddr::new(ip, port)),
        Err(_) => UpstreamAddress::Name { host, port },
    };
    Ok(Upstream { url, scheme, address })
}

/// `10.0.0.0/8`, `fd00::/8`, or one address. Bits beyond the prefix are refused: they hide a slip of the pen.
pub(crate) fn network(text: &str) -> Result<IpNet, Invalid> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let Ok(net) = text.parse::<IpNet>() else {
        let error = Invalid::new(format!("`{text}` is neither an address nor a network"));
        return Err(error.help("write \"10.0.0.1\", \"10.0.0.0/8\" or \"fd00::/8\""));
    };
    if net.addr() != net.network() {
        let error = Invalid::new(format!("`{text}` has bits beyond its prefix"));
        return Err(error.help(format!(
            "the network is \"{}\", the address \"{}\"",
            net.trunc(),
            net.addr()
        )));
    }
    Ok(unmapped(net))
}

/// IPv4 written as IPv6 is IPv4: peers are compared so.
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
        (Some(address), Some(prefix)) => IpNet::new(address.into(), prefix).unwrap_or(net),
        _ => net,
    }
}

fn unix(text: &str) -> Option<(UpstreamScheme, &str)> {
    let plain = text.strip_prefix("unix:").map(|path| (UpstreamScheme::Http, path));
    plain.or_else(|| text.strip_prefix("unix+h2c:").map(|path| (UpstreamScheme::H2c, path)))
}

/// Linux holds at most 107 bytes of it (`sun_path`).
fn unix_path(path: &str) -> Result<PathBuf, Invalid> {
    if !path.starts_with('/') || path.starts_with("//") || path.contains('\0') {
        return Err(Invalid::new("a unix socket has an absolute path").help("write \"unix:/run/app.sock\""));
    }
    if path.len() > 107 {
        return Err(Invalid::new("the path of a unix socket has at most 107 bytes"));
    }
    Ok(PathBuf::from(path))
}

/// Host and port of a URL that has nothing else.
fn authority(text: &str, rest: &str) -> Result<(String, Option<u16>), Invalid> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('@') {
        let help = "set the Authorization field with a `headers` middleware";
        return Err(Invalid::new("the URL of a server carries no credentials").help(help));
    }
    if rest.contains(['/', '?', '#']) {
        let error = Invalid::new("the URL of a server has no path");
        return Err(error.help("`add-prefix` or `replace-path` change the path of requests"));
    }
    let bare = rest.ends_with(']') || !rest.contains(':');
    let (host, port) = match rest.rsplit_once(':').filter(|_| !bare) {
        Some((host, port)) => (host, Some(number(port).ok_or_else(|| no_port(text))?)),
        None => (rest, None),
    };
    if host.contains(':') && !host.starts_with('[') {
        return Err(Invalid::new("an IPv6 address in a URL stands in brackets"));
    }
    Ok((host_name(host)?, port))
}

/// A port from 1 to 65535.
fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|&port| port != 0)
}

fn no_port(text: &str) -> Invalid {
    Invalid::new(format!("`{text}` has no port from 1 to 65535"))
}
