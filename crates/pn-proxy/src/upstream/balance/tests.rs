//! Choices without sockets: proportions, spread, and who is left out.

use super::outlier::failed;
use super::{Random, Tried, Wheel, Wish, choose, choose_split, cookie_value, set_cookie};
use crate::upstream::tests::{node, server};
use http::HeaderValue;
use pn_core::context::FieldValue;
use pn_core::graph::{ServersNode, ServiceId, SplitNode, SplitTarget};
use pn_core::state::BalanceState;
use pn_model::service::{Balance, HashBy, Outlier, SameSite, StickyCookie};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

fn weighted(weights: &[u32], balance: Balance) -> ServersNode {
    let servers = weights.iter().enumerate().map(|(index, &weight)| {
        let mut one = server(format!("http://127.0.0.1:{}", index + 1));
        one.weight = weight;
        one
    });
    let mut node = node(servers.collect());
    for (index, one) in node.servers.iter_mut().enumerate() {
        one.spec.weight = weights[index];
    }
    node.spec.balance = balance;
    node
}

fn wish(tried: &Tried) -> Wish<'_> {
    Wish { client_ip: Ipv4Addr::LOCALHOST.into(), sticky: None, tried, now: 1 }
}

fn ip(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + number * 7).into()
}

/// The choices that one worker makes in a row.
fn choices(node: &ServersNode, count: usize) -> Vec<Option<usize>> {
    let (wheel, random) = (Wheel::new(&node.servers, &node.balance), Random::new(1));
    (0..count).map(|_| choose(node, &wheel, &random, &wish(&Tried::new()))).collect()
}

#[test]
fn a_round_is_smooth_and_in_proportion() {
    for (weights, expected) in [
        (&[1, 1, 1][..], &[0, 1, 2, 0, 1, 2][..]),
        (&[5, 1, 1], &[0, 0, 1, 0, 2, 0, 0]),
        (&[2, 1], &[0, 1, 0, 0, 1, 0]),
        (&[0, 1, 1], &[1, 2, 1, 2]),
        (&[0, 2, 1], &[1, 2, 1]),
        (&[7], &[0, 0]),
    ] {
        let node = weighted(weights, Balance::RoundRobin);
        let expected: Vec<_> = expected.iter().copied().map(Some).collect();
        assert_eq!(choices(&node, expected.len()), expected, "{weights:?}");
    }
}

#[test]
fn workers_do_not_begin_with_the_same_server() {
    let node = weighted(&[1, 1, 1], Balance::RoundRobin);
    let first = |_| choices(&node, 1)[0];
    assert_eq!((0..3).map(first).collect::<Vec<_>>(), [Some(0), Some(1), Some(2)]);
}

#[test]
fn servers_that_are_out_are_passed_over() {
    for balance in [Balance::RoundRobin, Balance::LeastConn, Balance::P2c, Balance::Hash(HashBy::ClientIp)] {
        let node = weighted(&[1, 1, 2, 0], balance.clone());
        node.servers[0].state.healthy.store(false, Relaxed);
        node.servers[1].state.ejected_until.store(100, Relaxed);
        assert!(choices(&node, 20).iter().all(|&choice| choice == Some(2)), "{balance:?}");
        node.servers[2].state.ejected_until.store(100, Relaxed);
        let left = choices(&node, 200);
        assert!(left.iter().all(|&choice| matches!(choice, Some(1 | 2))), "all are ejected: {balance:?}");
        node.servers[1].state.healthy.store(false, Relaxed);
        node.servers[2].state.healthy.store(false, Relaxed);
        assert_eq!(choices(&node, 1), [None], "none is healthy: {balance:?}");
    }
}

#[test]
fn servers_that_were_tried_are_not_chosen_again() {
    for balance in [Balance::RoundRobin, Balance::LeastConn, Balance::P2c, Balance::Hash(HashBy::ClientIp)] {
        let node = weighted(&[1, 1, 1], balance.clone());
        let (wheel, random) = (Wheel::new(&node.servers, &node.balance), Random::new(1));
        let mut tried = Tried::new();
        for _ in 0..3 {
            let next = choose(&node, &wheel, &random, &wish(&tried)).unwrap();
            assert!(!tried.contains(&next), "{balance:?}");
            tried.push(next);
        }
        assert_eq!(choose(&node, &wheel, &random, &wish(&tried)), None, "{balance:?}");
    }
}

#[test]
fn load_goes_where_there_is_least_of_it() {
    let node = weighted(&[1, 1, 2], Balance::LeastConn);
    let load = |loads: [u32; 3]| {
        for (one, load) in node.servers.iter().zip(loads) {
            one.state.in_flight.store(load, Relaxed);
        }
    };
    for (loads, expected) in [([0, 1, 3], 0), ([5, 4, 10], 1), ([5, 5, 8], 2), ([9, 9, 0], 2)] {
        load(loads);
        assert!(choices(&node, 20).iter().all(|&choice| choice == Some(expected)), "{loads:?}");
    }
    load([0, 0, 1]);
    let chosen = choices(&node, 200);
    assert!((0..3).all(|index| chosen.contains(&Some(index))), "ties are broken by chance");
    let node = weighted(&[1, 1], Balance::P2c);
    node.servers[0].state.in_flight.store(10, Relaxed);
    let light = choices(&node, 1000).iter().filter(|&&choice| choice == Some(1)).count();
    assert!(light > 900, "{light}");
}

