//! Servers whose names change their addresses, and connections that grow old.

use super::bench::{Bench, get, on_worker, read, server};
use crate::upstream::Upstreams;
use crate::upstream::names::Names;
use pn_testkit::{Origin, PATIENCE};
use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers each request with the address that it came to.
async fn tells_its_address(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::task::spawn_local(async move {
            let own = stream.local_addr().unwrap().ip().to_string();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{own}", own.len());
            while stream.read(&mut [0; 4096]).await.is_ok_and(|count| count > 0) {
                if stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn names(found: &Rc<RefCell<Vec<IpAddr>>>) -> Rc<Names> {
    let found = Rc::clone(found);
    Names::new(move |_| {
        let found = found.borrow().clone();
        Box::pin(async move { Ok((found, Duration::ZERO)) })
    })
}

/// A port that is free on all of these addresses, with somebody at it on each.
async fn listen(addresses: &[&str]) -> u16 {
    let first = TcpListener::bind((addresses[0], 0)).await.unwrap();
    let port = first.local_addr().unwrap().port();
    tokio::task::spawn_local(tells_its_address(first));
    for &other in &addresses[1..] {
        let other = TcpListener::bind((other, port)).await.unwrap();
        tokio::task::spawn_local(tells_its_address(other));
    }
    port
}

#[test]
fn a_server_that_moves_is_found_although_its_old_address_still_answers() {
    on_worker(async {
        let port = listen(&["127.0.0.41", "127.0.0.42"]).await;
        let found = Rc::new(RefCell::new(vec!["127.0.0.41".parse().unwrap()]));
        let mut bench = Bench::new(vec![server(format!("http://app.example:{port}"))]);
        bench.upstreams = Upstreams::with_names(0, 1, names(&found));
        assert_eq!(bench.get("/").await.unwrap().body, "127.0.0.41");
        *found.borrow_mut() = vec!["127.0.0.42".parse().unwrap()];
        while bench.get("/").await.unwrap().body != "127.0.0.42" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
}

#[test]
fn all_addresses_of_a_name_are_used_and_dead_ones_are_passed_over() {
    on_worker(async {
        let port = listen(&["127.0.0.51", "127.0.0.52"]).await;
        let addresses = ["127.0.0.53", "127.0.0.51", "127.0.0.52", "::1"].map(|ip| ip.parse().unwrap());
        let found = Rc::new(RefCell::new(addresses.to_vec()));
        let mut bench = Bench::new(vec![server(format!("http://app.example:{port}"))]);
        bench.upstreams = Upstreams::with_names(0, 1, names(&found));
        let mut seen = Vec::new();
        let mut held = Vec::new();
        for _ in 0..6 {
            // An answer that is not read keeps its connection.
            held.push(bench.send(get("/")).await.unwrap());
        }
        for answer in held {
            seen.push(read(answer).await.unwrap().body);
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen, ["127.0.0.51", "127.0.0.52"]);
    });
}

#[test]
fn what_is_kept_beyond_its_number_serves_a_load_that_comes_and_goes() {
    let origin = Origin::http1();
    on_worker(async {
        let bench = Bench::with(vec![server(format!("http://{}", origin.addr()))], |node| {
            let mut transport = pn_model::Transport::built_in();
            transport.pool.idle_per_server = 2;
            node.transport = transport.into();
        });
        for _ in 0..5 {
            let asked = (0..8).map(|_| bench.get("/slow/10"));
            for whole in futures_util::future::join_all(asked).await {
                assert_eq!(whole.unwrap().status, 200);
            }
        }
        assert_eq!(origin.connections(), 8);
        let began = tokio::time::Instant::now();
        while origin.open_connections() > 2 {
            assert!(began.elapsed() < PATIENCE / 2);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bench.get("/").await.unwrap();
        assert_eq!(origin.connections(), 8);
    });
}

#[test]
fn idle_connections_are_closed_when_their_time_is_over() {
    let origins = [("http", Origin::http1()), ("h2c", Origin::h2c())];
    on_worker(async {
        for (scheme, origin) in &origins {
            let bench = Bench::with(vec![server(format!("{scheme}://{}", origin.addr()))], |node| {
                let mut transport = pn_model::Transport::built_in();
                transport.timeouts.idle = Duration::from_millis(900);
                node.transport = transport.into();
            });
            bench.get("/").await.unwrap();
            assert_eq!(origin.open_connections(), 1, "{scheme}");
            let began = tokio::time::Instant::now();
            while origin.open_connections() > 0 {
                assert!(began.elapsed() < PATIENCE / 2, "{scheme}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            bench.get("/").await.unwrap();
        }
    });
}
