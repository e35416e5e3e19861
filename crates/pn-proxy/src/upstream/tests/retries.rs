//! Which requests are sent again, to whom, and how often.

use super::bench::{Bench, get, on_worker, post, server};
use http::Method;
use pn_core::ErrorKind;
use pn_model::service::{Outlier, Retries, RetryOn, Server};
use pn_testkit::{Origin, RawOrigin, Wire, free_port};
use std::io;
use std::time::Duration;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy";

fn retrying(servers: Vec<Server>, on: &[RetryOn], attempts: u32) -> Bench {
    Bench::with(servers, |node| {
        node.spec.retries = Some(Retries { attempts, on: on.to_vec(), budget: 1.0 });
    })
}

fn at(origin: &RawOrigin) -> Server {
    server(format!("http://{}", origin.addr()))
}

/// Answers once and closes without a word when it is asked again.
fn answers_once() -> RawOrigin {
    RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.send(OK)?;
        if wire.number() > 0 { wire.stall() } else { wire.read_head().map(drop) }
    })
}

#[test]
fn a_kept_connection_that_closes_is_replaced_where_that_is_harmless() {
    for (again, expected) in [
        (get("/"), Ok(200)),
        (super::bench::request(Method::PUT, "/", post("/", "body").body), Ok(200)),
        (post("/", ""), Err(ErrorKind::ConnectionTerminated)),
    ] {
        let origin = answers_once();
        on_worker(async {
            let bench = Bench::new(vec![at(&origin)]);
            bench.get("/").await.unwrap();
            let (method, idempotent) = (again.head.method.clone(), again.idempotent);
            let got = bench.ask(again).await.map(|whole| whole.status);
            // A body that has been taken cannot be sent again.
            let expected = if idempotent && method == Method::PUT {
                Err(ErrorKind::ConnectionTerminated)
            } else {
                expected
            };
            assert_eq!(got, expected, "{method}");
        });
    }
}

