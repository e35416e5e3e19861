//! That choices reach the servers; how they are made is tested beside the code that makes them.

use super::bench::{Bench, get, on_worker, server, with_header};
use pn_core::ErrorKind;
use pn_model::service::{Balance, StickyCookie};
use pn_testkit::Origin;
use std::sync::atomic::Ordering::Relaxed;

fn origins(count: usize) -> (Vec<Origin>, Vec<pn_model::service::Server>) {
    let origins: Vec<Origin> = (0..count).map(|_| Origin::http1()).collect();
    let servers = origins.iter().map(|origin| server(format!("http://{}", origin.addr()))).collect();
    (origins, servers)
}

#[test]
fn a_sticky_client_stays_for_as_long_as_its_server_can_be_used() {
    let (origins, servers) = origins(3);
    on_worker(async {
        let bench = Bench::with(servers, |node| {
            node.spec.sticky = Some(StickyCookie {
                name: "srv".into(),
                secure: true,
                http_only: true,
                same_site: None,
                max_age: None,
                path: "/".into(),
                domain: None,
            });
        });
        let first = bench.get("/").await.unwrap();
        assert_eq!(first.set_cookie.unwrap(), "srv=s0; Path=/; Secure; HttpOnly");
        for _ in 0..5 {
            let whole = bench.ask(with_header(get("/"), "cookie", "x=1; srv=s2")).await.unwrap();
            assert_eq!((whole.server, whole.set_cookie), (format!("http://{}", origins[2].addr()), None));
        }
        bench.node.servers[2].state.healthy.store(false, Relaxed);
        let whole = bench.ask(with_header(get("/"), "cookie", "srv=s2")).await.unwrap();
        assert_eq!(whole.set_cookie.unwrap(), "srv=s1; Path=/; Secure; HttpOnly");
    });
}

#[test]
fn nobody_is_asked_when_every_server_is_down() {
    let (origins, servers) = origins(2);
    on_worker(async {
        let bench = Bench::new(servers);
        for node in &bench.node.servers {
            node.state.healthy.store(false, Relaxed);
        }
        assert_eq!(bench.get("/").await.unwrap_err(), ErrorKind::NoServer);
        assert_eq!(origins[0].connections() + origins[1].connections(), 0);
    });
}

#[test]
fn requests_in_flight_are_counted_until_the_body_has_ended() {
    let (_origins, servers) = origins(2);
    on_worker(async {
        let bench = Bench::with(servers, |node| node.spec.balance = Balance::LeastConn);
        let load = || -> Vec<u32> {
            bench.node.servers.iter().map(|one| one.state.in_flight.load(Relaxed)).collect()
        };
        let one = bench.send(get("/bytes/200000")).await.unwrap();
        let two = bench.send(get("/bytes/200000")).await.unwrap();
        assert_eq!(load(), [1, 1]);
        super::bench::read(one).await.unwrap();
        drop(two);
        assert_eq!(load(), [0, 0]);
    });
}
