//! Which server takes a request: turns, loads, hashes, and the shares of a split.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use pn_testkit::{Load, Origin, PATIENCE, Proxy, RawClient, RawOrigin, h2load, wait_until};

use crate::rig::{self, HOST, OK};

#[test]
fn turns_go_by_weight() {
    let rows: [([u32; 3], [usize; 3]); 4] = [
        ([1, 1, 1], [12, 12, 12]),
        ([1, 2, 3], [6, 12, 18]),
        ([5, 3, 1], [20, 12, 4]),
        ([0, 1, 1], [0, 18, 18]),
    ];
    for (weights, expected) in rows {
        let origins = rig::named(["red", "green", "blue"]);
        let entries = origins.iter().zip(weights);
        let entries =
            entries.map(|(one, weight)| format!("{{ url = {:?}, weight = {weight} }}", rig::url(one)));
        let proxy = rig::start(&format!("servers = [{}]", entries.collect::<Vec<_>>().join(", ")));
        for _ in 0..36 {
            assert_eq!(rig::get(&proxy, "/").status, 200);
        }
        assert_eq!(rig::shares(&origins), expected, "{weights:?}");
    }
}

#[test]
fn turns_go_by_weight_over_all_workers_and_connections() {
    let origins = rig::named(["red", "green", "blue"]);
    let entries = origins.iter().zip([1, 2, 3]);
    let entries = entries.map(|(one, weight)| format!("{{ url = {:?}, weight = {weight} }}", rig::url(one)));
    let config = rig::config(&format!("servers = [{}]", entries.collect::<Vec<_>>().join(", ")));
    let proxy = Proxy::start(&config.replace("workers = 1", "workers = 4"));
    let url = format!("http://{}/bytes/10", proxy.addr("web"));
    let host = format!(":authority: {HOST}");
    let load = h2load(&["--h1", "-n", "1200", "-c", "12", "-H", &host, &url]);
    Load::of_h2load(load, PATIENCE).expect_clean();
    // Each worker is at most one round of six away from the shares.
    let got = rig::shares(&origins);
    for (got, expected) in got.iter().zip([200_usize, 400, 600]) {
        assert!(got.abs_diff(expected) <= 12, "{got} is not near {expected}");
    }
    assert_eq!(got.iter().sum::<usize>(), 1200);
}

#[test]
fn a_split_keeps_its_shares() {
    for ((stable, canary), expected) in [((90, 10), 90), ((1, 1), 50), ((3, 1), 75), ((1, 0), 100)] {
        let origins = rig::named(["stable", "canary"]);
        let [first, second] = [&origins[0], &origins[1]].map(rig::url);
        let proxy = rig::start(&format!(
            "split = {{ stable = {stable}, canary = {canary} }}\n\
             [services.stable]\nservers = [{first:?}]\n[services.canary]\nservers = [{second:?}]\n"
        ));
        for _ in 0..100 {
            assert_eq!(rig::get(&proxy, "/").status, 200);
        }
        let got = rig::shares(&origins);
        assert!(got[0].abs_diff(expected) <= 1 && got[0] + got[1] == 100, "{stable}:{canary} gave {got:?}");
    }
}

/// Answers at once, but for `/hold`, which it answers never.
fn holding() -> RawOrigin {
    RawOrigin::start(|wire| {
        loop {
            if wire.read_head()?.starts_with("GET /hold ") {
                return wire.stall();
            }
            wire.send(OK)?;
        }
    })
}

fn asked(origin: &RawOrigin, path: &str) -> usize {
    origin.all_received().matches(&format!("GET {path} HTTP/1.1\r\n")).count()
}

