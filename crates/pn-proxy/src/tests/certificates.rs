//! What stands before every site: challenges of CAs, and sites that wait for their certificate.

use super::world::{GET, World, fact, listener, site};
use crate::PlaneOptions;
use pn_model::IssuerName;
use pn_model::site::{CertificateSource, HttpsMode, Site};
use pn_model::{HostPattern, Listener};
use pn_testkit::h2::{self, DATA, END_HEADERS, END_STREAM, HEADERS};
use pn_testkit::{Authority, Identity, RawClient, TlsOptions};
use pn_tls::{CertificateStore, CertifiedKey, Mint, Minted, Source};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;

fn certified(identity: &Identity) -> Arc<CertifiedKey> {
    let chain = CertificateDer::pem_slice_iter(identity.certificate_pem.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
    pn_tls::certified_key(chain.collect::<Result<_, _>>().unwrap(), key).unwrap()
}

/// A plain listener and one with TLS, and sites on both.
fn serving(store: &Arc<CertificateStore>, sites: impl IntoIterator<Item = Site>) -> World {
    let options = PlaneOptions { workers: 2, certificates: Arc::clone(store), ..PlaneOptions::default() };
    let mut world = World::start_with(options);
    let secure = Listener { tls: true, ..listener("websecure") };
    world.publish([listener("web"), secure], sites).unwrap();
    world
}

fn redirected(identity: &Identity) -> Site {
    Site { https: HttpsMode::Redirect, ..site("a.test", &["web", "websecure"], identity) }
}

fn request(method: &str, host: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")
}

const PATH: &str = "/.well-known/acme-challenge/";

/// `None`: what the listener's middleware says to everything there.
fn check(world: &World, method: &str, host: &str, path: &str, expected: Option<&str>) {
    let mut client = world.connect("web");
    client.send(request(method, host, path));
    let response = if method == "HEAD" { client.response_to_head() } else { client.response() };
    let kind = response.header("content-type").to_owned();
    let answered = (response.status, kind, response.text());
    let octets = "application/octet-stream".to_owned();
    let expected = match expected {
        Some(_) if method == "HEAD" => (200, octets, String::new()),
        Some(text) => (200, octets, text.to_owned()),
        None => (418, "text/plain; charset=utf-8".to_owned(), "of the middleware".to_owned()),
    };
    assert_eq!(answered, expected, "{method} {host} {path}");
}

#[test]
fn a_token_is_answered_before_everything_else() {
    let (authority, store) = (Authority::new(), Arc::new(CertificateStore::new()));
    let world = serving(&store, [redirected(&authority.server(&["a.test"]))]);
    let known = format!("{PATH}tok-1_x");
    check(&world, "GET", "a.test", &known, None);
    store.challenges().present_token("tok-1_x", "tok-1_x.thumb").unwrap();
    store.challenges().present_token("other", "other.thumb").unwrap();
    let answer = Some("tok-1_x.thumb");
    for (method, host, path, expected) in [
        // A site that redirects to HTTPS, a host of no site, an address.
        ("GET", "a.test", known.clone(), answer),
        ("GET", "unknown.test", known.clone(), answer),
        ("GET", "10.0.0.1", known.clone(), answer),
        ("HEAD", "a.test", known.clone(), answer),
        ("GET", "a.test", format!("{known}?query"), answer),
        ("GET", "a.test", format!("{PATH}x/../tok-1_x"), answer),
        ("POST", "a.test", known.clone(), None),
        ("GET", "a.test", format!("{PATH}TOK-1_X"), None),
        ("GET", "a.test", format!("{PATH}unknown"), None),
        ("GET", "a.test", PATH.to_owned(), None),
        ("GET", "a.test", format!("{known}/"), None),
        ("GET", "a.test", format!("{known}/x"), None),
    ] {
        check(&world, method, host, &path, expected);
    }
    let options = TlsOptions::trusting(&authority).alpn(&["http/1.1"]);
    let mut secure = RawClient::connect_tls(world.address("websecure"), "a.test", &options);
    let over_tls = secure.send(request("GET", "a.test", &known)).response();
    assert_eq!(over_tls.status, 418, "a CA comes without TLS");
    store.challenges().withdraw_token("tok-1_x");
    check(&world, "GET", "a.test", &known, None);
    check(&world, "GET", "a.test", &format!("{PATH}other"), Some("other.thumb"));
}

#[test]
fn a_token_is_answered_over_http2() {
    let store = Arc::new(CertificateStore::new());
    let world = serving(&store, []);
    store.challenges().present_token("tok", "tok.thumb").unwrap();
    let block = h2::request_block("GET", "unknown.test", &format!("{PATH}tok"));
    let mut client = world.connect("web");
    client.send(h2::greeting()).send(h2::frame(HEADERS, END_HEADERS | END_STREAM, 1, block));
    let data = loop {
        let frame = h2::read_frame(&mut client);
        if frame.kind == DATA {
            break frame.payload;
        }
    };
    assert_eq!(String::from_utf8_lossy(&data), "tok.thumb");
}

#[test]
fn a_ca_that_validates_gets_its_certificate_and_nothing_else() {
    let (authority, store) = (Authority::new(), Arc::new(CertificateStore::new()));
    let world = serving(&store, [redirected(&authority.server(&["a.test"]))]);
    let own = certified(&authority.server(&["a.test", "new.test", "4.3.2.1.in-addr.arpa"]));
    for identifier in ["a.test", "new.test", "1.2.3.4"] {
        store.challenges().present_alpn(identifier, Arc::clone(&own)).unwrap();
    }
    let connect = |name: &str, alpn: &[&str]| {
        let options = TlsOptions::trusting(&authority).alpn(alpn);
        RawClient::try_connect_tls(world.address("websecure"), name, &options)
    };
    // Of a site, of none, and of an address by its name in the reverse tree (RFC 8738).
    for name in ["a.test", "new.test", "NEW.test", "4.3.2.1.in-addr.arpa"] {
        let mut client = connect(name, &["acme-tls/1"]).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(client.alpn().as_deref(), Some("acme-tls/1"), "{name}");
        client.send(GET).expect_closed();
    }
    for (name, alpn, expected) in [
        ("a.test", &["acme-tls/1", "http/1.1"][..], Some("http/1.1")),
        ("a.test", &["http/1.1"], Some("http/1.1")),
        ("other.test", &["acme-tls/1"], None),
        ("new.test", &["http/1.1"], None),
        ("new.test", &["acme-tls/1", "h2"], None),
    ] {
        let agreed = connect(name, alpn).ok().and_then(|client| client.alpn());
        assert_eq!(agreed.as_deref(), expected, "{name} {alpn:?}");
    }
    store.challenges().withdraw_alpn("a.test");
    let after = connect("a.test", &["acme-tls/1"]).err().map(|error| error.to_string());
    assert!(
        after.is_some_and(|error| error.contains("NoApplicationProtocol")),
        "the site has no such protocol"
    );
}

/// Gives every name the same certificate.
struct Stamp(Arc<CertifiedKey>);

impl Mint for Stamp {
    fn mint(&self, _: Option<&IssuerName>, _: &str) -> Option<Minted> {
        Some(Minted { key: Arc::clone(&self.0), renew_at: u64::MAX })
    }

    fn is_placeholder(&self, issuer: Option<&IssuerName>) -> bool {
        issuer.is_some_and(|issuer| issuer.as_str() == "waits")
    }
}

#[test]
fn a_site_that_waits_for_its_certificate_says_so_and_then_serves() {
    let (authority, store) = (Authority::new(), Arc::new(CertificateStore::new()));
    let identity = authority.server(&["a.test", "b.test"]);
    store.set_mint(Box::new(Stamp(certified(&identity))));
    let of = |host: &str, issuer: &str| {
        let certificate = CertificateSource::Issuer(issuer.into());
        Site { certificate, ..site(host, &["web", "websecure"], &identity) }
    };
    let world = serving(&store, [of("a.test", "waits"), of("b.test", "internal")]);
    let ask = |name: &str, protocol: &str| {
        let options = TlsOptions::trusting(&authority).alpn(&[protocol]);
        let mut client = RawClient::connect_tls(world.address("websecure"), name, &options);
        client.send(format!("GET /facts HTTP/1.1\r\nhost: {name}\r\n\r\n"));
        let response = client.response();
        (client, response)
    };
    let (mut client, waits) = ask("a.test", "http/1.1");
    assert_eq!((waits.status, waits.header("retry-after")), (503, "30"));
    assert!(waits.text().contains("has not been issued yet"));
    client.expect_closed();
    let (_, other) = ask("b.test", "http/1.1");
    assert_eq!((other.status, fact(&other.text(), "sni")), (200, "b.test"), "an internal certificate serves");
    store.publish(Source::Acme, [([HostPattern::Exact("a.test".into())], certified(&identity))]);
    let (_, serves) = ask("a.test", "http/1.1");
    assert_eq!((serves.status, fact(&serves.text(), "sni")), (200, "a.test"));
}
