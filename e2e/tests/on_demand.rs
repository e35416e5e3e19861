//! Certificates on demand from a real ACME server (pebble): names that only clients know, allowed by a service that is
//! asked, by real clients at once, in a flood, and over a restart.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use http::{Response, StatusCode};
use pn_testkit::{
    Finished, Folder, Origin, Pebble, PebbleOptions, Proxy, Session, TlsOptions, curl, free_port,
};

const CONFIG: &str = r#"
[runtime]
state-dir = "<state>"

[listeners.web]
address = "127.0.0.1:<http>"

[listeners.secure]
address = "127.0.0.1:<tls>"
tls = true

[defaults.sites]
listeners = ["web", "secure"]

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
"#;

struct World {
    pebble: Pebble,
    asked: Origin,
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
            let mut response = Response::new(bytes::Bytes::new());
            *response.status_mut() = StatusCode::from_u16(status).ok()?;
            Some(response)
        });
        Self { pebble, asked: asked.http1(), answer, http, tls, folder }
    }

    fn start(&self) -> Proxy {
        let setup = Proxy::setup().set("http", self.http).set("tls", self.tls);
        let setup = setup.set("state", self.folder.path().join("state").display());
        let setup = setup.set("directory", self.pebble.directory());
        let setup = setup.set("ask", format!("http://{}", self.asked.addr()));
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
    world.answer.store(200, Ordering::SeqCst);
    for tries in 0.. {
        let came = world.visit("new.guest.example");
        if came.status.success() {
            break;
        }
        assert!(tries < 50, "{}\n{}", came.stderr, proxy.log());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(obtained(&proxy), 1, "{}", proxy.log());
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
