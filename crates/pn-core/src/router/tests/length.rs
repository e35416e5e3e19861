//! "`rule-priority = "length"`: all rules of all sites in one list by Traefik's order; a rule that can never win is a
//! warning there, and a missed method is 404 as in Traefik."

use super::{Graph, check_by, told};
use crate::router::Router;
use pn_model::process::{RouterChoice, RulePriority};

fn check(graph: &str, rows: &[(&str, &str)]) {
    check_by(RulePriority::Length, graph, rows);
}

#[test]
fn the_longest_rule_goes_first_whatever_its_host() {
    let graph = "
        site app.x
        site *
        rule exact = Host(`app.x`)
        rule regexp = HostRegexp(`^[a-z]+[.]x$`)
        rule short = PathPrefix(`/`)";
    check(
        graph,
        &[
            ("GET app.x/", "regexp"),
            ("GET web.x/", "regexp"),
            ("GET 1.x/", "short"),
            ("GET app.x/a", "regexp"),
        ],
    );
}

#[test]
fn priority_replaces_the_length() {
    let graph = "
        site app.x
        site *
        rule exact prio=100 = Host(`app.x`)
        rule regexp = HostRegexp(`^[a-z]+[.]x$`)
        rule last prio=-1 = PathPrefix(`/a`) && PathPrefix(`/`)";
    check(graph, &[("GET app.x/a", "exact"), ("GET web.x/a", "regexp"), ("GET 1.x/a", "last")]);
}

#[test]
fn a_missed_method_is_a_miss() {
    let graph = "
        site app.x
        rule get = Host(`app.x`) && Path(`/a`) && Method(`GET`)
        rule all = Host(`app.x`) && PathPrefix(`/a/b`)";
    check(
        graph,
        &[
            ("GET app.x/a", "get"),
            ("POST app.x/a", "no route in app.x"),
            ("HEAD app.x/a", "no route in app.x"),
            ("POST app.x/a/b", "all"),
            ("GET web.x/a", "no host"),
        ],
    );
}

#[test]
fn branches_of_one_rule_rank_as_one() {
    let graph = "
        site a.x
        site b.x
        rule both = Host(`a.x`) && Path(`/1`) || Host(`b.x`)
        rule a = Host(`a.x`) && PathPrefix(`/`)
        rule b = Host(`b.x`)";
    check(graph, &[("GET a.x/1", "both"), ("GET a.x/2", "a"), ("GET b.x/", "both")]);
}

#[test]
fn routes_of_sites_count_as_the_rule_that_says_the_same() {
    let graph = "
        site a.x
          native: /api/v1/*
        rule short = Host(`a.x`) && PathPrefix(`/api`)
        rule long = Host(`a.x`) && PathPrefix(`/api/v1/x/y`)";
    check(
        graph,
        &[("GET a.x/api/v1/z", "native"), ("GET a.x/api/v2", "short"), ("GET a.x/api/v1/x/y", "long")],
    );
}

#[test]
fn never_winning_is_a_warning_and_a_tie_is_an_error() {
    let graph = Graph::read(
        "site a.x
         rule wide = Host(`a.x`) && PathPrefix(`/`)
         rule narrow = Host(`a.x`) && Path(`/a`)",
    );
    let build = |graph: &Graph| {
        Router::new(&graph.sites, &graph.specs, RulePriority::Length, RouterChoice::Auto)
            .map(|(_, warnings)| told(&warnings))
            .map_err(|errors| told(&errors))
    };
    let warned =
        "route `narrow` (narrow) can never win: `wide` (wide) goes first and takes every request of it";
    assert_eq!(build(&graph), Ok(vec![warned.to_owned()]));
    let tied = Graph::read(
        "site a.x
         rule one = Host(`a.x`) && Path(`/a`)
         rule two = Host(`a.x`) && Path(`/b`)
         rule three = Host(`a.x`) && PathPrefix(`/abc`)
         rule four = PathPrefix(`/abc`) && Host(`a.x`)",
    );
    let error = "routes `three` (three) and `four` (four) are equally long and can match the same request";
    assert_eq!(build(&tied), Err(vec![error.to_owned()]));
}
