//! Sockets that exclude each other.

use crate::diagnostic::Diagnostic;
use crate::lower::Context;
use crate::value::Span;
use pn_model::listener::BindAddress;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

pub(super) fn clashes(cx: &mut Context<'_>) {
    let mut seen: BTreeMap<_, Vec<(BindAddress, String, Span)>> = BTreeMap::new();
    let mut found = Vec::new();
    for (address, owner, span) in &cx.bound {
        let earlier = seen.entry(slot(address)).or_default();
        let clash = earlier.iter().find(|(other, ..)| clash(address, other));
        if let Some((other, other_owner, other_span)) = clash {
            let message =
                format!("{} of {owner} clashes with {} of {other_owner}", show(address), show(other));
            // Of a built-in listener nothing was written; then the other place stands alone.
            let diagnostic =
                Diagnostic::error("listener-clash", message).at(*span, "").at(*other_span, "the other one");
            found.push(diagnostic.help(help(address, other, other_span.is_none() || span.is_none())));
        }
        earlier.push((address.clone(), owner.clone(), *span));
    }
    found.into_iter().for_each(|diagnostic| cx.push(diagnostic));
}

/// Addresses of different slots never clash.
fn slot(address: &BindAddress) -> (u8, String) {
    match address {
        BindAddress::Tcp(address) => (0, address.port().to_string()),
        BindAddress::Unix(path) => (1, path.display().to_string()),
        BindAddress::Fd(name) => (2, name.clone()),
    }
}

/// Of one slot. `[::]` takes IPv4 as well.
fn clash(a: &BindAddress, b: &BindAddress) -> bool {
    let (BindAddress::Tcp(a), BindAddress::Tcp(b)) = (a, b) else { return true };
    let takes = |wide: &SocketAddr, other: &SocketAddr| match wide.ip() {
        IpAddr::V6(ip) => ip.is_unspecified(),
        IpAddr::V4(ip) => ip.is_unspecified() && other.is_ipv4(),
    };
    a.ip() == b.ip() || takes(a, b) || takes(b, a)
}

fn help(a: &BindAddress, b: &BindAddress, built_in: bool) -> &'static str {
    let both = |address: &BindAddress| matches!(address, BindAddress::Tcp(address) if address.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED));
    let v4 = |address: &BindAddress| matches!(address, BindAddress::Tcp(address) if address.is_ipv4());
    match (a, b) {
        _ if built_in => {
            "`web` (port 80) and `websecure` (port 443) exist unless overridden: change that listener instead"
        }
        (a, b) if (both(a) && v4(b)) || (both(b) && v4(a)) => "`[::]` takes IPv4 as well: keep only that one",
        _ => "keep one of them, or give one another port",
    }
}

fn show(address: &BindAddress) -> String {
    match address {
        BindAddress::Tcp(address) => format!("`{address}`"),
        BindAddress::Unix(path) => format!("`unix:{}`", path.display()),
        BindAddress::Fd(name) => format!("`fd:{name}`"),
    }
}