#[test]
fn a_busy_server_is_spared() {
    // Of 64 requests, the most that may go to the server that holds one already.
    for (balance, least, most) in [("round-robin", 32, 32), ("least-conn", 0, 0), ("p2c", 0, 16)] {
        let origins = [holding(), holding()];
        let urls = [&origins[0], &origins[1]].map(rig::raw_url);
        let proxy = rig::start(&format!("servers = {urls:?}\nbalance = {balance:?}"));
        let mut held = RawClient::connect(proxy.addr("web"));
        held.send(format!("GET /hold HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
        wait_until("the held request", || origins.iter().any(|origin| asked(origin, "/hold") == 1));
        let busy = &origins[usize::from(asked(&origins[1], "/hold") == 1)];
        for _ in 0..64 {
            assert_eq!(rig::get(&proxy, "/").status, 200);
        }
        let got = asked(busy, "/");
        assert!((least..=most).contains(&got), "{balance}: {got} of 64 went to the busy server");

        // Once it is free it has its share again.
        drop(held);
        wait_until("the held request to end", || {
            rig::get(&proxy, "/after");
            origins.iter().all(|origin| asked(origin, "/after") >= 4)
        });
    }
}

#[test]
fn whatever_is_under_way_counts_as_load() {
    let upgrade = "Connection: upgrade\r\nUpgrade: echo\r\n";
    let rows = [
        ("http", "/slow/600000", ""),
        ("http", "/endless", ""),
        ("http", "/upgrade", upgrade),
        ("h2c", "/slow/600000", ""),
        ("h2c", "/endless", ""),
    ];
    for (scheme, path, fields) in rows {
        let origins = [0, 1].map(|_| if scheme == "http" { Origin::http1() } else { Origin::h2c() });
        let urls = [&origins[0], &origins[1]].map(|origin| format!("{scheme}://{}", origin.addr()));
        let proxy = rig::start(&format!("servers = {urls:?}\nbalance = \"least-conn\""));
        let mut held = RawClient::connect(proxy.addr("web"));
        held.send(format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{fields}\r\n"));
        wait_until("the held request", || origins.iter().any(|origin| !origin.requests().is_empty()));
        if path != "/slow/600000" {
            held.read_until("\r\n\r\n");
        }
        let busy = usize::from(!origins[1].requests().is_empty());
        for _ in 0..16 {
            assert_eq!(rig::get(&proxy, "/").status, 200, "{scheme} {path}");
        }
        assert_eq!(rig::shares([&origins[busy], &origins[1 - busy]]), [1, 16], "{scheme} {path}");
        drop(held);
        wait_until("the held request to end", || {
            rig::get(&proxy, "/");
            rig::shares([&origins[busy]])[0] >= 4
        });
    }
}

/// A site whose clients are told apart by their addresses, and whose listener believes what its peers forward.
fn hashing(origins: &[&Origin]) -> String {
    let urls: Vec<String> = origins.iter().map(|origin| rig::url(origin)).collect();
    let config = rig::config(&format!("servers = {urls:?}\nbalance = {{ hash = \"client-ip\" }}"));
    config.replace("[sites.", "trusted-proxies = [\"127.0.0.0/16\"]\n\n[sites.")
}

/// Whom each of 60 clients meets; all of them ask twice.
fn met_by_clients(proxy: &Proxy) -> BTreeMap<Ipv4Addr, String> {
    let ask = |ip: Ipv4Addr| {
        let mut client = RawClient::connect_from(IpAddr::V4(ip), proxy.addr("web"));
        client
            .send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"))
            .response()
            .header("x-origin")
            .to_owned()
    };
    let clients = (1..=60).map(|number| Ipv4Addr::new(127, 1, 0, number));
    let pairs = clients.map(|ip| (ip, ask(ip)));
    let met: BTreeMap<Ipv4Addr, String> = pairs.collect();
    for (ip, name) in &met {
        assert_eq!(&ask(*ip), name, "{ip} moved");
    }
    met
}

#[test]
fn a_client_keeps_its_server_and_only_those_of_one_that_goes_move() {
    let [red, green, blue] = rig::named(["red", "green", "blue"]);
    let mut proxy = Proxy::start(&hashing(&[&red, &green, &blue]));
    let before = met_by_clients(&proxy);
    let names: BTreeSet<&str> = before.values().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["red", "green", "blue"]));

    proxy.reload_accepted(&hashing(&[&blue, &red]));
    let after = met_by_clients(&proxy);
    for (ip, name) in &before {
        assert!(&after[ip] == name || name == "green", "{ip} moved from {name} to {}", after[ip]);
    }
    assert!(!after.values().any(|name| name == "green"));

    proxy.reload_accepted(&hashing(&[&green, &blue, &red]));
    assert_eq!(met_by_clients(&proxy), before);
}

#[test]
fn the_client_is_who_a_trusted_proxy_says() {
    let origins = rig::named(["red", "green", "blue"]);
    let proxy = Proxy::start(&hashing(&[&origins[0], &origins[1], &origins[2]]));
    let ask = |forwarded: &str| {
        let head = format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nX-Forwarded-For: {forwarded}\r\n\r\n");
        RawClient::ask(proxy.addr("web"), head).header("x-origin").to_owned()
    };
    let spread: BTreeSet<String> = (1..60).map(|number| ask(&format!("192.0.2.{number}"))).collect();
    assert_eq!(spread.len(), 3, "{spread:?}");
    // The hosts of one IPv6 network are one client.
    let one: BTreeSet<String> = (1..60).map(|number| ask(&format!("2001:db8::{number:x}"))).collect();
    assert_eq!(one.len(), 1, "{one:?}");
    let many: BTreeSet<String> = (1..60).map(|number| ask(&format!("2001:db8:0:{number:x}::1"))).collect();
    assert_eq!(many.len(), 3, "{many:?}");
}
