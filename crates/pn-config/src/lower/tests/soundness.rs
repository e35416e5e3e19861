//! What must hold of any configuration: loading never panics, and a model that may run refers to nothing that is not
//! there. Formatting changes no model, and a model differs from itself in nothing.

use crate::tests::load_text;
use pn_model::site::CertificateSource;
use pn_model::{MiddlewareKind, MiddlewareName, Model, ServiceKind, ServiceName};
use proptest::prelude::*;
use std::collections::HashSet;

fn middleware(model: &Model, name: &MiddlewareName) {
    assert!(model.middlewares.contains_key(name), "no middleware {name}");
}

fn service(model: &Model, name: &ServiceName) {
    assert!(model.services.contains_key(name), "no service {name}");
}

fn sound(model: &Model) {
    let mut hosts = HashSet::new();
    for site in model.sites.values() {
        assert!(
            !site.hosts.is_empty() && site.hosts.iter().all(|host| hosts.insert(host)),
            "{:?}",
            site.hosts
        );
        assert!(
            !site.listeners.is_empty()
                && site.listeners.iter().all(|name| model.listeners.contains_key(name))
        );
        assert!(site.tls_policy.iter().all(|name| model.tls_policies.contains_key(name)));
        if let CertificateSource::Issuer(name) = &site.certificate {
            assert!(model.issuers.contains_key(name), "no issuer {name}");
        }
        for route in &site.routes {
            service(model, &route.to);
            route.middlewares.iter().for_each(|name| middleware(model, name));
        }
    }
    for listener in model.listeners.values() {
        assert!(!listener.addresses.is_empty());
        listener.middlewares.iter().for_each(|name| middleware(model, name));
    }
    for node in model.middlewares.values() {
        match &node.kind {
            MiddlewareKind::Chain(members) => members.iter().for_each(|name| middleware(model, name)),
            MiddlewareKind::Errors(errors) => service(model, &errors.service),
            _ => {}
        }
    }
    for node in model.services.values() {
        node.middlewares.iter().for_each(|name| middleware(model, name));
        match &node.kind {
            ServiceKind::Servers(servers) => {
                assert!(servers.servers.iter().any(|server| server.weight > 0));
                assert!(servers.transport.iter().all(|name| model.transports.contains_key(name)));
            }
            ServiceKind::Split(split) => split.targets.iter().for_each(|(name, _)| service(model, name)),
            _ => {}
        }
    }
}

