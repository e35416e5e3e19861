//! Issuers that speak ACME: what they may be told, and what sites may ask of them.

use super::check;
use crate::tests::{findings, load_text};
use pn_model::acme::{
    AcmeIssuer, ChallengeKind, DnsProvider, DnsSettings, Eab, KeyType, OnDemand, Propagation, Throttle, Tsig,
    TsigAlgorithm, UntilIssued,
};
use pn_model::tls::IssuerKind;
use pn_model::{HostPattern, Secret};
use std::time::Duration;

/// A site of the issuer `main`, which is all that is written of it.
fn with(acme: &str) -> String {
    format!("[issuers.main]\nacme = {acme}\n[sites.\"a.example\"]\nto = \"@ping\"\n")
}

fn lowered(acme: &str) -> AcmeIssuer {
    let loaded = load_text(&with(acme));
    let model = loaded.model.as_ref().unwrap_or_else(|| panic!("{}", findings(&loaded)));
    match &model.issuers["main"].kind {
        IssuerKind::Acme(acme) => AcmeIssuer::clone(acme),
        IssuerKind::InternalCa { .. } => panic!("of another kind"),
    }
}

#[test]
fn what_is_not_said_is_let_s_encrypt() {
    let default = AcmeIssuer::default();
    assert_eq!(lowered("{}"), default);
    assert!(default.directory.contains("acme-v02.api.letsencrypt.org"));
    for (acme, expected) in [
        ("{ email = \"a@b\" }", AcmeIssuer { email: Some("a@b".into()), ..default.clone() }),
        ("{ profile = \"\", preferred-chain = \"\" }", default.clone()),
        ("{ staging = \"off\" }", AcmeIssuer { staging: None, ..default.clone() }),
        ("{ directory = \"letsencrypt-staging\" }", {
            let directory = "https://acme-staging-v02.api.letsencrypt.org/directory".into();
            AcmeIssuer { directory, staging: None, ..default.clone() }
        }),
        (
            "{ directory = \"HTTPS://CA.Corp.Example:9000/acme/Dir\", staging = \"http://127.0.0.1:14000/dir\" }",
            {
                let (directory, staging) =
                    ("https://ca.corp.example:9000/acme/Dir", "http://127.0.0.1:14000/dir");
                AcmeIssuer { directory: directory.into(), staging: Some(staging.into()), ..default.clone() }
            },
        ),
        ("{ directory = \"http://localhost:4000\" }", {
            AcmeIssuer { directory: "http://localhost:4000/".into(), staging: None, ..default.clone() }
        }),
    ] {
        assert_eq!(lowered(acme), expected, "{acme}");
    }
}

#[test]
fn everything_that_can_be_said() {
    let acme = "{ email = \"ops@corp.example\", directory = \"zerossl\", challenges = [\"dns-01\", \"http-01\"], \
                key-type = \"rsa3072\", profile = \"shortlived\", preferred-chain = \"Root X\", \
                eab = { kid = \"k1\", hmac = \"aGVs+G8/IQ==\" }, until-issued = \"unavailable\", \
                dns = { provider = \"rfc2136\", server = \"ns.example\", ttl = \"2m\", \
                tsig = { name = \"Acme-Key.\", algorithm = \"hmac-sha512\", secret = \"c2VjcmV0\" }, \
                propagation = { check = false, timeout = \"5m\", interval = \"5s\", resolvers = [\"::1\", \"10.0.0.1:5353\"] } }, \
                on-demand = { ask = \"http://127.0.0.1:9/ask?x=1\", allow = [\"*.corp.example\"] }, \
                throttle = { orders = 5, per = \"1m\" } }";
    let seconds = Duration::from_secs;
    let tsig = Tsig {
        name: "acme-key".into(),
        algorithm: TsigAlgorithm::HmacSha512,
        secret: Secret::new("c2VjcmV0"),
    };
    let expected = AcmeIssuer {
        directory: "https://acme.zerossl.com/v2/DV90".into(),
        staging: None,
        email: Some("ops@corp.example".into()),
        roots: Vec::new(),
        challenges: vec![ChallengeKind::Dns01, ChallengeKind::Http01],
        key_type: KeyType::Rsa3072,
        profile: Some("shortlived".into()),
        preferred_chain: Some("Root X".into()),
        eab: Some(Eab { kid: "k1".into(), hmac: Secret::new("aGVs-G8_IQ") }),
        dns: Some(DnsSettings {
            provider: DnsProvider::Rfc2136 { server: "ns.example:53".into(), tsig: Some(tsig) },
            ttl: seconds(120),
            propagation: Propagation {
                check: false,
                timeout: seconds(300),
                interval: seconds(5),
                resolvers: vec!["[::1]:53".into(), "10.0.0.1:5353".into()],
            },
        }),
        fallback: Vec::new(),
        until_issued: UntilIssued::Unavailable,
        on_demand: Some(OnDemand {
            ask: Some("http://127.0.0.1:9/ask?x=1".into()),
            allow: vec![HostPattern::OneLabel("corp.example".into())],
        }),
        throttle: Throttle { orders: 5, per: seconds(60) },
    };
    assert_eq!(lowered(acme), expected);
}

