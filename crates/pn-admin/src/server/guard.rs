//! Who may ask. The address is private, but a browser on the same machine can be made to send requests there: by a name
//! that an attacker lets resolve to it (DNS rebinding), or by a form on a foreign page (CSRF). Names that only a private
//! network knows, and addresses, cannot be had by an attacker.

use http::header::{HOST, HeaderMap, ORIGIN};
use http::uri::Authority;
use http::{HeaderValue, Uri};
use std::net::IpAddr;

/// How the request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// To this address of ours.
    Tcp(IpAddr),
    /// By a socket that only its owner can open.
    Unix,
}

/// Why it is refused, for whoever reads the answer.
pub(crate) type Refusal = &'static str;

/// For pages that show the configuration.
pub(crate) fn may_read(came: Came, headers: &HeaderMap) -> Result<(), Refusal> {
    if came == Came::Unix || host(headers).is_some_and(|host| is_ours(&host)) {
        return Ok(());
    }
    Err("ask by IP address or as localhost: other names could be anybody's (DNS rebinding)\n")
}

/// For requests that change something.
pub(crate) fn may_change(came: Came, headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get_all(ORIGIN).iter().any(|origin| !is_own_origin(origin, headers)) {
        return Err("pages of other origins may not ask for changes\n");
    }
    let Came::Tcp(local) = came else { return Ok(()) };
    let named = host(headers).is_some_and(|host| is_loopback(&host) || host.parse() == Ok(local));
    if named { Ok(()) } else { Err("changes are only taken by loopback or the server's own address\n") }
}

fn host(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(HOST).iter();
    let authority: Authority = all.next()?.to_str().ok()?.parse().ok()?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    all.next().is_none().then_some(host)
}

fn is_ours(host: &str) -> bool {
    is_loopback(host) || host.parse::<IpAddr>().is_ok()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

fn is_own_origin(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let uri = origin.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
    let authority = uri.as_ref().and_then(Uri::authority).map(Authority::as_str);
    let own = headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.is_some() && authority == own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &str, origin: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(HOST, host), (ORIGIN, origin)] {
            if !value.is_empty() {
                headers.insert(name, value.parse().unwrap());
            }
        }
        headers
    }

    #[test]
    fn who_may_ask() {
        let local = Came::Tcp([10, 0, 0, 5].into());
        for (came, host, origin, reads, changes) in [
            (local, "127.0.0.1:8079", "", true, true),
            (local, "localhost:8079", "", true, true),
            (local, "[::1]:8079", "", true, true),
            (local, "10.0.0.5:8079", "", true, true),
            (local, "10.0.0.6:8079", "", true, false),
            (local, "evil.example:8079", "", false, false),
            (local, "localhost.evil.example", "", false, false),
            (local, "", "", false, false),
            (local, "localhost:8079", "http://localhost:8079", true, true),
            (local, "localhost:8079", "http://evil.example", true, false),
            (local, "localhost:8079", "http://localhost:3000", true, false),
            (local, "localhost:8079", "null", true, false),
            (Came::Unix, "anything", "", true, true),
            (Came::Unix, "", "", true, true),
            (Came::Unix, "x", "http://evil.example", true, false),
        ] {
            let headers = headers(host, origin);
            assert_eq!(may_read(came, &headers).is_ok(), reads, "read {host} {origin}");
            assert_eq!(may_change(came, &headers).is_ok(), changes, "change {host} {origin}");
        }
    }
}
