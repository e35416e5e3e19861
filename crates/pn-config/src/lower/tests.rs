//! Configurations and what they mean, in a few words a node.

use crate::tests::{findings, load_text};
use pn_model::rule::Expr;
use pn_model::site::{CertificateSource, RouteMatch};
use pn_model::{Model, Site};
use std::fmt::Write;

/// The model of a text without findings.
fn model(text: &str) -> Model {
    let loaded = load_text(text);
    assert_eq!(findings(&loaded), "", "of {text}");
    loaded.model.unwrap()
}

/// The findings of a text.
fn check(text: &str, expected: &[&str]) {
    let got = findings(&load_text(text));
    assert_eq!(got.lines().collect::<Vec<_>>(), expected, "of {text}");
}

/// Sites and their routes, one a line.
fn routes(model: &Model) -> String {
    let mut out = String::new();
    for site in model.sites.values() {
        let listeners: Vec<_> = site.listeners.iter().map(ToString::to_string).collect();
        let hosts: Vec<_> = site.hosts.iter().map(ToString::to_string).collect();
        writeln!(out, "{} [{}] {:?} {}", hosts.join(" "), listeners.join(" "), site.https, certificate(site))
            .unwrap();
        for route in &site.routes {
            let names: Vec<_> = route.middlewares.iter().map(ToString::to_string).collect();
            let matcher = match &route.matcher {
                RouteMatch::Native { path, conditions } => {
                    let conditions = format!("{conditions:?}");
                    let plain = format!("{:?}", pn_model::rule::Conditions::default());
                    format!("{path} {}", if conditions == plain { "" } else { &conditions })
                }
                RouteMatch::Rule { expr, .. } => match expr {
                    Expr::Atom(atom) => format!("{atom:?}"),
                    Expr::Not(_) => "not".to_owned(),
                    Expr::And(parts) => format!("and of {}", parts.len()),
                    Expr::Or(parts) => format!("or of {}", parts.len()),
                },
            };
            writeln!(out, "  {} = {}: {} -> {}", route.name, matcher.trim(), names.join(" "), route.to)
                .unwrap();
        }
    }
    out
}

fn certificate(site: &Site) -> String {
    match &site.certificate {
        CertificateSource::None => "no certificate".to_owned(),
        CertificateSource::Files(files) => format!("{} pairs", files.len()),
        CertificateSource::Issuer(name) => format!("issuer {name}"),
        CertificateSource::InternalCa => "internal CA".to_owned(),
    }
}

#[test]
fn the_smallest_file() {
    let model = model("[sites.\"app.localhost\"]\nto = \"http://127.0.0.1:3000\"\n");
    assert_eq!(
        routes(&model),
        "app.localhost [web websecure] Redirect internal CA\n  \
         app.localhost/* = /*:  -> http://127.0.0.1:3000\n"
    );
    let listeners: Vec<_> = model.listeners.values().collect();
    assert_eq!(listeners.len(), 2);
    assert_eq!((listeners[0].tls, listeners[0].https_port), (false, Some(443)));
    assert_eq!((listeners[1].tls, listeners[1].https_port), (true, None));
    assert!(model.services.contains_key("http://127.0.0.1:3000"));
}

#[test]
fn nothing_at_all_opens_nothing() {
    let model = model("");
    assert!(model.listeners.is_empty() && model.sites.is_empty() && model.services.is_empty());
    assert!(model.admin.is_some());
}
