//! The CA as its clients and its operator see it.

mod damage;

use super::*;
use pn_model::acme::{AcmeIssuer, UntilIssued};
use pn_model::site::{CertificateSource, HttpsMode};
use pn_model::tls::{Issuer, IssuerKind};
use pn_model::{Model, NodePath, Site};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::{CertificateError, Error, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const DAY: u64 = 24 * 3600;
const NOW: u64 = 1_800_000_000;
const WEEK: Duration = Duration::from_secs(7 * DAY);

fn at(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

fn pattern(text: &str) -> HostPattern {
    match (text.strip_prefix("**."), text.strip_prefix("*.")) {
        (Some(suffix), _) => HostPattern::AnyDepth(suffix.into()),
        (_, Some(suffix)) => HostPattern::OneLabel(suffix.into()),
        _ if text == "*" => HostPattern::Any,
        _ => HostPattern::Exact(text.into()),
    }
}

fn demand(names: &[&str]) -> Demand {
    Demand { names: names.iter().map(|name| pattern(name)).collect(), lifetime: WEEK }
}

/// Opens the CA in a directory that nobody else uses.
fn open(path: &Path, seconds: u64) -> Result<InternalCa, AcmeError> {
    let state = StateDir::open(path)?;
    InternalCa::open(&state, "host", at(seconds))
}

/// What a client that trusts this root says to a server of that name.
fn verdict(root_pem: &str, chain: &[CertificateDer<'static>], name: &str, seconds: u64) -> Result<(), Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], at(seconds)).map(|_| ())
}

fn accepted(ca: &InternalCa, issued: &Issued, name: &str, seconds: u64) -> bool {
    verdict(ca.root_pem(), &issued.key.cert, name, seconds).is_ok()
}

#[test]
fn clients_accept_what_it_issues() {
    let dir = tempfile::tempdir().unwrap();
    let ca = open(dir.path(), NOW).unwrap();
    let names = ["a.lan", "*.apps.lan", "nas", "10.0.0.1", "fd00::1"].map(pattern);
    let issued = ca.issue(&names, WEEK, at(NOW)).unwrap();
    for (name, seconds, expected) in [
        ("a.lan", NOW, true),
        ("x.apps.lan", NOW, true),
        ("nas", NOW, true),
        ("10.0.0.1", NOW, true),
        ("fd00::1", NOW, true),
        ("b.lan", NOW, false),
        ("x.y.apps.lan", NOW, false),
        ("10.0.0.2", NOW, false),
        // A client whose clock is an hour slow, and the last day.
        ("a.lan", NOW - 3600, true),
        ("a.lan", NOW - 3601, false),
        ("a.lan", NOW + 7 * DAY - 1, true),
        ("a.lan", NOW + 7 * DAY + 1, false),
    ] {
        assert_eq!(accepted(&ca, &issued, name, seconds), expected, "{name} at {seconds}");
    }
    assert_eq!(issued.not_after, NOW + 7 * DAY);
    assert_eq!(issued.renew_at, NOW + 7 * DAY - 7 * DAY / 3);
}

#[test]
fn a_handshake_finds_what_was_issued() {
    let dir = tempfile::tempdir().unwrap();
    let mut ca = open(dir.path(), NOW).unwrap();
    let store = pn_tls::CertificateStore::new();
    let issued = ca.reconcile(&[demand(&["a.lan", "*.apps.lan"])], at(NOW)).unwrap();
    store.publish(pn_tls::Source::InternalCa, issued.into_iter().map(|issued| (issued.names, issued.key)));
    for (name, expected) in [("a.lan", true), ("x.apps.lan", true), ("b.lan", false)] {
        let found = store.get(name).map(|key| verdict(ca.root_pem(), &key.cert, name, NOW).is_ok());
        assert_eq!(found.unwrap_or(false), expected, "{name}");
    }
}

#[test]
fn long_host_names_fit_the_root_s_name() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::open(dir.path()).unwrap();
    let ca = InternalCa::open(&state, &"x".repeat(64), at(NOW)).unwrap();
    let root = CertificateDer::from_pem_slice(ca.root_pem().as_bytes()).unwrap();
    let (_, cert) = x509_parser::parse_x509_certificate(&root).unwrap();
    assert_eq!(cert.subject().to_string(), format!("CN=proxy-now internal CA {} 2027", "x".repeat(29)));
    assert!(!crate::host_name().is_empty());
}

#[test]
fn names_that_cannot_be_certified() {
    let dir = tempfile::tempdir().unwrap();
    let ca = open(dir.path(), NOW).unwrap();
    for (name, words) in [("**.lan", "one label"), ("*", "one label"), ("bücher.lan", "not ASCII")] {
        let error = ca.issue(&[pattern(name)], WEEK, at(NOW)).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(name), "{error}");
    }
}

#[test]
fn the_root_is_as_announced() {
    let dir = tempfile::tempdir().unwrap();
    let ca = open(dir.path(), NOW).unwrap();
    let root = CertificateDer::from_pem_slice(ca.root_pem().as_bytes()).unwrap();
    let (_, cert) = x509_parser::parse_x509_certificate(&root).unwrap();
    assert_eq!(cert.subject().to_string(), "CN=proxy-now internal CA host 2027");
    assert_eq!(cert.validity().not_after.timestamp() as u64, NOW + 10 * 365 * DAY);
    let constraints = cert.basic_constraints().unwrap().unwrap();
    assert_eq!((constraints.value.ca, constraints.value.path_len_constraint), (true, Some(1)));
    assert_eq!(std::fs::read_to_string(ca.root_path()).unwrap(), ca.root_pem());
    assert!(!ca.root_pem().contains("PRIVATE"));
    assert!(!format!("{ca:?}").contains("PRIVATE"));
}

#[test]
fn files_are_private() {
    let dir = tempfile::tempdir().unwrap();
    let mut ca = open(dir.path(), NOW).unwrap();
    ca.reconcile(&[demand(&["a.lan"])], at(NOW)).unwrap();
    let mut seen = 0;
    let mut folders = vec![dir.path().join("internal-ca")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(metadata.permissions().mode() & 0o777, expected, "{:?}", entry.path());
            if metadata.is_dir() {
                folders.push(entry.path());
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 5, "root, its certificate, intermediate, leaves, one leaf");
}

/// As on a full disk: the folder of the leaves is gone.
#[test]
fn a_certificate_that_cannot_be_kept_is_served_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let mut ca = open(dir.path(), NOW).unwrap();
    std::fs::remove_dir_all(dir.path().join("internal-ca/leaves")).unwrap();
    let issued = ca.reconcile(&[demand(&["a.lan"])], at(NOW)).unwrap();
    assert!(accepted(&ca, &issued[0], "a.lan", NOW));
    let again = ca.reconcile(&[demand(&["a.lan"])], at(NOW)).unwrap();
    assert_eq!(again[0].key.cert, issued[0].key.cert, "it is kept in memory");
    let later = NOW + 6 * DAY;
    let renewed = ca.renew(at(later)).unwrap();
    assert!(accepted(&ca, &renewed[0], "a.lan", later));
}

#[test]
fn a_restart_keeps_everything_that_is_not_due() {
    let dir = tempfile::tempdir().unwrap();
    let demands = [demand(&["a.lan"]), demand(&["b.lan", "10.0.0.1"])];
    let (root, first) = {
        let mut ca = open(dir.path(), NOW).unwrap();
        (ca.root_pem().to_owned(), ca.reconcile(&demands, at(NOW)).unwrap())
    };
    let same = |later: u64| {
        let mut ca = open(dir.path(), later).unwrap();
        let again = ca.reconcile(&demands, at(later)).unwrap();
        let same: Vec<bool> = first.iter().zip(&again).map(|(a, b)| a.key.cert == b.key.cert).collect();
        (ca.root_pem() == root, same)
    };
    assert_eq!(same(NOW + 4 * DAY), (true, vec![true, true]));
    assert_eq!(same(NOW + 5 * DAY), (true, vec![false, false]));
}

#[test]
fn what_is_not_demanded_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let mut ca = open(dir.path(), NOW).unwrap();
    let files = || std::fs::read_dir(dir.path().join("internal-ca/leaves")).unwrap().count();
    let first = ca.reconcile(&[demand(&["a.lan"]), demand(&["b.lan"])], at(NOW)).unwrap();
    assert_eq!((first.len(), files()), (2, 2));
    let long = Demand { lifetime: 2 * WEEK, ..demand(&["b.lan"]) };
    // A wildcard that no client accepts, and a name that is given twice.
    let second =
        ca.reconcile(&[demand(&["a.lan", "a.lan", "*.lan"]), demand(&["**.lan"]), long], at(NOW)).unwrap();
    assert_eq!((second.len(), files()), (2, 2));
    assert_eq!(second[0].key.cert, first[0].key.cert);
    assert_eq!(second[1].not_after, NOW + 14 * DAY);
}