#[test]
fn directories_that_are_known_by_name() {
    const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";
    for (name, url, staging) in [
        ("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory", Some(STAGING)),
        ("letsencrypt-staging", STAGING, None),
        ("zerossl", "https://acme.zerossl.com/v2/DV90", None),
        ("google", "https://dv.acme-v02.api.pki.goog/directory", None),
        ("google-staging", "https://dv.acme-v02.test-api.pki.goog/directory", None),
    ] {
        let issuer =
            lowered(&format!("{{ directory = \"{name}\", eab = {{ kid = \"k\", hmac = \"aGk\" }} }}"));
        assert_eq!((&*issuer.directory, issuer.staging.as_deref()), (url, staging), "{name}");
    }
}

#[test]
fn directories_that_want_an_account_of_their_own() {
    for (name, wants) in [
        ("letsencrypt", false),
        ("letsencrypt-staging", false),
        ("zerossl", true),
        ("google", true),
        ("google-staging", true),
    ] {
        let found = findings(&load_text(&with(&format!("{{ directory = \"{name}\" }}"))));
        assert_eq!(found.contains(&format!("missing-eab: {name} opens accounts only")), wants, "{found}");
    }
}

#[test]
fn how_records_are_written() {
    let provider = |dns: &str| lowered(&format!("{{ dns = {dns} }}"));
    assert_eq!(provider("{ provider = \"rfc2136\", server = \"::1\" }").challenges, [ChallengeKind::Dns01]);
    for (dns, expected) in [
        (
            "{ provider = \"exec\", program = \"/bin/dns\", args = [\"--zone\", \"x\"] }",
            "Exec { program: \"/bin/dns\", args: [\"--zone\", \"x\"], raw: false }",
        ),
        (
            "{ provider = \"httpreq\", url = \"https://dns.example/api\", username = \"u\", password = \"hunter2\" }",
            "HttpReq { url: \"https://dns.example/api\", username: Some(\"u\"), password: Some(***), raw: false }",
        ),
        (
            "{ provider = \"cloudflare\", settings = { token = \"hunter2\" } }",
            "Library { name: \"cloudflare\", settings: {\"token\": ***} }",
        ),
        ("{ provider = \"rfc2136\", server = \"ns:5\" }", "Rfc2136 { server: \"ns:5\", tsig: None }"),
    ] {
        assert_eq!(format!("{:?}", provider(dns).dns.unwrap().provider), expected, "{dns}");
    }
}

