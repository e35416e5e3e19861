//! Configurations and what they mean, in a few words a node.

mod refusals;
mod services;
mod soundness;

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
    assert_eq!((listeners[0].tls, listeners[1].tls), (false, true));
    assert!(model.services.contains_key("http://127.0.0.1:3000"));
}

#[test]
fn nothing_at_all_opens_nothing() {
    let model = model("");
    assert!(model.listeners.is_empty() && model.sites.is_empty() && model.services.is_empty());
    assert!(model.admin.is_some());
}

#[test]
fn sites_routes_and_the_order_of_middlewares() {
    let text = r#"
        [defaults.sites]
        use = ["base"]
        [defaults.services]
        use = ["svc"]
        [sites."App.Corp.Internal."]
        hosts = ["www.corp.internal"]
        use = ["site"]
        to = "app"
        routes."/api/*" = { use = ["limit"], strip-prefix = true, to = "localhost:3000" }
        routes."/up" = [{ methods = ["get"], to = "app" }, { methods = ["POST"], use = ["limit"] }]
        routes."/open" = { unset = ["use"], respond = { status = 204 } }
        routes."~^/v\\d" = { redirect = "https://{host}{uri}", priority = 5, fall-through = true }
        [services.app]
        servers = ["http://10.0.0.1:8080"]
        use = ["own"]
        [middlewares]
        base.body-limit = "1MiB"
        svc.add-prefix = "/x"
        site.strip-prefix = "/y"
        limit.rate-limit = { rate = "5/s" }
        own.replace-path = "/z"
    "#;
    let model = model(text);
    assert_eq!(
        routes(&model),
        "app.corp.internal www.corp.internal [web websecure] Redirect internal CA\n\
         \x20 app.corp.internal/* = /*: base site -> app\n\
         \x20 app.corp.internal/api/* = /api/*: base site limit strip-prefix(/api) -> http://localhost:3000\n\
         \x20 app.corp.internal/up = /up Conditions { methods: [\"GET\"], headers: [], query: [], client_ip: [], \
         peer_ip: [], tls: None }: base site -> app\n\
         \x20 app.corp.internal/up#2 = /up Conditions { methods: [\"POST\"], headers: [], query: [], client_ip: [], \
         peer_ip: [], tls: None }: base site limit -> app\n\
         \x20 app.corp.internal/open = /open:  -> sites.\"App.Corp.Internal.\".routes.\"/open\".respond\n\
         \x20 app.corp.internal~^/v\\d = ~^/v\\d: base site -> sites.\"App.Corp.Internal.\".routes.\"~^/v\\d\".redirect\n"
    );
    let uses = |name: &str| {
        let names = &model.services[name].middlewares;
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(uses("app"), "svc own");
    assert_eq!(uses("http://localhost:3000"), "svc");
    assert_eq!(uses("sites.\"App.Corp.Internal.\".routes.\"/open\".respond"), "svc");
    let last = model.sites["app.corp.internal"].routes.last().unwrap();
    assert_eq!((last.priority, last.fall_through), (5, true));
}

#[test]
fn rules_are_listed_under_the_sites_of_their_branches() {
    let text = r#"
        [sites."a.lan"]
        hosts = ["b.lan"]
        use = ["site"]
        to = "@whoami"
        [sites."*"]
        https = "off"
        to = "@ping"
        [routes.one]
        rule = "Host(`b.lan`) && Path(`/x`) || Host(`c.lan`)"
        use = ["own"]
        to = "@whoami"
        [routes.two]
        rule = "PathPrefix(`/`)"
        unset = ["use"]
        priority = -3
        to = "@metrics"
        [routes.three]
        rule = "Host(`a.lan`)"
        unset = ["use"]
        to = "@ping"
        [middlewares]
        site.body-limit = "1MiB"
        own.add-prefix = "/x"
    "#;
    assert_eq!(
        routes(&model(text)),
        "* [web] Off no certificate\n\
         \x20 */* = /*:  -> @ping\n\
         \x20 two = Path(StringPrefix(\"/\")):  -> @metrics\n\
         a.lan b.lan [web websecure] Redirect internal CA\n\
         \x20 a.lan/* = /*: site -> @whoami\n\
         \x20 one = or of 2: site own -> @whoami\n\
         \x20 three = Host(Exact(\"a.lan\")):  -> @ping\n\
         c.lan [web websecure] Redirect internal CA\n\
         \x20 one = or of 2: own -> @whoami\n"
    );
}

#[test]
fn implied_sites_start_from_the_defaults() {
    let text = r#"
        [defaults.sites]
        listeners = ["web"]
        https = "off"
        use = ["base"]
        [routes.one]
        rule = "Host(`c.example`)"
        to = "@whoami"
        [middlewares]
        base.body-limit = "1MiB"
    "#;
    assert_eq!(
        routes(&model(text)),
        "c.example [web] Off no certificate\n  one = Host(Exact(\"c.example\")): base -> @whoami\n"
    );
    assert!(model(text).sites["c.example"].implied);
}

#[test]
fn where_certificates_come_from() {
    let site = |keys: &str, issuers: &str| {
        format!("[sites.\"a.example\"]\nto = \"@ping\"\n{keys}\n[sites.\"nas\"]\nto = \"@ping\"\n{issuers}\n")
    };
    let of = |keys: &str, issuers: &str| {
        let loaded = load_text(&site(keys, issuers));
        let model = loaded.model.as_ref().unwrap_or_else(|| panic!("{}", findings(&loaded)));
        model.sites.values().map(certificate).collect::<Vec<_>>().join(", ")
    };
    let lan = "[issuers.lan]\ninternal-ca = {}";
    assert_eq!(of("https = \"off\"", ""), "no certificate, internal CA");
    assert_eq!(of("", lan), "issuer lan, issuer lan");
    assert_eq!(of("issuer = \"lan\"", lan), "issuer lan, issuer lan");
    assert_eq!(
        of("issuer = \"lan\"", &format!("{lan}\n[issuers.main]\ninternal-ca = {{}}")),
        "issuer lan, issuer main"
    );
    check(
        &site("", ""),
        &["t.toml:1:8 Error no-issuer: nothing says where the certificate of `a.example` comes from (add \
           `certificate = { cert = \"..\", key = \"..\" }`, an issuer (`[issuers.main]` with `acme = {}` or `internal-ca = {}`), or \
           `https = \"off\"`; only local names have a built-in internal CA)"],
    );
    let two = format!("{lan}\n[issuers.two]\ninternal-ca = {{}}");
    check(
        &site("issuer = \"lan\"", &two),
        &[
            "t.toml:4:8 Error no-issuer: there are several issuers, none is called `main`, and `nas` names none (add \
         `issuer = \"..\"`: one of lan, two)",
            "t.toml:8:10 Warning unused-node: the issuer `two` is not used (refer to it, mark it `abstract = true`, or \
         remove it)",
        ],
    );
}

#[test]
fn hosts_belong_to_one_site() {
    check(
        "[sites.\"A.lan\"]\nhosts = [\"b.lan\", \"B.lan.\"]\nto = \"@ping\"\n[sites.\"b.lan\"]\nto = \"@ping\"\n\
         [sites.\"a*.lan\"]\nto = \"@ping\"\n[sites.\"https://x.lan\"]\nto = \"@ping\"\n",
        &[
            "t.toml:2:19 Error duplicate-host: the host `b.lan` is named twice (keep one of them) [t.toml:2:10 first \
             here]",
            "t.toml:4:8 Error duplicate-host: the host `b.lan` belongs to the site `a.lan` already (keep one of \
             them) [t.toml:2:10 first here]",
            "t.toml:6:8 Error invalid-value: `a*.lan` has a wildcard in a place where none may stand (`*` stands \
             alone, or for the first label: `*.example`, `**.example`)",
            "t.toml:8:8 Error invalid-value: a host stands without a scheme (write \"x.lan\")",
        ],
    );
}

#[test]
fn references() {
    check(
        "[sites.\"a.lan\"]\nuse = [\"limti\"]\nto = \"ap\"\nroutes.\"/a\".to = \"limit\"\nroutes.\"/b\".to = \"base\"\n\
         routes.\"/c\".to = \"@whoam\"\nroutes.\"/d\".to = \"@dashboard\"\nroutes.\"/e\".to = \"ftp://x\"\n\
         routes.\"/f\".to = \"nothing\"\nroutes.\"/g\".to = \"@x\"\n\
         [services.app]\nservers = [\"http://a:1\"]\ntransport = \"t\"\n[services.base]\nabstract = true\n\
         [middlewares.limit]\nbody-limit = \"1MiB\"\n",
        &[
            "t.toml:2:8 Error unknown-reference: there is no middleware `limti` (did you mean `limit`?)",
            "t.toml:3:6 Error unknown-reference: there is no service `ap` (did you mean `app`?)",
            "t.toml:4:18 Error wrong-kind: `limit` is a middleware, not a service (name a node of `services`)",
            "t.toml:5:18 Error abstract-reference: the service `base` is abstract (name one that extends it) \
             [t.toml:14:11 only a parent]",
            "t.toml:6:18 Error unknown-reference: there is no built-in service `@whoam` (did you mean `@whoami`?)",
            "t.toml:7:18 Error not-in-this-version: the built-in service `@dashboard` is not in this version (leave \
             it out)",
            "t.toml:8:18 Error invalid-address: `ftp` is no scheme of an upstream (http, https, h2c or unix)",
            "t.toml:9:18 Error unknown-reference: there is no service `nothing` (define it in `services`)",
            "t.toml:10:18 Error unknown-reference: there is no built-in service `@x` (there are @whoami, @ping, \
             @metrics, @api)",
            "t.toml:13:13 Error unknown-reference: there is no transport `t` (define it in `transports`)",
        ],
    );
}

#[test]
fn rules_show_where_they_are_wrong() {
    check(
        "[routes.a]\nrule = 'Host(`a.lan`) & Path(`/`)'\nto = \"@ping\"\n",
        &["t.toml:2:23 Error invalid-rule: expected `&&`, found a single `&`"],
    );
    check(
        "[routes.a]\nrule = \"Host(\\\"a.lan\\\") & Path(`/`)\"\nto = \"@ping\"\n",
        &["t.toml:2:8 Error invalid-rule: expected `&&`, found a single `&`"],
    );
    check(
        "[routes.a]\nrule = 'Path(`/`)'\nto = \"@ping\"\n",
        &[
            "t.toml:2:8 Error no-site: a branch of this rule names no host, so it belongs to the site `*`, which is not \
         declared (add `Host(..)` to each branch, or declare `[sites.\"*\"]`)",
        ],
    );
    check(
        "[routes.a]\nrule = 'Host(`a`) && Host(`b`)'\nto = \"@ping\"\n",
        &[
            "t.toml:2:8 Error unreachable-route: no request can have all the hosts that this rule asks for (hosts are \
         joined by `||`)",
        ],
    );
    check(
        "[sites.\"**.corp.lan\"]\nto = \"@ping\"\n[routes.a]\nrule = 'Host(`x.y.corp.lan`)'\nto = \"@ping\"\n",
        &[
            "t.toml:4:8 Warning implied-site: `x.y.corp.lan` becomes a site of its own, without the middlewares and \
           the TLS policy of `**.corp.lan` (declare `[sites.\"x.y.corp.lan\"]` to say that this is meant) [t.toml:1:8 \
           the wider site]",
        ],
    );
}

#[test]
fn conditions() {
    let text = "[sites.\"a.lan\"]\nto = \"@ping\"\n[sites.\"a.lan\".routes.\"/a\"]\nmethods = [\"post\", \"GET\"]\n\
                headers = { X-A = \"1\", X-B = \"~^v\", X-C = true, X-D = false }\nquery = { Q = \"\" }\n\
                client-ip = \"10.0.0.0/8\"\npeer-ip = [\"::1\"]\ntls = true\n";
    let model = model(text);
    let RouteMatch::Native { conditions, .. } = &model.sites["a.lan"].routes[1].matcher else { panic!() };
    assert_eq!(
        format!("{conditions:?}"),
        "Conditions { methods: [\"GET\", \"POST\"], headers: [FieldMatch { name: \"x-a\", value: Literal(\"1\") }, \
         FieldMatch { name: \"x-b\", value: Regex(\"^v\") }, FieldMatch { name: \"x-c\", value: Present }, FieldMatch \
         { name: \"x-d\", value: Absent }], query: [FieldMatch { name: \"Q\", value: Literal(\"\") }], client_ip: \
         [10.0.0.0/8], peer_ip: [::1/128], tls: Some(true) }"
    );
}