#[test]
fn renewals_by_the_clock() {
    let dir = tempfile::tempdir().unwrap();
    let mut ca = open(dir.path(), NOW).unwrap();
    let issued = ca.reconcile(&[demand(&["a.lan"])], at(NOW)).unwrap();
    let due = issued[0].renew_at;
    assert_eq!(ca.next_renewal(), at(due));
    assert_eq!(ca.renewals_due(at(due - 1)), []);
    assert!(ca.renew(at(due - 1)).unwrap().is_empty());
    assert_eq!(ca.renewals_due(at(due)), [demand(&["a.lan"])]);
    let renewed = ca.renew(at(due)).unwrap();
    assert_eq!(renewed[0].not_after, due + 7 * DAY);
    assert_eq!(ca.next_renewal(), at(renewed[0].renew_at));
    assert!(accepted(&ca, &renewed[0], "a.lan", due));
}

#[test]
fn ten_years_of_renewals() {
    let dir = tempfile::tempdir().unwrap();
    let mut ca = open(dir.path(), NOW).unwrap();
    let mut held = ca.reconcile(&[demand(&["a.lan"])], at(NOW)).unwrap();
    let (mut now, mut intermediates) = (NOW, 1);
    while now < NOW + 9 * 365 * DAY {
        let next = ca.next_renewal().as_secs();
        assert!(next > now, "renewing at {now} must move the schedule on");
        now = next;
        assert!(accepted(&ca, &held[0], "a.lan", now), "valid until it is renewed");
        let renewed = ca.renew(at(now)).unwrap();
        if let Some(last) = renewed.last() {
            intermediates += usize::from(last.key.cert[1] != held[0].key.cert[1]);
            held = renewed;
        }
        assert!(accepted(&ca, &held[0], "a.lan", now));
    }
    assert!((12..=15).contains(&intermediates), "{intermediates}");
}

