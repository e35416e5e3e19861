//! Which server takes a request.

mod hash;
mod outlier;
mod split;
mod sticky;
mod wheel;

pub(super) use outlier::failed;
pub(super) use split::choose_split;
pub(super) use sticky::{cookie_value, set_cookie};
pub(super) use wheel::Wheel;

use pn_core::graph::{ServerNode, ServersNode};
use pn_model::service::Balance;
use smallvec::SmallVec;
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;

/// What a choice goes by.
pub(super) struct Wish<'a> {
    pub(super) client_ip: IpAddr,
    /// The value of the sticky cookie, when the service has one and the client sent it.
    pub(super) sticky: Option<&'a str>,
    /// Servers that failed this request.
    pub(super) tried: &'a Tried,
    pub(super) now: u64,
}

pub(super) type Tried = SmallVec<[usize; 4]>;

/// A server that may take the request, or `None`.
///
/// Servers that active checks found down take nothing. Servers that were ejected as outliers take nothing while there
/// is another; when all that are healthy are ejected, they take requests as if none were: failures that hit everybody
/// say little about anybody.
pub(super) fn choose(
    service: &ServersNode,
    wheel: &Wheel,
    random: &Random,
    wish: &Wish<'_>,
) -> Option<usize> {
    let may =
        |index: usize, node: &ServerNode| node.state.available(wish.now) && !wish.tried.contains(&index);
    if let Some(value) = wish.sticky
        && let Some(index) = sticky::find(&service.servers, value, may)
    {
        return Some(index);
    }
    let takes_new = |index: usize, node: &ServerNode| node.spec.weight > 0 && may(index, node);
    among(service, wheel, random, wish.client_ip, takes_new).or_else(|| {
        let healthy = |index: usize, node: &ServerNode| {
            node.spec.weight > 0 && node.state.healthy.load(Relaxed) && !wish.tried.contains(&index)
        };
        among(service, wheel, random, wish.client_ip, healthy)
    })
}

fn among(
    service: &ServersNode,
    wheel: &Wheel,
    random: &Random,
    client_ip: IpAddr,
    may: impl Fn(usize, &ServerNode) -> bool,
) -> Option<usize> {
    let servers = &*service.servers;
    if let [only] = servers {
        return may(0, only).then_some(0);
    }
    match &service.spec.balance {
        Balance::RoundRobin => wheel.next(servers, may),
        Balance::LeastConn => least_loaded(servers, random, may),
        Balance::P2c => two_choices(servers, random, may),
        Balance::Hash(pn_model::service::HashBy::ClientIp) => hash::choose(servers, client_ip, may),
    }
}

/// Fewest requests in flight for its weight; ties go to whichever comes first from a random start.
fn least_loaded(
    servers: &[ServerNode],
    random: &Random,
    may: impl Fn(usize, &ServerNode) -> bool,
) -> Option<usize> {
    let start = random.below(servers.len());
    let candidates = from_start(servers, start).filter(|&(index, node)| may(index, node));
    candidates.min_by(|a, b| lighter(a.1, b.1)).map(|(i, _)| i)
}

/// The lighter of two random servers; when chance finds only ones that are out, the lightest of all.
fn two_choices(
    servers: &[ServerNode],
    random: &Random,
    may: impl Fn(usize, &ServerNode) -> bool,
) -> Option<usize> {
    const TRIES: usize = 4;
    let draw = |not: Option<usize>| {
        let drawn = (0..TRIES).map(|_| random.below(servers.len()));
        let mut drawn = drawn.filter_map(|index| servers.get(index).map(|node| (index, node)));
        drawn.find(|&(index, node)| Some(index) != not && may(index, node))
    };
    match draw(None) {
        None => least_loaded(servers, random, may),
        Some((one, node)) => match draw(Some(one)) {
            Some((other, second)) if lighter(second, node).is_lt() => Some(other),
            _ => Some(one),
        },
    }
}

/// All servers with their indices, beginning at `start` and going round.
fn from_start(servers: &[ServerNode], start: usize) -> impl Iterator<Item = (usize, &ServerNode)> {
    let (before, after) = servers.split_at(start.min(servers.len()));
    let after = after.iter().enumerate().map(move |(index, node)| (index + start, node));
    after.chain(before.iter().enumerate())
}

/// Compares loads by weight without dividing.
fn lighter(a: &ServerNode, b: &ServerNode) -> std::cmp::Ordering {
    let load = |node: &ServerNode, by: &ServerNode| {
        (u64::from(node.state.in_flight.load(Relaxed)) + 1) * u64::from(by.spec.weight)
    };
    load(a, b).cmp(&load(b, a))
}

/// Marsaglia's xorshift64: cheap, and not for secrets.
pub(super) struct Random(Cell<u64>);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(Cell::new(hash::mix(seed) | 1))
    }

    pub(super) fn next(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        x
    }

    /// Less than `end`, which is not 0.
    fn below(&self, end: usize) -> usize {
        scale(self.next(), end as u64) as usize
    }
}

/// Maps all of `u64` evenly to what is less than `end`.
fn scale(value: u64, end: u64) -> u64 {
    ((u128::from(value) * u128::from(end)) >> 64) as u64
}

#[cfg(test)]
mod tests;
