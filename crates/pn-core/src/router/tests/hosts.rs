//! "First the host: exact, then the longest wildcard, then `*`; a request never falls from one site to a wider one."

use super::{Graph, check};
use crate::router::{RouteSpec, Router, SiteSpec};
use pn_model::process::{RouterChoice, RulePriority};

#[test]
fn exact_then_longest_wildcard_then_any() {
    let graph = "
        site a.b.x
          exact: /*
        site *.b.x
          one: /*
        site **.b.x
          deep: /*
        site **.x
          wide: /*
        site *
          any: /*";
    check(
        graph,
        &[
            ("GET a.b.x/", "exact"),
            ("GET c.b.x/", "one"),
            ("GET d.c.b.x/", "deep"),
            ("GET b.x/", "wide"),
            ("GET a.c.x/", "wide"),
            ("GET x/", "any"),
            ("GET ax/", "any"),
            ("GET .x/", "any"),
            ("GET y/", "any"),
            // A client that names no host.
            ("GET /", "any"),
            ("GET 10.0.0.1/", "any"),
        ],
    );
}

#[test]
fn one_label_is_one_label() {
    check(
        "site *.x
           one: /*",
        &[
            ("GET a.x/", "one"),
            ("GET a.b.x/", "no host"),
            ("GET x/", "no host"),
            ("GET .x/", "no host"),
            ("GET /", "no host"),
        ],
    );
}

#[test]
fn any_depth_does_not_include_the_name_itself() {
    check(
        "site **.x
           deep: /*",
        &[("GET a.x/", "deep"), ("GET a.b.c.x/", "deep"), ("GET x/", "no host"), ("GET bx/", "no host")],
    );
}

#[test]
fn never_to_a_wider_site() {
    let graph = "
        site a.x
          a: /a/*
        site *.x
          one: /*
        site *
          any: /*";
    check(
        graph,
        &[
            ("GET a.x/a", "a"),
            ("GET a.x/b", "no route in a.x"),
            ("GET a.x/ab", "no route in a.x"),
            ("GET b.x/b", "one"),
            ("GET y/b", "any"),
        ],
    );
}

#[test]
fn a_site_without_routes_still_owns_its_host() {
    check("site a.x\nsite *\n any: /*", &[("GET a.x/", "no route in a.x"), ("GET b.x/", "any")]);
}

#[test]
fn aliases_share_the_routes() {
    let graph = "
        site a.x www.x *.w.x
          home: /
        site *.x
          one: /*";
    check(
        graph,
        &[
            ("GET a.x/", "home"),
            ("GET www.x/", "home"),
            ("GET c.w.x/", "home"),
            ("GET www.x/b", "no route in a.x"),
            ("GET w.x/b", "one"),
        ],
    );
}

#[test]
fn addresses_are_hosts() {
    check(
        "site 10.0.0.1 ::1\n  ip: /*",
        &[("GET 10.0.0.1/", "ip"), ("GET ::1/", "ip"), ("GET ::2/", "no host")],
    );
}

#[test]
fn the_empty_router_knows_no_host() {
    assert_eq!(Router::empty().site_of("a.x"), None);
    assert_eq!(Router::empty().rules(), 0);
}

#[test]
fn counts_of_rules() {
    let graph = Graph::read(
        "site a.x
           one: /a
           two: /b
         site b.x
         rule three = Host(`b.x`) && (Path(`/a`) || Path(`/b`) || Path(`/c`))",
    );
    for choice in [RouterChoice::Sequential, RouterChoice::Compiled, RouterChoice::Auto] {
        let (router, _) = Router::new(&graph.sites, &graph.specs, RulePriority::Specificity, choice).unwrap();
        assert_eq!(
            (router.rules(), router.rules_of(0), router.rules_of(1), router.rules_of(9)),
            (5, 2, 3, 0)
        );
    }
}

/// What is wide is not slow: a host of many labels is not hashed label by label.
#[test]
fn long_hosts() {
    let sites = [SiteSpec { id: 0, hosts: vec![super::text::host("**.x")] }];
    let (router, _) =
        Router::new(&sites, &[] as &[RouteSpec], RulePriority::Specificity, RouterChoice::Compiled).unwrap();
    assert_eq!(router.site_of(&format!("{}x", "a.".repeat(100_000))), Some(0));
    assert_eq!(router.site_of(&"a.".repeat(100_000)), None);
}