#[test]
fn what_issuers_may_not_be_told() {
    let dns = |dns: &str| format!("{{ dns = {dns} }}");
    for (acme, expected) in [
        (
            "{ directory = \"letsencript\" }".to_owned(),
            "2:22 Error invalid-value: there is no directory `letsencript` (did you mean `letsencrypt`?)",
        ),
        (
            "{ directory = \"ca.corp\" }".to_owned(),
            "2:22 Error invalid-value: there is no directory `ca.corp` (one of letsencrypt, letsencrypt-staging, \
             zerossl, google, google-staging, or a URL)",
        ),
        (
            "{ directory = \"http://ca.corp.example/dir\" }".to_owned(),
            "2:22 Error invalid-value: the directory of a CA is reached by https (write https:// (plain http is taken \
             from this machine only))",
        ),
        (
            "{ directory = \"zerossl\" }".to_owned(),
            "2:22 Error missing-eab: zerossl opens accounts only for those who have one there already (add `eab = { \
             kid = \"..\", hmac = \"${env:..}\" }` with what the CA shows on its site)",
        ),
        (
            "{ eab = { kid = \"k\", hmac = \"not base64\" } }".to_owned(),
            "2:36 Error invalid-value: this value is refused; it is secret and not shown",
        ),
        (
            "{ email = \"mailto:a@b\" }".to_owned(),
            "2:18 Error invalid-value: an address stands without `mailto:`",
        ),
        (
            "{ challenges = [\"dns-01\"] }".to_owned(),
            "2:23 Error missing-dns: `dns-01` has to know how to write records (add `dns = { provider = \"rfc2136\", \
             server = \"..\", tsig = { .. } }`, or another provider)",
        ),
        (
            "{ challenges = [] }".to_owned(),
            "2:23 Error invalid-value: no challenge is listed (leave the key out for tls-alpn-01 and http-01)",
        ),
        (
            "{ on-demand = {} }".to_owned(),
            "2:22 Error missing-permission: certificates on demand for any name that a client thinks of (add `ask = \
             \"http://..\"`, a service that says which names are yours, or `allow = [\"*.host\"]`)",
        ),
        (
            dns("{ provider = \"rfc2136\" }"),
            "2:29 Error missing-key: the provider `rfc2136` lacks its `server` (add `server = \"..\"`)",
        ),
        (
            dns("{ provider = \"exec\", program = \"/p\", server = \"ns\" }"),
            "2:62 Error wrong-key: `server` is not for the provider `exec` (remove it)",
        ),
        (
            dns("{ provider = \"rfc2136\", server = \"ns:0\" }"),
            "2:49 Error invalid-value: `ns:0` has no port from 1 to 65535",
        ),
        (
            dns("{ provider = \"rfc2136\", server = \"ns\", tsig = { name = \"a b\", secret = \"AAAA\" } }"),
            "2:71 Error invalid-value: `a b` is no name of a TSIG key",
        ),
        (
            "{ challenges = [\"http-01\"], dns = { provider = \"exec\", program = \"/p\" } }".to_owned(),
            "2:42 Warning unused-key: no challenge of this issuer needs `dns` (add \"dns-01\" to `challenges`, or leave \
             that key out)",
        ),
    ] {
        assert_eq!(findings(&load_text(&with(&acme))), format!("t.toml:{expected}\n"), "of {acme}");
    }
}

#[test]
fn issuers_that_fall_back() {
    let site = "[sites.\"a.example\"]\nto = \"@ping\"\n";
    check(
        &format!(
            "{site}[issuers.main]\nacme = {{ fallback = [\"two\"] }}\n[issuers.two]\nacme = {{ fallback = \"main\" }}\n\
             [issuers.lan]\ninternal-ca = {{}}\n[issuers.self]\nacme.fallback = [\"self\", \"lan\", \"none\"]\n"
        ),
        &[
            "t.toml:4:8 Error cycle: these lead back to where they started: `main` → `two` → `main` (take one of them out)",
            "t.toml:10:1 Error cycle: these lead back to where they started: `self` → `self` (take one of them out)",
            "t.toml:10:26 Error wrong-kind: the issuer \"lan\" does not speak ACME (before a certificate is there, \
             `until-issued = \"internal-ca\"` serves the internal CA's)",
            "t.toml:10:33 Error unknown-reference: there is no issuer `none` (define it in `issuers`)",
        ],
    );
}

#[test]
fn who_decides_is_reached_by_https_or_on_this_machine() {
    for (ask, scheme) in [
        ("https://ask.corp.example/", true),
        ("http://127.0.0.1:9/ask", true),
        ("http://[::1]:9/ask?x=1", true),
        ("http://localhost/", true),
        ("http://ask.corp.example/", false),
        ("http://127.0.0.1.evil.example/", false),
        ("http://10.0.0.1/", false),
    ] {
        let text = format!("[issuers.main]\nacme.on-demand.ask = \"{ask}\"\n");
        let refused =
            findings(&load_text(&text)).contains("who decides about certificates is reached by https");
        assert_eq!(!refused, scheme, "{ask}");
    }
}

