//! RFC 2136 and TSIG: values come and go one by one, and each refusal says what to do.

use std::net::SocketAddr;

use pn_testkit::{Folder, free_port};

use super::super::DnsError;
use super::*;

const FQDN: &str = "_acme-challenge.www.test.example.";

#[test]
fn values_are_added_and_removed_one_by_one() {
    let named = Named::start(&[(ZONE, "")]);
    let (server, presenter) = (named.addr(), rfc2136(named.addr()));
    run(async {
        let (one, two) = (record(FQDN, "one"), record(FQDN, "two"));
        for each in [&one, &two, &one] {
            presenter.append(each).await.unwrap();
        }
        assert_eq!(txt(server, FQDN).await, ["one", "two"]);
        presenter.remove(&one).await.unwrap();
        assert_eq!(txt(server, FQDN).await, ["two"]);
        presenter.remove(&one).await.unwrap();
        presenter.remove(&two).await.unwrap();
        assert_eq!(txt(server, FQDN).await, [""; 0]);
    });
}

#[test]
fn long_values_and_many_of_them_come_back_whole() {
    let named = Named::start(&[(ZONE, "")]);
    let (server, presenter) = (named.addr(), rfc2136(named.addr()));
    let values: Vec<String> = (0..8).map(|n| n.to_string().repeat(300)).collect();
    run(async {
        for value in &values {
            presenter.append(&record(FQDN, value)).await.unwrap();
        }
        let witnesses = lookup(server).witnesses(&absolute(FQDN).unwrap()).await.unwrap();
        let mut seen = witnesses[0].txt(&absolute(FQDN).unwrap()).await.unwrap();
        seen.sort();
        assert_eq!(seen, values);
    });
}

#[test]
fn the_zone_is_the_nearest_one() {
    let named = Named::start(&[(ZONE, "sub IN NS ns1"), ("sub.test.example", ""), ("other.example", "")]);
    let (server, presenter) = (named.addr(), rfc2136(named.addr()));
    run(async {
        for name in
            ["_acme-challenge.test.example.", "_acme-challenge.a.b.sub.test.example.", "x.other.example."]
        {
            presenter.append(&record(name, "value")).await.unwrap();
            assert_eq!(txt(server, name).await, ["value"], "{name}");
        }
    });
}

#[test]
fn every_algorithm_signs() {
    for (algorithm, name) in [
        (TsigAlgorithm::HmacSha256, "hmac-sha256"),
        (TsigAlgorithm::HmacSha384, "hmac-sha384"),
        (TsigAlgorithm::HmacSha512, "hmac-sha512"),
    ] {
        let folder = Folder::new();
        let zone = Named::primary(&folder, ZONE, "", "grant other zonesub TXT;");
        let key = format!("key \"other\" {{ algorithm {name}; secret \"{}\"; }};\n", Named::SECRET);
        let named = Named::start_in(folder, &format!("{key}{zone}"));
        let tsig = Tsig { name: "other.".to_owned(), algorithm, ..tsig() };
        let presenter = Rfc2136::new(&named.addr().to_string(), Some(&tsig)).unwrap();
        run(async {
            presenter.append(&record(FQDN, name)).await.unwrap();
            assert_eq!(txt(named.addr(), FQDN).await, [name]);
        });
    }
}

/// What the error must say, for a presenter that is not right, at a name.
#[track_caller]
fn refused(presenter: &Rfc2136, fqdn: &str, expected: &[&str]) {
    let error = run(presenter.append(&record(fqdn, "value"))).unwrap_err().to_string();
    for each in expected {
        assert!(error.contains(each), "{each:?} in: {error}");
    }
    assert!(!error.contains(Named::SECRET), "{error}");
}

#[test]
fn each_refusal_says_what_to_do() {
    let folder = Folder::new();
    let strict = "grant acme-key name only.strict.example. TXT;";
    let zones = Named::primary(&folder, ZONE, "", Named::POLICY)
        + &Named::primary(&folder, "strict.example", "", strict);
    let named = Named::start_in(folder, &zones);
    let server = named.addr().to_string();
    let with = |change: fn(&mut Tsig)| {
        let mut tsig = tsig();
        change(&mut tsig);
        Rfc2136::new(&server, Some(&tsig)).unwrap()
    };

    refused(
        &with(|_| ()),
        "a.strict.example.",
        &["REFUSED", "grant acme-key zonesub TXT", "strict.example."],
    );
    refused(&Rfc2136::new(&server, None).unwrap(), FQDN, &["REFUSED", FQDN, &server]);
    refused(&with(|tsig| tsig.name = "stranger".into()), FQDN, &["BADKEY", "`stranger`", "tsig.name"]);
    refused(&with(|tsig| tsig.algorithm = TsigAlgorithm::HmacSha512), FQDN, &["BADKEY", "tsig.algorithm"]);
    refused(&with(|tsig| tsig.secret = Secret::new("b3RoZXI=")), FQDN, &["BADSIG", "tsig.secret"]);
    refused(&with(|_| ()).at(an_hour_late), FQDN, &["BADTIME", "differ by 3", "NTP"]);
    refused(&with(|_| ()), "_acme-challenge.elsewhere.net.", &["no zone for that name", "primary"]);
}

fn an_hour_late() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() - 3600
}

#[test]
fn a_secondary_is_told_from_a_primary() {
    let primary = Named::start(&[(ZONE, "")]);
    let port = primary.addr().port();
    let zone = format!(
        "zone \"{ZONE}\" {{ type secondary; file \"<dir>/copy.zone\"; primaries {{ 127.0.0.1 port {port}; }}; }};"
    );
    let secondary = Named::start_in(Folder::new(), &zone);
    secondary.peer().wait_for_log("Transfer completed");
    refused(&rfc2136(secondary.addr()), FQDN, &["secondary", "primary"]);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let nobody = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let error = run(rfc2136(nobody).append(&record(FQDN, "value"))).unwrap_err();
    assert!(matches!(&error, DnsError::Unreachable { server, .. } if *server == nobody), "{error}");
}

#[test]
fn keys_that_cannot_be_used_are_refused_at_once() {
    for (tsig, expected) in [
        (Tsig { secret: Secret::new("no base64!"), ..tsig() }, "`secret`"),
        (Tsig { name: "..".to_owned(), ..tsig() }, "`name`"),
    ] {
        let error = Rfc2136::new("127.0.0.1:53", Some(&tsig)).unwrap_err().to_string();
        assert!(error.contains(expected) && !error.contains("no base64!"), "{error}");
    }
    let spaced = Secret::new(format!(" {}\n", Named::SECRET.replace("LX", "L X")));
    assert!(Rfc2136::new("127.0.0.1:53", Some(&Tsig { secret: spaced, ..tsig() })).is_ok());
}
