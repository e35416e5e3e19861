//! TLS to servers: whom they are taken for, and what is spoken then.

use super::bench::{Bench, on_worker, server};
use pn_core::ErrorKind;
use pn_model::Transport;
use pn_model::site::{CertificateFiles, PemSource};
use pn_model::transport::UpstreamProtocol;
use pn_testkit::{Authority, Lifetime, Origin};

fn trusting(authority: &Authority) -> impl Fn(&mut Transport) {
    let root = PemSource::File(authority.root());
    move |transport| transport.roots = vec![root.clone()]
}

#[test]
fn the_version_is_what_both_sides_agree_to() {
    let authority = Authority::new();
    let identity = authority.server(&["localhost"]);
    for (offered, protocol, expected) in [
        (&["h2", "http/1.1"][..], UpstreamProtocol::Auto, Ok("HTTP/2.0")),
        (&["http/1.1"], UpstreamProtocol::Auto, Ok("HTTP/1.1")),
        (&[], UpstreamProtocol::Auto, Ok("HTTP/1.1")),
        (&["h2", "http/1.1"], UpstreamProtocol::H1, Ok("HTTP/1.1")),
        (&["h2", "http/1.1"], UpstreamProtocol::H2, Ok("HTTP/2.0")),
        (&[], UpstreamProtocol::H2, Err(ErrorKind::TlsProtocol)),
        (&["http/1.1"], UpstreamProtocol::H2, Err(ErrorKind::TlsProtocol)),
    ] {
        let origin = Origin::setup().tls(&identity, offered);
        on_worker(async {
            let bench =
                Bench::tls(vec![server(format!("https://localhost:{}", origin.addr().port()))], |to| {
                    trusting(&authority)(to);
                    to.protocol = protocol;
                });
            for _ in 0..2 {
                let got = bench.get("/").await.map(|_| origin.last().version);
                assert_eq!(got.as_deref().map_err(|kind| *kind), expected, "{offered:?} {protocol:?}");
            }
            assert!(expected.is_err() || origin.connections() == 1);
        });
    }
}

#[test]
fn a_server_that_cannot_prove_its_name_is_not_spoken_to() {
    let authority = Authority::new();
    let stranger = Authority::named("somebody else");
    let named =
        |name: &'static str| move |transport: &mut Transport| transport.server_name = Some(name.to_owned());
    type Change = Box<dyn Fn(&mut Transport)>;
    let rows: Vec<(Origin, Change, Result<u16, ErrorKind>)> = vec![
        (Origin::tls(&authority.server(&["localhost"])), Box::new(|_| ()), Ok(200)),
        (
            Origin::tls(&authority.server(&["other.example"])),
            Box::new(|_| ()),
            Err(ErrorKind::TlsCertificate),
        ),
        (Origin::tls(&authority.server(&["other.example"])), Box::new(named("other.example")), Ok(200)),
        (Origin::tls(&stranger.server(&["localhost"])), Box::new(|_| ()), Err(ErrorKind::TlsCertificate)),
        (
            Origin::tls(&authority.server_valid(&["localhost"], Lifetime::Expired)),
            Box::new(|_| ()),
            Err(ErrorKind::TlsCertificate),
        ),
        (
            Origin::tls(&stranger.server(&["localhost"])),
            Box::new(|transport| transport.insecure_skip_verify = true),
            Ok(200),
        ),
        (Origin::http1(), Box::new(|_| ()), Err(ErrorKind::TlsProtocol)),
    ];
    for (index, (origin, change, expected)) in rows.into_iter().enumerate() {
        on_worker(async {
            let bench =
                Bench::tls(vec![server(format!("https://localhost:{}", origin.addr().port()))], |to| {
                    trusting(&authority)(to);
                    change(to);
                });
            assert_eq!(bench.get("/").await.map(|whole| whole.status), expected, "row {index}");
        });
    }
}

#[test]
fn a_client_certificate_is_shown_where_there_is_one() {
    let authority = Authority::new();
    let clients = Authority::named("clients");
    let client = clients.client("proxy");
    let origin = Origin::setup().mutual_tls(&authority.server(&["localhost"]), &clients);
    let url = format!("https://localhost:{}", origin.addr().port());
    on_worker(async {
        let with = Bench::tls(vec![server(&url)], |to| {
            trusting(&authority)(to);
            to.client_certificate = Some(CertificateFiles {
                cert: PemSource::File(client.certificate.clone()),
                key: PemSource::File(client.key.clone()),
            });
        });
        assert_eq!(with.get("/").await.unwrap().status, 200);
        let without = Bench::tls(vec![server(&url)], trusting(&authority));
        // TLS 1.3 servers refuse a client after the handshake, as far as the client can tell.
        let kind = without.get("/").await.unwrap_err();
        assert!(matches!(kind, ErrorKind::TlsProtocol | ErrorKind::ConnectionTerminated), "{kind:?}");
    });
}

#[test]
fn without_a_configuration_no_request_leaves() {
    let origin = Origin::tls(&Authority::new().server(&["localhost"]));
    on_worker(async {
        let bench = Bench::new(vec![server(format!("https://localhost:{}", origin.addr().port()))]);
        assert_eq!(bench.get("/").await.unwrap_err(), ErrorKind::Unconfigured);
    });
}