#[test]
fn what_no_ca_certifies() {
    let dns = "dns = { provider = \"exec\", program = \"/p\" }";
    let own = "directory = \"https://ca.corp.example/dir\"";
    let local = |host: &str| {
        Some(format!(
            "`{host}` is a local name, which letsencrypt does not certify (name an issuer with `internal-ca = {{}}`, or \
             the directory of your own CA)"
        ))
    };
    let wildcard = |host: &str| {
        Some(format!(
            "`{host}` is a wildcard, and the issuer `main` has no challenge for the zone (add `dns = {{ provider = \
             \"rfc2136\", server = \"..\", tsig = {{ .. }} }}`, or another provider, to the issuer)"
        ))
    };
    let open = |host: &str, first: &str| {
        Some(format!(
            "no certificate is for all of `{host}`: names under it are only known once a client asks ({first}`on-demand \
             = {{ ask = \"..\" }}` at the issuer, an issuer with `internal-ca = {{}}`, or `https = \"off\"`)"
        ))
    };
    let first = "`hosts = [\"*.x.example\"]` with a DNS challenge, ";
    let on_demand = "on-demand.ask = \"http://127.0.0.1:9/\"";
    for (acme, host, expected) in [
        ("", "a.example", None),
        ("", "203.0.113.7", None),
        ("", "2001:db8::1", None),
        ("", "a.localhost", local("a.localhost")),
        ("", "nas", local("nas")),
        ("", "10.0.0.1", local("10.0.0.1")),
        ("", "127.0.0.1", local("127.0.0.1")),
        ("", "*.lan", local("*.lan")),
        (own, "a.localhost", None),
        (own, "10.0.0.1", None),
        ("", "*.x.example", wildcard("*.x.example")),
        (own, "*.x.example", wildcard("*.x.example")),
        (on_demand, "*.x.example", wildcard("*.x.example")),
        (dns, "*.x.example", None),
        ("challenges = [\"dns-persist-01\"]", "*.x.example", None),
        ("", "**.x.example", open("**.x.example", first)),
        (dns, "**.x.example", open("**.x.example", first)),
        (on_demand, "**.x.example", None),
        ("", "*", open("*", "")),
        (on_demand, "*", None),
        (
            dns,
            "203.0.113.7",
            Some(
                "`203.0.113.7` is an address, which the challenges of the issuer `main` cannot prove (add \
                 \"tls-alpn-01\" or \"http-01\" to `challenges`, or name another issuer)"
                    .to_owned(),
            ),
        ),
    ] {
        let text = format!("[issuers.main]\nacme = {{ {acme} }}\n[sites.\"{host}\"]\nto = \"@ping\"\n");
        let expected: Vec<_> =
            expected.into_iter().map(|text| format!("t.toml:3:8 Error no-certificate: {text}")).collect();
        check(&text, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn a_wildcard_that_is_allowed_opens_the_issuer_to_anybody() {
    let warning = "t.toml:2:42 Warning open-issuer: anybody can have the issuer `main` order certificates for names \
                   under `*.x.example`, until its throttle and the limits of its CA are used up for all sites (leave \
                   the wildcard out, and name a service that says which names are yours: `ask = \"..\"`)";
    for (allow, more, expected) in [
        ("\"a.example\", \"*.x.example\"", "", &[warning][..]),
        ("\"a.example\", \"*.x.example\"", ", on-demand.ask = \"http://127.0.0.1:9/\"", &[warning]),
        ("\"a.example\", \"b.x.example\"", "", &[]),
    ] {
        let text = format!(
            "[issuers.main]\nacme = {{ on-demand.allow = [{allow}]{more} }}\n[sites.\"**.x.example\"]\nto = \"@ping\"\n"
        );
        check(&text, expected);
    }
}

#[test]
fn wildcards_and_listeners_that_make_up_for_it() {
    let dns = "dns = { provider = \"exec\", program = \"/p\" }";
    // The first level has its wildcard, and another site may lie below it.
    check(
        &format!(
            "[issuers.main]\nacme = {{ {dns} }}\n[sites.\"**.x.example\"]\nhosts = [\"*.x.example\"]\nto = \"@ping\"\n"
        ),
        &[],
    );
    check(
        "[issuers.main]\nacme = { challenges = \"http-01\" }\n[sites.\"a.example\"]\nlisteners = \"websecure\"\n\
         to = \"@ping\"\n",
        &[
            "t.toml:2:23 Error no-certificate: `http-01` is asked for on port 80, and no listener is plain (add \
             \"tls-alpn-01\", or a site to the listener `web`)",
        ],
    );
}
