//! Which certificates a model wants.

use crate::life::demands;
use pn_model::ListenerName;
use pn_model::acme::AcmeIssuer;
use pn_model::site::{CertificateSource, HttpsMode};
use pn_model::tls::IssuerKind;
use pn_model::{HostPattern, Issuer, Model, NodePath, Site};

fn pattern(text: &str) -> HostPattern {
    match text.strip_prefix("**.") {
        Some(suffix) => HostPattern::AnyDepth(suffix.into()),
        None if text == "*" => HostPattern::Any,
        None => text
            .strip_prefix("*.")
            .map_or_else(|| HostPattern::Exact(text.into()), |suffix| HostPattern::OneLabel(suffix.into())),
    }
}

/// Sites as `HOSTS issuer group`.
fn model(sites: &[(&str, &str, &str)]) -> Model {
    let mut model = Model::default();
    for (name, fallback) in [("main", vec!["second", "same", "main"]), ("second", vec![]), ("same", vec![])] {
        let directory = format!("https://{}/dir", if name == "same" { "main" } else { name });
        let fallback = fallback.into_iter().map(Into::into).collect();
        let kind = IssuerKind::Acme(Box::new(AcmeIssuer { directory, fallback, ..AcmeIssuer::default() }));
        model.issuers.insert(name.into(), Issuer { name: name.into(), kind, path: NodePath::default() });
    }
    let kind = IssuerKind::InternalCa { lifetime: std::time::Duration::from_secs(3_600) };
    model.issuers.insert("lan".into(), Issuer { name: "lan".into(), kind, path: NodePath::default() });
    for (hosts, issuer, group) in sites {
        let hosts: Vec<HostPattern> = hosts.split(' ').map(pattern).collect();
        let name = hosts[0].to_string();
        let site = Site {
            name: name.as_str().into(),
            hosts,
            listeners: Vec::<ListenerName>::new(),
            https: HttpsMode::Redirect,
            certificate: CertificateSource::Issuer((*issuer).into()),
            san_group: (*group).to_owned(),
            tls_policy: None,
            routes: Vec::new(),
            implied: false,
            path: NodePath::default(),
        };
        model.sites.insert(name.as_str().into(), site);
    }
    model
}

#[test]
fn a_certificate_a_site_or_group_and_none_for_what_a_wildcard_covers() {
    for (sites, expected) in [
        (&[("b.example a.example", "main", "")][..], &["a.example b.example"][..]),
        (&[("a.example", "main", ""), ("b.example", "main", "")], &["a.example", "b.example"]),
        (&[("a.example", "main", "g"), ("b.example", "main", "g")], &["a.example b.example"]),
        (&[("a.example", "main", "g"), ("b.example", "second", "g")], &["a.example", "b.example"]),
        (&[("*.example.org", "main", ""), ("a.example.org", "main", "")], &["*.example.org"]),
        (
            &[("*.example.org", "main", ""), ("a.example.org", "second", "")],
            &["*.example.org", "a.example.org"],
        ),
        (&[("*.example.org example.org a.example.org", "main", "")], &["*.example.org example.org"]),
        (
            &[("*.example.org", "main", ""), ("x.a.example.org", "main", "")],
            &["*.example.org", "x.a.example.org"],
        ),
        (&[("*.0.0.1", "main", ""), ("10.0.0.1", "main", "")], &["*.0.0.1", "10.0.0.1"]),
        (&[("**.example", "main", ""), ("*", "main", "")], &[]),
        (&[("a.example", "lan", ""), ("b.example", "unknown", "")], &[]),
    ] {
        let mut got: Vec<String> =
            demands(&model(sites)).iter().map(|demand| demand.names.join(" ")).collect();
        got.sort();
        assert_eq!(got, expected, "{sites:?}");
    }
}

#[test]
fn fallbacks_are_asked_in_order_and_each_ca_once() {
    let all = demands(&model(&[("a.example", "main", "")]));
    let sources: Vec<_> = all[0].issuers.iter().map(|source| source.issuer.as_str()).collect();
    assert_eq!(sources, ["main", "second"]);
}

#[test]
fn a_certificate_of_many_names_is_several() {
    let hosts: Vec<String> = (0..250).map(|i| format!("h{i:03}.example")).collect();
    let all = demands(&model(&[(&hosts.join(" "), "main", "")]));
    let mut sizes: Vec<usize> = all.iter().map(|demand| demand.names.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100, 100]);
}