#[test]
fn a_leaf_never_outlives_its_signers() {
    let dir = tempfile::tempdir().unwrap();
    let ca = open(dir.path(), NOW).unwrap();
    let long = ca.issue(&[pattern("a.lan")], Duration::from_secs(5000 * DAY), at(NOW)).unwrap();
    assert_eq!(long.not_after, NOW + 365 * DAY);
    drop(ca);
    // Close to the root's end.
    let late = NOW + 3649 * DAY;
    let ca = open(dir.path(), late).unwrap();
    let last = ca.issue(&[pattern("a.lan")], WEEK, at(late)).unwrap();
    assert_eq!(last.not_after, NOW + 3650 * DAY);
    assert!(accepted(&ca, &last, "a.lan", late));
}

#[test]
fn clocks_that_are_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let root = open(dir.path(), NOW).unwrap().root_pem().to_owned();
    assert_eq!(
        open(dir.path(), 1000).unwrap().root_pem(),
        root,
        "a clock before its time does not cost the root"
    );
    let mut ca = open(dir.path(), NOW).unwrap();
    assert_eq!(ca.root_pem(), root);
    let issued = ca.reconcile(&[demand(&["a.lan"])], at(NOW)).unwrap();
    assert!(accepted(&ca, &issued[0], "a.lan", NOW));
    let earlier = NOW - DAY;
    let issued = ca.reconcile(&[demand(&["a.lan"])], at(earlier)).unwrap();
    assert!(issued[0].not_after == earlier + 7 * DAY, "a certificate from the future is of no use now");
    drop(ca);
    let late = NOW + 11 * 365 * DAY;
    let mut ca = open(dir.path(), late).unwrap();
    assert_ne!(ca.root_pem(), root, "an expired root is replaced");
    assert!(dir.path().join("internal-ca/root.pem.replaced").exists());
    let issued = ca.reconcile(&[demand(&["a.lan"])], at(late)).unwrap();
    assert!(accepted(&ca, &issued[0], "a.lan", late));
}

#[derive(Debug)]
struct Fixed(u64);

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        Some(at(self.0))
    }
}