/// One of these; the last is a slip, and rare.
fn one_of(mut choices: Vec<&'static str>) -> impl Strategy<Value = &'static str> {
    let slip = choices.pop().unwrap();
    prop_oneof![30 => prop::sample::select(choices), 1 => Just(slip)]
}

/// What sites, routes and rules end in: middlewares and a target.
fn body() -> impl Strategy<Value = String> {
    let target = one_of(vec![
        "to = \"s\"",
        "to = \"t\"",
        "to = \"@ping\"",
        "to = \"http://a:1\"",
        "to = \"unix:/run/a\"",
        "respond = { status = 204 }",
        "redirect = \"https://{host}{uri}\"",
        "to = \"x\"",
    ]);
    let stack =
        one_of(vec!["", "use = [\"m\"]", "use = [\"m\", \"n\"]", "unset = [\"use\"]", "use = [\"s\"]"]);
    (target, stack).prop_map(|(target, stack)| format!("{stack}\n{target}\n"))
}

fn site(host: &'static str) -> impl Strategy<Value = String> {
    let keys = one_of(vec![
        "",
        "https = \"off\"",
        "https = \"both\"",
        "tls-policy = \"p\"",
        "issuer = \"i\"",
        "listeners = [\"l\"]",
        "hosts = [\"a b\"]",
    ]);
    let extra = one_of(vec![
        "",
        "methods = [\"GET\"]",
        "headers = { X = \"~a\" }",
        "client-ip = \"10.0.0.0/8\"",
        "priority = 3",
        "methods = []",
    ]);
    let paths = prop::sample::subsequence(vec!["/a", "/a/*", "/b/*", "~^/v", "/%61b"], 0..4);
    (body(), keys, paths, body(), extra).prop_map(move |(own, keys, paths, body, extra)| {
        let mut text = format!("[sites.\"{host}\"]\n{own}{keys}\n");
        for path in paths {
            let strip = if path.ends_with("/*") { "strip-prefix = true\n" } else { "" };
            text.push_str(&format!("[sites.\"{host}\".routes.'{path}']\n{body}{extra}\n{strip}"));
        }
        text
    })
}

fn rule(name: &'static str) -> impl Strategy<Value = String> {
    let rule = one_of(vec![
        "Host(`a.lan`) && Path(`/x`)",
        "Host(`d.lan`) || Host(`a.lan`) && !Method(`PUT`)",
        "Host(`*.lan`) && Query(`x`)",
        "Host(`x.y.lan`) && ClientIP(`10.0.0.0/8`)",
        "PathPrefix(`/`)",
    ]);
    (rule, body()).prop_map(move |(rule, body)| format!("[routes.{name}]\nrule = '{rule}'\n{body}"))
}

/// One definition of each name that the others refer to.
fn nodes() -> impl Strategy<Value = String> {
    let each = vec![
        one_of(vec![
            "[services.s]\nservers = [\"http://a:1\", { url = \"h2c://b:2\", weight = 0 }]\ntransport = \"q\"\n",
            "[services.s]\nsplit = { t = 1, \"@ping\" = 2, \"http://a:1\" = 0 }\n",
            "[services.s]\nabstract = true\nservers = [\"http://a:1\"]\n",
        ])
        .boxed(),
        one_of(vec![
            "[services.t]\nservers = [\"https://a\"]\ntransport = { server-name = \"b\" }\n",
            "[services.t]\nredirect = \"/\"\nuse = [\"m\"]\n",
            "[services.t]\nsplit = { s = 1 }\n",
        ])
        .boxed(),
        one_of(vec![
            "[middlewares.m]\nrate-limit = { rate = \"5/s\" }\n",
            "[middlewares.m]\nheaders.request.set.X = \"${env:X}\"\n",
            "[middlewares.m]\nchain = [\"n\"]\n",
        ])
        .boxed(),
        one_of(vec![
            "[middlewares.n]\nerrors = { status = 500, service = \"@ping\", path = \"/e\" }\n",
            "[middlewares.n]\nip-allow.ranges = \"10.0.0.0/8\"\n",
            "[middlewares.n]\nchain = [\"m\"]\n",
        ])
        .boxed(),
        one_of(vec!["[issuers.i]\ninternal-ca = {}\n", "[issuers.i]\nextends = \"j\"\n"]).boxed(),
        one_of(vec![
            "[listeners.l]\naddress = \":8443\"\ntls = true\nuse = [\"m\"]\n",
            "[listeners.l]\naddress = \":443\"\n",
        ])
        .boxed(),
        one_of(vec!["", "[defaults.sites]\nuse = [\"m\"]\n", "[defaults.sites]\nuse = [\"z\"]\n"]).boxed(),
        one_of(vec!["", "[defaults.services]\nuse = [\"n\"]\n", "[defaults.services]\nextends = \"s\"\n"]).boxed(),
    ];
    let fixed = "[transports.q]\ntimeouts.connect = \"1s\"\n[tls-policies.p]\nmin-version = \"1.3\"\n";
    each.prop_map(move |texts| format!("{fixed}{}", texts.concat()))
}

fn file() -> impl Strategy<Value = String> {
    let some = |text: BoxedStrategy<String>| prop_oneof![2 => text, 1 => Just(String::new())].boxed();
    let mut parts = vec![nodes().boxed()];
    parts.extend(["a.lan", "*.lan", "b.example", "*"].map(|host| some(site(host).boxed())));
    parts.extend(["one", "two"].map(|name| some(rule(name).boxed())));
    parts.prop_map(|texts| texts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn models_are_sound(text in file()) {
        let loaded = load_text(&text);
        if let Some(model) = &loaded.model {
            sound(model);
            prop_assert!(crate::diff::diff(model, model).changes.is_empty());
            let formatted = crate::fmt::fmt(&text).unwrap();
            let again = load_text(&formatted).model;
            prop_assert_eq!(again.as_ref(), Some(model), "{}", formatted);
        }
    }
}
