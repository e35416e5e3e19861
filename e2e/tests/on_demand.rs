//! Certificates on demand from a real ACME server (pebble): names that only clients know, allowed by a service that is
//! asked, by real clients at once, in a flood, and over a restart.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use pn_testkit::{
    Finished, Folder, Origin, Pebble, PebbleOptions, Proxy, Session, TlsOptions, curl, free_port, wait_until,
};

const CONFIG: &str = concat!(
    "[runtime]\nstate-dir = \"<state>\"\n",
    proxy_now_e2e::listeners!(),
    r#"
[issuers.main.acme]
directory = "<directory>"
roots = "<https-root>"
on-demand = { ask = "<ask>/may?site=1", allow = ["listed.guest.example"] }

[sites."**.guest.example"]
issuer = "main"
respond = { body = "guest" }

[sites."closed.guest.example"]
https = "off"
respond = { body = "closed" }
"#
);

struct World {
    pebble: Pebble,
    asked: Origin,
    /// Where that is, for the proxy.
    ask_at: SocketAddr,
    /// What the service answers to names that begin with `new`.
    answer: Arc<AtomicU16>,
    http: u16,
    tls: u16,
    folder: Folder,
}

impl World {
    fn new() -> Self {
        let (http, tls, folder) = (free_port(), free_port(), Folder::new());
        let ports = PebbleOptions { http_port: Some(http), tls_port: Some(tls), ..PebbleOptions::default() };
        let pebble = Pebble::start(&ports);
        folder.write("root.pem", pebble.root());
        let answer = Arc::new(AtomicU16::new(200));
        let current = Arc::clone(&answer);
        let asked = Origin::setup().answer(move |request| {
            let query = request.uri().query().unwrap_or_default();
            let status =
                if query.starts_with("site=1&domain=new") { current.load(Ordering::SeqCst) } else { 403 };
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::from_u16(status).ok()?;
            Some(response)
        });
        let asked = asked.http1();
        Self { pebble, ask_at: asked.addr(), asked, answer, http, tls, folder }
    }

    fn start(&self) -> Proxy {
        let setup = Proxy::setup().set("port:web", self.http).set("port:secure", self.tls);
        let setup = setup.set("state", self.folder.path().join("state").display());
        let setup = setup.set("directory", self.pebble.directory());
        let setup = setup.set("ask", format!("http://{}", self.ask_at));
        setup.set("https-root", self.pebble.authority().root().display()).start(CONFIG)
    }

    fn visit(&self, host: &str) -> Finished {
        let root = self.folder.path().join("root.pem").display().to_string();
        let resolve = format!("{host}:{}:127.0.0.1", self.tls);
        curl(&["--cacert", &root, "--resolve", &resolve, &format!("https://{host}:{}/", self.tls)])
    }

    /// What the client was told in place of a certificate.
    #[track_caller]
    fn refused(&self, host: &str) -> String {
        let came = self.visit(host);
        assert!(!came.status.success(), "{host} was served: {}", came.stdout);
        came.stderr
    }

    fn asked(&self) -> usize {
        self.asked.requests().len()
    }
}

fn obtained(proxy: &Proxy) -> usize {
    proxy.log().matches("certificate obtained").count()
}

fn count(proxy: &Proxy, result: &str) -> f64 {
    proxy.metrics().value("on_demand_names_total", &[("result", result)])
}

#[test]
fn who_is_allowed_is_served_in_the_same_handshake_and_who_is_not_costs_no_order() {
    let world = World::new();
    let proxy = world.start();
    assert_eq!(world.visit("new.guest.example").expect_success(), "guest");
    assert_eq!(world.visit("listed.guest.example").expect_success(), "guest");
    assert_eq!(world.asked.last().target, "/may?site=1&domain=new.guest.example");
    assert_eq!((obtained(&proxy), world.asked()), (2, 1), "{}", proxy.log());
    for (host, asked) in [
        ("other.guest.example", 1),
        // Remembered.
        ("other.guest.example", 0),
        // Never worth a question: no site, no host name, a site of its own.
        ("new.example", 0),
        ("new_.guest.example", 0),
        ("closed.guest.example", 0),
    ] {
        let before = world.asked();
        let told = world.refused(host);
        assert!(told.contains("unrecognized name"), "{host}: {told}");
        assert_eq!(world.asked() - before, asked, "{host}");
    }
    assert_eq!(obtained(&proxy), 2, "{}", proxy.log());
    assert_eq!((count(&proxy, "allowed"), count(&proxy, "obtained")), (2.0, 2.0));
    assert!(count(&proxy, "denied") >= 2.0);
    // Names that clients choose are no labels.
    let page = proxy.ask_admin("GET", "/metrics").text();
    assert!(!page.contains("new.guest") && !page.contains("listed.guest"), "{page}");
}

#[test]
fn a_service_that_does_not_answer_allows_nobody_until_it_does() {
    let world = World::new();
    let proxy = world.start();
    world.answer.store(503, Ordering::SeqCst);
    let told = world.refused("new.guest.example");
    assert!(told.contains("internal error"), "{told}");
    assert_eq!(obtained(&proxy), 0);
    assert!(proxy.log().contains("the `ask` service answered 503"), "{}", proxy.log());
    // Others are not left alone for it.
    world.answer.store(200, Ordering::SeqCst);
    assert_eq!(world.visit("newer.guest.example").expect_success(), "guest", "{}", proxy.log());
    assert_eq!(world.visit("new.guest.example").expect_success(), "guest", "{}", proxy.log());
    assert_eq!(obtained(&proxy), 2, "{}", proxy.log());
}