#[test]
fn clients_move_only_when_their_server_goes() {
    let node = weighted(&[1, 1, 2, 1], Balance::Hash(HashBy::ClientIp));
    let (wheel, random) = (Wheel::new(&node.servers, &node.balance), Random::new(1));
    let of = |number| {
        let none = Tried::new();
        choose(&node, &wheel, &random, &Wish { client_ip: ip(number), ..wish(&none) }).unwrap()
    };
    let before: Vec<usize> = (0..10_000).map(of).collect();
    for (index, share) in [(0, 2000), (1, 2000), (2, 4000), (3, 2000)] {
        let got = before.iter().filter(|&&choice| choice == index).count();
        assert!(got.abs_diff(share) < 200, "server {index}: {got} of {share}");
    }
    node.servers[1].state.healthy.store(false, Relaxed);
    for (number, &was) in (0..).zip(&before) {
        let is = of(number);
        assert!(is != 1 && (was == 1 || is == was), "client {number} moved from {was} to {is}");
    }
}

#[test]
fn ejection_counts_within_the_window_and_spares_the_last() {
    let mut node = weighted(&[1, 1], Balance::RoundRobin);
    let (window, eject) = (Duration::from_nanos(100), Duration::from_nanos(1000));
    node.spec.outlier = Some(Outlier { failures: 3, window, eject });
    let out = |index: usize, now| !node.servers[index].state.available(now);
    let fail = |index, now| failed(&node, "app", index, now);
    for now in [1000, 1050, 1200, 1250] {
        fail(0, now);
        assert!(!out(0, now), "at {now}");
    }
    fail(0, 1270);
    assert!(out(0, 1280) && !out(0, 2280));
    for now in [1300, 1301, 1302, 1303] {
        fail(1, now);
    }
    assert!(!out(1, 1304), "the last one");
}

fn sticky() -> StickyCookie {
    StickyCookie {
        name: "srv".into(),
        secure: false,
        http_only: false,
        same_site: None,
        max_age: None,
        path: "/".into(),
        domain: None,
    }
}

#[test]
fn cookies_are_read_and_written() {
    for (fields, expected) in [
        (&["srv=a"][..], Some("a")),
        (&["x=1; srv=\"b\"; y=2"], Some("b")),
        (&["x=1", "srv=c"], Some("c")),
        (&["srv=a; srv=b"], Some("a")),
        (&["xsrv=a", "srv", ""], None),
    ] {
        let fields: Vec<HeaderValue> =
            fields.iter().map(|field| HeaderValue::from_str(field).unwrap()).collect();
        assert_eq!(cookie_value(fields.iter().map(FieldValue::from), "srv"), expected, "{fields:?}");
    }
    let full = StickyCookie {
        secure: true,
        http_only: true,
        same_site: Some(SameSite::None),
        max_age: Some(Duration::from_secs(60)),
        path: "/app".into(),
        domain: Some("app.example".into()),
        ..sticky()
    };
    let text = "srv=v; Path=/app; Domain=app.example; Max-Age=60; Secure; HttpOnly; SameSite=None";
    assert_eq!(set_cookie(&full, "v").unwrap(), text);
    assert_eq!(set_cookie(&sticky(), "v").unwrap(), "srv=v; Path=/");
    assert_eq!(set_cookie(&StickyCookie { path: "/\n".into(), ..sticky() }, "v"), None);
}

#[test]
fn a_split_is_in_proportion_from_the_start_and_can_stick() {
    let target = |(service, weight): (u32, u32)| SplitTarget {
        service: ServiceId(service),
        weight,
        cookie: format!("t{service}").into(),
    };
    let mut split = SplitNode {
        targets: [(0, 90), (1, 10), (2, 0)].map(target).into(),
        total: 100,
        sticky: None,
        balance: Arc::new(BalanceState::default()),
    };
    for _ in 0..10 {
        let chosen: Vec<u32> = (0..100).map(|_| choose_split(&split, [].into_iter()).unwrap().0.0).collect();
        let small = chosen.iter().filter(|&&service| service == 1).count();
        assert!((9..=11).contains(&small) && !chosen.contains(&2), "{small}");
    }
    split.sticky = Some(sticky());
    let (service, cookie) = choose_split(&split, [].into_iter()).unwrap();
    assert_eq!(cookie.unwrap(), format!("srv=t{}; Path=/", service.0));
    for (field, expected) in [("srv=t1", 1), ("srv=t2", 2)] {
        let (service, cookie) =
            choose_split(&split, [(&HeaderValue::from_static(field)).into()].into_iter()).unwrap();
        assert_eq!((service.0, cookie), (expected, None), "{field}");
    }
    split.total = 0;
    split.targets = Box::default();
    assert_eq!(choose_split(&split, [].into_iter()), None);
}
