//! The pages of certificates, what is asked about one, and its series.

use super::Rig;
use crate::{Certificate, CertificateSource, Renewal, ServedCertificate};

/// From files, of the internal CA, made on demand, renewed, missing.
pub(super) fn certificates() -> Vec<Certificate> {
    let certificate = |id: &str, names: &[&str], source| Certificate {
        id: id.to_owned(),
        names: names.iter().map(|&name| name.to_owned()).collect(),
        source,
        issuer: None,
        served: Some(ServedCertificate {
            serial: id.to_owned(),
            signed_by: "A CA".to_owned(),
            key_type: "p256".to_owned(),
            not_before: 1,
            not_after: 1_900_000_000,
        }),
        on_demand: false,
        renewal: None,
    };
    let renewal = |state, last_error: Option<&str>| Renewal {
        state,
        directory: "https://ca.example/dir".to_owned(),
        next: "renew",
        next_at: 1_890_000_000,
        failures: if last_error.is_some() { 3 } else { 0 },
        last_error: last_error.map(str::to_owned),
        window: Some([1_888_000_000, 1_891_000_000, 1_890_000_000]),
        asked_for: false,
    };
    let (file, internal) = (CertificateSource::File, CertificateSource::Internal);
    let main = || Some("main".to_owned());
    let renewed = |id, names, state, error| {
        let renewal = Some(renewal(state, error));
        Certificate { issuer: main(), renewal, ..certificate(id, names, CertificateSource::Obtained) }
    };
    let mut expired = renewed("d.example-1", &["d.example", "*.d.example"], "expired", Some("no route"));
    expired.served.iter_mut().for_each(|served| served.not_after = 1_000);
    vec![
        certificate("0a1b", &["a.localhost", "b.localhost"], internal),
        Certificate { on_demand: true, ..certificate("0a1c", &["chosen-by-a-client.d.localhost"], internal) },
        certificate("0a1d", &["c.example"], file),
        certificate("0a1e", &["f.example"], file),
        certificate("0a1f", &["f.example"], file),
        renewed("c.example-1", &["c.example"], "valid", None),
        expired,
        Certificate { served: None, ..renewed("e.example-1", &["e.example"], "missing", Some("refused")) },
    ]
}

#[test]
fn one_is_found_by_what_people_call_it() {
    let rig = Rig::tcp();
    for (name, status, holds) in [
        ("c.example-1", 200, "\"id\": \"c.example-1\""),
        ("0a1d", 200, "\"source\": \"file\""),
        // Of two, the one that is looked after.
        ("c.example", 200, "\"id\": \"c.example-1\""),
        ("C.Example", 200, "\"selected\": \"2029-11-22T00:00:00Z\""),
        ("x.d.example", 200, "\"last_error\": \"no route\""),
        ("*.d.example", 200, "\"state\": \"expired\""),
        ("%2A.d.example", 200, "\"seconds_left\": 0"),
        ("e.example", 200, "\"state\": \"missing\""),
        ("b.localhost", 200, "\"source\": \"internal\""),
        ("x.y.d.example", 404, "certs list"),
        ("f.example", 409, "0a1e, 0a1f"),
        ("", 404, ""),
    ] {
        let (got, body) = rig.get(&format!("/api/certificates/{name}"));
        assert_eq!(got, status, "{name}: {body}");
        assert!(body.contains(holds), "{name}: {body}");
    }
    assert!(!rig.get("/api/certificates/e.example").1.contains("serial"));
}

#[test]
fn changes_are_asked_for_by_those_who_may() {
    let rig = Rig::tcp();
    let here = "Host: localhost\r\n";
    for (method, what, fields, status, holds) in [
        ("POST", "c.example/renew", here, 202, "\"result\": \"begun\""),
        ("POST", "d.example/renew", here, 409, "not now"),
        ("POST", "0a1d/renew", here, 422, "from files"),
        ("POST", "a.localhost/renew", here, 422, "internal CA"),
        ("POST", "nobody.example/renew", here, 404, "no such certificate"),
        ("POST", "c.example/renew", "Host: evil.example\r\n", 403, ""),
        ("POST", "c.example/renew", "Host: localhost\r\nOrigin: http://evil.example\r\n", 403, ""),
        ("GET", "c.example/renew", here, 405, ""),
        ("POST", "c.example/revoke?reason=superseded", here, 200, "\"message\": \"superseded\""),
        ("POST", "c.example/revoke", here, 200, "\"message\": \"unspecified\""),
        ("POST", "stored-1/revoke", here, 200, "\"result\": \"revoked\""),
        ("POST", "c.example/revoke?reason=spite", here, 400, "no such reason"),
        ("POST", "c.example/revoke?why=superseded", here, 400, ""),
        ("POST", "d.example/revoke", here, 502, "the CA says no"),
        ("POST", "d.example/revoke?reason=superseded", here, 504, "the CA says nothing"),
        ("POST", "0a1d/revoke", here, 422, "from files"),
        ("POST", "nobody.example/revoke", here, 404, "no such certificate"),
        ("POST", "c.example/revoke", "Host: evil.example\r\n", 403, ""),
        ("GET", "c.example/revoke", here, 405, ""),
        ("POST", "rescan", here, 202, ""),
        ("POST", "rescan", "Host: evil.example\r\n", 403, ""),
    ] {
        let (got, body) = rig.ask(method, &format!("/api/certificates/{what}"), fields);
        assert_eq!(got, status, "{method} {what} {fields}: {body}");
        assert!(body.contains(holds), "{what}: {body}");
    }
}

#[test]
fn series() {
    let metrics = Rig::tcp().get("/metrics").1;
    for line in [
        "traefik_tls_certs_not_after{cn=\"d.example\",serial=\"912097\",sans=\"*.d.example,d.example\"} 1000",
        "tls_certs_on_demand 1",
        "tls_certs_expired 1",
        "tls_certs_missing 1",
        "tls_cert_renewal_failures{certificate=\"c.example-1\",issuer=\"main\"} 0",
        "tls_cert_renewal_failures{certificate=\"e.example-1\",issuer=\"main\"} 3",
        "tls_cert_next_attempt{certificate=\"e.example-1\",issuer=\"main\"} 1890000000",
        "acme_orders_total{issuer=\"main\",outcome=\"issued\"} 7",
    ] {
        assert!(metrics.contains(&format!("\n{line}\n")), "{line} in {metrics}");
    }
    assert!(!metrics.contains("chosen-by-a-client"), "{metrics}");
    assert_eq!(metrics.matches("cn=\"e.example\"").count(), 0, "it does not end");
}