#[test]
fn a_kept_connection_that_has_closed_is_not_used_for_anything() {
    let origin = RawOrigin::start(|wire| {
        wire.read_request()?;
        wire.send(OK)
    });
    on_worker(async {
        let bench = Bench::new(vec![at(&origin)]);
        for count in 1..4 {
            assert_eq!(bench.ask(post("/", "body")).await.unwrap().status, 200);
            assert_eq!(origin.connections(), count);
            // The end of the connection arrives with the next turn of the event loop.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn another_server_is_asked_where_the_rules_say_so() {
    let fine = RawOrigin::answering(OK);
    let busy = RawOrigin::answering(BUSY);
    let breaks = RawOrigin::start(|wire: &mut Wire| -> io::Result<()> { wire.read_request().map(drop) });
    let gone = server(format!("http://127.0.0.1:{}", free_port()));
    let connect = [RetryOn::Connect];
    let rows: Vec<(Server, &[RetryOn], Method, Result<u16, ErrorKind>)> = vec![
        (gone.clone(), &connect, Method::GET, Ok(200)),
        (gone.clone(), &connect, Method::POST, Ok(200)),
        (gone, &[RetryOn::Reset], Method::GET, Err(ErrorKind::ConnectionRefused)),
        (at(&breaks), &[RetryOn::Reset], Method::GET, Ok(200)),
        (at(&breaks), &[RetryOn::Reset], Method::POST, Err(ErrorKind::ConnectionTerminated)),
        (at(&breaks), &connect, Method::GET, Err(ErrorKind::ConnectionTerminated)),
        (at(&busy), &[RetryOn::Status(503)], Method::GET, Ok(200)),
        (at(&busy), &[RetryOn::Status(503)], Method::POST, Ok(503)),
        (at(&busy), &[RetryOn::Status(502)], Method::GET, Ok(503)),
    ];
    for (first, on, method, expected) in rows {
        on_worker(async {
            let bench = retrying(vec![first.clone(), at(&fine)], on, 1);
            let mut outgoing = get("/");
            outgoing.idempotent = method.is_idempotent();
            outgoing.head.method = method.clone();
            let got = bench.ask(outgoing).await;
            let retried = got.as_ref().map_or(0, |whole| whole.retries);
            let got = got.map(|whole| whole.status);
            assert_eq!(got, expected, "{first:?} {on:?} {method}");
            assert_eq!(retried == 1, got == Ok(200), "{first:?} {on:?} {method}");
        });
    }
}

#[test]
fn retries_end_with_the_attempts_the_servers_and_the_budget() {
    let busy: Vec<RawOrigin> = (0..4).map(|_| RawOrigin::answering(BUSY)).collect();
    for (servers, attempts, budget, expected) in
        [(4, 2, 1.0, 2), (2, 5, 1.0, 1), (1, 5, 1.0, 0), (4, 0, 1.0, 0)]
    {
        on_worker(async {
            let mut bench =
                retrying(busy.iter().take(servers).map(at).collect(), &[RetryOn::Status(503)], attempts);
            if let Some(retries) = &mut bench.node.spec.retries {
                retries.budget = budget;
            }
            let whole = bench.get("/").await.unwrap();
            assert_eq!((whole.status, whole.retries), (503, expected), "{servers} {attempts}");
        });
    }
    on_worker(async {
        let mut bench = retrying(busy.iter().take(2).map(at).collect(), &[RetryOn::Status(503)], 1);
        if let Some(retries) = &mut bench.node.spec.retries {
            retries.budget = 0.01;
        }
        let mut retried = 0;
        for _ in 0..30 {
            retried += bench.get("/").await.unwrap().retries;
        }
        assert_eq!(retried, 10, "the floor of the budget");
    });
}

#[test]
fn a_body_that_was_taken_is_never_sent_again() {
    let takes = RawOrigin::start(|wire: &mut Wire| -> io::Result<()> { wire.read_request().map(drop) });
    let fine = RawOrigin::answering(OK);
    on_worker(async {
        let bench = retrying(vec![at(&takes), at(&fine)], &[RetryOn::Reset], 3);
        let mut outgoing = post("/", "body");
        outgoing.head.method = Method::PUT;
        outgoing.idempotent = true;
        assert_eq!(bench.ask(outgoing).await.unwrap_err(), ErrorKind::ConnectionTerminated);
        assert_eq!(fine.connections(), 0);
        let gone = server(format!("http://127.0.0.1:{}", free_port()));
        let bench = retrying(vec![gone, at(&fine)], &[RetryOn::Connect], 3);
        let mut outgoing = post("/", "body");
        outgoing.head.method = Method::PUT;
        assert_eq!(bench.ask(outgoing).await.unwrap().status, 200);
        assert!(fine.all_received().ends_with("\r\n\r\nbody"));
    });
}

#[test]
fn a_server_that_fails_is_left_alone_but_never_the_last() {
    let one = Origin::http1();
    let two = Origin::http1();
    let urls = [format!("http://{}", one.addr()), format!("http://{}", two.addr())];
    on_worker(async {
        let bench = Bench::with(urls.iter().map(server).collect(), |node| {
            let window = Duration::from_secs(60);
            node.spec.outlier = Some(Outlier { failures: 2, window, eject: window });
        });
        one.fail_with(Some(503));
        for _ in 0..4 {
            bench.get("/").await.unwrap();
        }
        assert_eq!((one.requests().len(), two.requests().len()), (2, 2));
        two.fail_with(Some(500));
        for _ in 0..4 {
            assert_eq!(bench.get("/").await.unwrap().status, 500);
        }
        two.fail_with(Some(503));
        for _ in 0..4 {
            assert_eq!(bench.get("/").await.unwrap().status, 503, "the last one stays");
        }
        assert_eq!((one.requests().len(), two.requests().len()), (2, 10));
    });
}
