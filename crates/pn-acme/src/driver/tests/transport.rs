//! The client against servers: trust, bounds, connections.

use crate::acme::{HttpMethod, HttpRequest};
use crate::driver::Transport;
use crate::driver::transport::Outgoing;
use hyper::{Response, StatusCode};
use pn_model::NodePath;
use pn_model::site::PemSource;
use pn_testkit::{Authority, Origin, RawOrigin};
use std::time::Duration;

fn get(url: String) -> HttpRequest {
    HttpRequest {
        method: HttpMethod::Get,
        url,
        body: None,
        accept: Some("application/pem-certificate-chain"),
    }
}

/// Peers have a runtime of their own.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn transport(roots: &[PemSource]) -> Transport {
    Transport::new(roots, &NodePath::of(["issuers", "main"])).unwrap()
}

#[test]
fn requests_follow_each_other_on_one_verified_connection() {
    let runtime = runtime();
    let authority = Authority::new();
    let origin = Origin::setup()
        .answer(|request| {
            let moved = request.uri().path() == "/moved";
            let status = if moved { StatusCode::FOUND } else { StatusCode::CREATED };
            Some(Response::builder().status(status).header("Replay-Nonce", "n").body("body".into()).unwrap())
        })
        .tls(&authority.server(&["localhost"]), &["http/1.1"]);
    let transport = transport(&[PemSource::File(authority.root())]);
    let url = |path: &str| format!("https://localhost:{}{path}", origin.addr().port());
    for (path, status) in [("/dir?x=1", 201), ("/moved", 302)] {
        let answer = runtime.block_on(transport.send(&get(url(path)))).unwrap();
        assert_eq!((answer.status, answer.header("replay-nonce")), (status, Some("n")));
        assert_eq!(answer.body, b"body");
    }
    let post = HttpRequest {
        method: HttpMethod::Post,
        url: url("/new-order"),
        body: Some("{}".to_owned()),
        accept: None,
    };
    runtime.block_on(transport.send(&post)).unwrap();
    let seen = origin.requests();
    let targets: Vec<_> = seen.iter().map(|request| request.target.as_str()).collect();
    assert_eq!(targets, ["/dir?x=1", "/moved", "/new-order"]);
    assert_eq!(seen[0].header("accept"), "application/pem-certificate-chain");
    assert_eq!(seen[0].header("host"), format!("localhost:{}", origin.addr().port()));
    assert!(seen[0].header("user-agent").starts_with("proxy-now/"));
    assert!(!seen[0].has_header("content-type"));
    assert_eq!((seen[2].header("content-type"), &seen[2].body[..]), ("application/jose+json", &b"{}"[..]));
    assert_eq!(origin.connections(), 1);
}

/// Time leaps once the other side has the request.
#[test]
fn what_never_answers_is_given_up_after_a_minute() {
    let origin = RawOrigin::start(|wire| {
        wire.read_head()?;
        wire.stall()
    });
    let transport = transport(&[PemSource::File(Authority::new().root())]);
    let leap = async {
        while !origin.all_received().ends_with("\r\n\r\n") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::pause();
    };
    let request = get(format!("http://{}/present", origin.addr()));
    let (answer, ()) = runtime().block_on(async { tokio::join!(transport.send(&request), leap) });
    let error = answer.unwrap_err().to_string();
    assert!(error.contains(&origin.addr().to_string()) && error.contains("no answer within 60s"), "{error}");
}

#[test]
fn what_cannot_be_trusted_or_held_is_refused() {
    let runtime = runtime();
    let authority = Authority::new();
    let identity = authority.server(&["localhost"]);
    let huge = || Origin::setup().answer(|_| Some(Response::new(vec![b'x'; (1 << 20) + 1].into())));
    let (plain, tls) = (huge().http1(), huge().tls(&identity, &["http/1.1"]));
    let own = transport(&[PemSource::File(authority.root())]);
    let other = transport(&[PemSource::File(Authority::new().root())]);
    let secure = format!("https://localhost:{}/", tls.addr().port());
    let by_address = format!("https://127.0.0.1:{}/", tls.addr().port());
    for (transport, url, reason) in [
        (&own, format!("http://{}/", plain.addr()), "above 1 MiB"),
        (&own, secure.clone(), "above 1 MiB"),
        (&other, secure, "invalid peer certificate"),
        (&own, by_address, "invalid peer certificate"),
        (&own, "ftp://localhost/".to_owned(), "no http or https URL"),
        (&own, "https://name.invalid/".to_owned(), "its name is not resolved"),
    ] {
        let refused = runtime.block_on(transport.send(&get(url.clone()))).unwrap_err().to_string();
        assert!(refused.contains(reason), "{url}: {refused}");
    }
}

#[test]
fn a_connection_that_is_closed_is_made_anew() {
    let runtime = runtime();
    let closes = |_: &_| Some(Response::builder().header("Connection", "close").body("".into()).unwrap());
    let (origin, transport) = (Origin::setup().answer(closes).http1(), transport(&[]));
    for requests in 1..=2 {
        let url = format!("http://{}/", origin.addr());
        runtime.block_on(transport.send(&get(url))).unwrap();
        assert_eq!((origin.requests().len(), origin.connections()), (requests, requests));
    }
}

/// Those who only say yes or no may say so at any length.
#[test]
fn a_status_is_told_whatever_follows_it() {
    let runtime = runtime();
    let origin = Origin::setup().answer(|request| {
        let bytes = if request.uri().path() == "/huge" { 2 << 20 } else { 2 };
        Some(Response::new(vec![b'x'; bytes].into()))
    });
    let (origin, transport) = (origin.http1(), transport(&[]));
    for (path, connections) in [("/", 1), ("/", 1), ("/huge", 1), ("/", 2)] {
        let url = format!("http://{}{path}", origin.addr());
        let request = Outgoing::new(hyper::Method::GET, &url, None, Vec::new()).unwrap();
        assert_eq!(runtime.block_on(transport.status(&request)), Ok(200), "{path}");
        assert_eq!(origin.connections(), connections, "{path}");
    }
}

#[test]
fn roots_that_cannot_be_read_are_told_by_their_place() {
    let missing = PemSource::File("/nowhere/root.pem".into());
    let told = Transport::new(&[missing], &NodePath::of(["issuers", "main"])).unwrap_err().to_string();
    assert!(told.contains("/nowhere/root.pem"), "{told}");
}
