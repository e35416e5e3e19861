//! Weighted rendezvous hashing: a client keeps its server for as long as that is there, a server that goes gives its
//! clients to all others in proportion to their weights, and nobody else moves. The same in every worker, after every
//! restart, on every machine.

use pn_core::graph::ServerNode;
use std::net::IpAddr;

pub(super) fn choose(
    servers: &[ServerNode],
    client_ip: IpAddr,
    may: impl Fn(usize, &ServerNode) -> bool,
) -> Option<usize> {
    let client = of_ip(client_ip);
    let candidates = servers.iter().enumerate().filter(|&(index, node)| may(index, node));
    let scored = candidates.map(|(index, node)| (index, score(client, node)));
    scored.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
}

/// `-weight / ln(u)` with `u` evenly spread over (0, 1): the largest wins in proportion to the weights.
fn score(client: u64, node: &ServerNode) -> f64 {
    let hash = mix(client ^ of_bytes(node.cookie.as_bytes()));
    // 53 bits are what a float holds; the half keeps clear of both ends.
    let unit = ((hash >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(node.spec.weight) / unit.ln()
}

/// A client is its IPv4 address, or the /64 of its IPv6 address: hosts change the rest as they like.
fn of_ip(ip: IpAddr) -> u64 {
    match ip.to_canonical() {
        IpAddr::V4(ip) => mix(u64::from(ip.to_bits())),
        IpAddr::V6(ip) => mix((ip.to_bits() >> 64) as u64),
    }
}

/// FNV-1a.
fn of_bytes(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The finaliser of splitmix64.
pub(super) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