/// The service that is asked, at a port that it comes back to.
fn service(at: SocketAddr) -> Origin {
    wait_until("the port to be free", || TcpListener::bind(at).is_ok());
    Origin::setup().port(at.port()).answer(|_| Some(Response::new(Bytes::new()))).http1()
}

/// Something happens to the service, and it comes back.
fn check(breaks: fn(SocketAddr) -> Option<TcpListener>, told: &str) {
    let mut world = World::new();
    world.ask_at = ([127, 0, 0, 1], free_port()).into();
    let first = service(world.ask_at);
    let proxy = world.start();
    assert_eq!(world.visit("new.guest.example").expect_success(), "guest", "{}", proxy.log());
    drop(first);
    let broken = breaks(world.ask_at);
    let alert = world.refused("other.guest.example");
    assert!(alert.contains("internal error"), "{alert}");
    assert!(proxy.log().contains(told), "{}", proxy.log());
    for host in ["new.guest.example", "listed.guest.example"] {
        assert_eq!(world.visit(host).expect_success(), "guest", "{host}: {}", proxy.log());
    }
    // Twice in a minute is told once.
    assert!(world.refused("other.guest.example").contains("internal error"));
    assert_eq!(proxy.log().matches("who may have certificates").count(), 1, "{}", proxy.log());
    drop(broken);
    let _back = service(world.ask_at);
    wait_until("the service to be asked again", || world.visit("other.guest.example").status.success());
    assert_eq!(obtained(&proxy), 3, "{}", proxy.log());
}

#[test]
fn a_service_that_is_not_there_allows_nobody_until_it_is() {
    check(|_| None, "Connection refused");
}

#[test]
fn a_service_that_hangs_allows_nobody_until_it_answers() {
    // Connections are made, and nobody takes them.
    check(
        |at| {
            wait_until("the port to be free", || TcpListener::bind(at).is_ok());
            TcpListener::bind(at).ok()
        },
        "did not answer within 5s",
    );
}

#[test]
fn fifty_handshakes_at_once_are_one_order_and_a_restart_none() {
    let world = World::new();
    let proxy = world.start();
    let options = TlsOptions::trusting_pem(world.pebble.root());
    let address = ([127, 0, 0, 1], world.tls).into();
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let options = options.clone();
            std::thread::spawn(move || {
                Session::tls(address, "new.guest.example", &options).get("new.guest.example", "/").text()
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), "guest", "{}", proxy.log());
    }
    assert_eq!((obtained(&proxy), world.asked()), (1, 1), "{}", proxy.log());
    proxy.stop();
    let again = world.start();
    assert_eq!(world.visit("new.guest.example").expect_success(), "guest");
    assert_eq!((obtained(&again), world.asked()), (0, 1), "{}", again.log());
}

#[test]
fn a_flood_of_names_is_refused_and_who_has_a_certificate_is_served_meanwhile() {
    let world = World::new();
    let proxy = world.start();
    assert_eq!(world.visit("new.guest.example").expect_success(), "guest");
    let flood: Vec<_> = (0..4)
        .map(|thread| {
            let port = world.tls;
            std::thread::spawn(move || {
                for i in 0..500 {
                    let told = knock(port, &format!("x{thread}-{i}.guest.example")).unwrap();
                    assert_eq!(told.first(), Some(&21), "an alert: {told:?}");
                }
            })
        })
        .collect();
    for _ in 0..10 {
        assert_eq!(world.visit("new.guest.example").expect_success(), "guest");
    }
    flood.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(obtained(&proxy), 1, "{}", proxy.log());
    let told = proxy.log().lines().count();
    assert!(told < 100, "{told} lines\n{}", proxy.log());
    let refused = count(&proxy, "denied") + count(&proxy, "turned-away");
    assert!(refused >= 2_000.0, "{refused}");
}

/// What a client is told that sends a ClientHello for the name.
fn knock(port: u16, name: &str) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(15)))?;
    stream.write_all(&hello(name))?;
    let mut told = Vec::new();
    stream.read_to_end(&mut told)?;
    Ok(told)
}

/// A ClientHello of TLS 1.2, with a server name and no more than it needs (RFC 5246 section 7.4.1.2, RFC 6066).
fn hello(name: &str) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&bytes.len().to_be_bytes()[6..], bytes].concat();
    let server_name = sized(&[&[0], sized(name.as_bytes()).as_slice()].concat());
    let extension = |kind: u16, body: &[u8]| [&kind.to_be_bytes(), sized(body).as_slice()].concat();
    let extensions = [
        extension(0, &server_name),
        // x25519 and P-256; ECDSA on P-256 with SHA-256, and RSA.
        extension(10, &sized(&[0, 29, 0, 23])),
        extension(13, &sized(&[4, 3, 8, 4, 4, 1])),
        extension(11, &[1, 0]),
    ]
    .concat();
    let body =
        [[3, 3].as_slice(), &[7; 32], &[0], &sized(&[0xc0, 0x2b, 0xc0, 0x2f]), &[1, 0], &sized(&extensions)]
            .concat();
    let message = [&[1], &body.len().to_be_bytes()[5..], &body].concat();
    [[22, 3, 1].as_slice(), &sized(&message)].concat()
}