#[test]
fn minting_is_by_the_issuer_of_the_site() {
    let dir = tempfile::tempdir().unwrap();
    let ca = open(dir.path(), NOW).unwrap();
    let issuers = BTreeMap::from([
        (None, MintBy::InternalCa(WEEK)),
        (Some("lan".into()), MintBy::InternalCa(2 * WEEK)),
        (Some("wait".into()), MintBy::Itself),
    ]);
    let minter = ca.minter(issuers, Arc::new(Fixed(NOW)));
    for (issuer, name, days) in
        [(None, "x.y.lan", Some(7)), (Some("lan"), "10.0.0.9", Some(14)), (Some("acme"), "x.lan", None)]
    {
        let issuer: Option<IssuerName> = issuer.map(Into::into);
        let minted = minter.mint(issuer.as_ref(), name);
        assert_eq!(minted.is_some(), days.is_some(), "{issuer:?}");
        if let (Some(minted), Some(days)) = (minted, days) {
            assert!(verdict(ca.root_pem(), &minted.key.cert, name, NOW).is_ok());
            assert_eq!(minted.renew_at, NOW + days * DAY - days * DAY / 3);
            let other = verdict(ca.root_pem(), &minted.key.cert, "other", NOW);
            assert!(matches!(
                other,
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
                ))
            ));
        }
    }
    assert!(minter.mint(None, "bücher").is_none());
    let wait = "wait".into();
    let placeholder = minter.mint(Some(&wait), "x.example").unwrap();
    assert_eq!(placeholder.key.cert.len(), 1);
    assert!(verdict(ca.root_pem(), &placeholder.key.cert, "x.example", NOW).is_err(), "nobody trusts it");
    let is_placeholder = [Some(&wait), Some(&"lan".into()), None].map(|issuer| minter.is_placeholder(issuer));
    assert_eq!(is_placeholder, [true, false, false]);
}

#[test]
fn demands_of_a_model() {
    let site = |name: &str, hosts: &[&str], certificate: CertificateSource, group: &str| Site {
        name: name.into(),
        hosts: hosts.iter().map(|host| pattern(host)).collect(),
        listeners: vec!["websecure".into()],
        https: HttpsMode::Redirect,
        certificate,
        san_group: group.into(),
        tls_policy: None,
        routes: Vec::new(),
        implied: false,
        path: NodePath::of(["sites", name]),
    };
    let lan = CertificateSource::Issuer("lan".into());
    let sites = [
        site("a.localhost", &["a.localhost"], CertificateSource::InternalCa, ""),
        site("b.lan", &["b.lan", "*.lan"], lan.clone(), ""),
        site("c.example", &["c.example"], lan.clone(), "group"),
        site("d.example", &["d.example"], lan.clone(), "group"),
        site("*", &["*"], lan, ""),
        site("e.example", &["e.example"], CertificateSource::Issuer("acme".into()), ""),
        site("f.lan", &["f.lan"], CertificateSource::None, ""),
    ];
    let long = 3 * WEEK;
    let issuer = Issuer {
        name: "lan".into(),
        kind: IssuerKind::InternalCa { lifetime: long },
        path: NodePath::default(),
    };
    let acme = |name: &str, until_issued| Issuer {
        name: name.into(),
        kind: IssuerKind::Acme(Box::new(AcmeIssuer { until_issued, ..AcmeIssuer::default() })),
        path: NodePath::default(),
    };
    let issuers = [issuer, acme("acme", UntilIssued::InternalCa), acme("wait", UntilIssued::Unavailable)];
    let model = Model {
        sites: sites.into_iter().map(|site| (site.name.clone(), site)).collect(),
        issuers: issuers.into_iter().map(|issuer| (issuer.name.clone(), issuer)).collect(),
        ..Model::default()
    };
    let by_ca = |lifetime| MintBy::InternalCa(lifetime);
    assert_eq!(
        minting(&model),
        BTreeMap::from([
            (None, by_ca(WEEK)),
            (Some("lan".into()), by_ca(long)),
            (Some("acme".into()), by_ca(WEEK)),
            (Some("wait".into()), MintBy::Itself),
        ])
    );
    let mut found: Vec<(Vec<String>, Duration)> = demands(&model)
        .into_iter()
        .map(|demand| (demand.names.iter().map(ToString::to_string).collect(), demand.lifetime))
        .collect();
    found.sort();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        found,
        [
            (names(&["a.localhost"]), WEEK),
            (names(&["b.lan"]), long),
            (names(&["c.example", "d.example"]), long),
        ]
    );
}
