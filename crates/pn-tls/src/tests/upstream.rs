//! The client side against servers of each kind.

use super::pki::{Ca, inline};
use super::world::{Done, Failure, World, client_auth, policy, site};
use crate::{UpstreamTls, server_name};
use pn_model::tls::ClientAuthMode;
use pn_model::transport::{Pool, TransportTimeouts, UpstreamProtocol};
use pn_model::{NodePath, Transport};
use rustls::{CertificateError, Error};
use std::sync::Arc;

fn transport(change: impl FnOnce(&mut Transport)) -> Transport {
    let mut transport = Transport {
        name: "t".into(),
        protocol: UpstreamProtocol::Auto,
        server_name: None,
        roots: Vec::new(),
        insecure_skip_verify: false,
        client_certificate: None,
        proxy_protocol: None,
        timeouts: TransportTimeouts::default(),
        pool: Pool::default(),
        path: NodePath::of(["transports", "t"]),
    };
    change(&mut transport);
    transport
}

fn connect(world: &World, transport: &Transport, host: &str) -> Result<Done, Failure> {
    let tls = UpstreamTls::default();
    let config = tls.batch().client_config(transport).unwrap();
    let name = server_name(transport, host).unwrap();
    world.connect(&config, &name.to_str())
}

#[test]
fn who_is_trusted() {
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    let world = World::new(&[site(&["*"], &ca.leaf(&["app.internal", "10.0.0.1"]))]);
    let trusting = |ca: &Ca| transport(|transport| transport.roots = vec![ca.pem()]);
    let named = transport(|own| {
        own.roots = vec![ca.pem()];
        own.server_name = Some("app.internal".into());
    });
    let blind = transport(|own| own.insecure_skip_verify = true);
    for (name, transport, host, expected) in [
        ("root given", trusting(&ca), "app.internal", Ok(())),
        ("address", trusting(&ca), "10.0.0.1", Ok(())),
        ("wrong name", trusting(&ca), "db.internal", Err("name")),
        ("wrong address", trusting(&ca), "10.0.0.2", Err("name")),
        ("name given", named, "10.0.0.2", Ok(())),
        ("wrong root", trusting(&other), "app.internal", Err("issuer")),
        ("system roots", transport(|_| ()), "app.internal", Err("issuer")),
        ("not verified", blind, "db.internal", Ok(())),
    ] {
        if name == "system roots" && rustls_native_certs::load_native_certs().certs.is_empty() {
            continue;
        }
        let met = match connect(&world, &transport, host) {
            Ok(_) => Ok(()),
            Err(Failure::Client(Error::InvalidCertificate(error))) => match error {
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Err("name")
                }
                CertificateError::UnknownIssuer => Err("issuer"),
                other => panic!("{name}: {other:?}"),
            },
            Err(other) => panic!("{name}: {other:?}"),
        };
        assert_eq!(met, expected, "{name}");
    }
}

#[test]
fn protocols_and_certificate_of_a_transport() {
    let (ca, clients) = (Ca::new("ca"), Ca::new("clients"));
    let strict =
        policy("p", |policy| policy.client_auth = client_auth(ClientAuthMode::RequireAndVerify, &[&clients]));
    let world = World::new(&[site(&["app.internal"], &ca.leaf(&["app.internal"])).under(&strict)]);
    let proxy = clients.leaf(&["proxy"]);
    for (protocol, expected) in
        [(UpstreamProtocol::Auto, "h2"), (UpstreamProtocol::H1, "http/1.1"), (UpstreamProtocol::H2, "h2")]
    {
        let with = |certificate| {
            transport(|own| {
                own.roots = vec![ca.pem()];
                own.protocol = protocol;
                own.client_certificate = certificate;
            })
        };
        let done = connect(&world, &with(Some(proxy.files())), "app.internal").unwrap();
        assert_eq!(done.alpn.as_deref(), Some(expected));
        assert_eq!(done.info.client.unwrap().subject, "CN=proxy");
        assert!(connect(&world, &with(None), "app.internal").is_err());
    }
}

#[test]
fn equal_content_is_one_configuration() {
    let (ca, other) = (Ca::new("ca"), Ca::new("other"));
    let tls = UpstreamTls::default();
    let config = |ca: &Ca, name: &str| {
        let own = transport(|own| {
            own.roots = vec![ca.pem()];
            own.server_name = Some(name.into());
        });
        tls.batch().client_config(&own).unwrap()
    };
    let first = config(&ca, "a");
    assert!(Arc::ptr_eq(&first, &config(&ca, "b")), "kept over reloads, whatever the server is called");
    assert!(!Arc::ptr_eq(&first, &config(&other, "a")));
    let weak = Arc::downgrade(&first);
    drop(first);
    assert!(weak.upgrade().is_none(), "the cache holds nothing that no graph uses");
}

#[test]
fn mistakes_are_placed() {
    let leaf = Ca::new("ca").leaf(&["proxy"]);
    let other = Ca::new("ca").leaf(&["proxy"]);
    let mixed = pn_model::site::CertificateFiles { key: other.files().key, ..leaf.files() };
    let tls = UpstreamTls::default();
    for (own, at) in [
        (transport(|own| own.roots = vec![inline("nothing")]), "transports.t.roots[0]"),
        (
            transport(|own| {
                own.insecure_skip_verify = true;
                own.client_certificate = Some(mixed.clone());
            }),
            "transports.t.client-certificate",
        ),
    ] {
        assert_eq!(tls.batch().client_config(&own).unwrap_err().at.to_string(), at);
    }
    let bad = transport(|own| own.server_name = Some("a b".into()));
    assert_eq!(server_name(&bad, "x").unwrap_err().at.to_string(), "transports.t.server-name");
}
