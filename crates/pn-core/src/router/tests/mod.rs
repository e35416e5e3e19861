//! Tests of the router: tables for the rules, generated graphs for the matchers.

mod allocations;
mod errors;
mod hosts;
mod length;
mod methods;
mod random;
mod rank;
mod rules;
mod text;

use super::laws::agree;
use super::{Lookup, RouteError, Router};
use pn_model::process::{RouterChoice, RulePriority};
use text::{Graph, request};

/// What becomes of each request, by both matchers and by the prose: a route's name, `no host`, `no route in SITE`, or
/// `405 ALLOW`.
fn check(graph: &str, rows: &[(&str, &str)]) {
    check_by(RulePriority::Specificity, graph, rows);
}

fn check_by(mode: RulePriority, graph: &str, rows: &[(&str, &str)]) {
    let graph = Graph::read(graph);
    let build = |choice| match Router::new(&graph.sites, &graph.specs, mode, choice) {
        Ok((router, _)) => router,
        Err(errors) => panic!("refused: {}", told(&errors).join("\n")),
    };
    let (sequential, compiled) = (build(RouterChoice::Sequential), build(RouterChoice::Compiled));
    for (text, expected) in rows {
        let got = match agree(&sequential, &compiled, &graph.sites, &graph.specs, mode, &request(text)) {
            Lookup::Matched { route } => graph.name(route),
            Lookup::NoHost => "no host".to_owned(),
            Lookup::NoRoute { site } => format!("no route in {}", graph.site(site)),
            Lookup::MethodNotAllowed { allow, .. } => format!("405 {allow}"),
        };
        assert_eq!(got, *expected, "{text}");
    }
}

/// The errors of a graph, in their order; none when it runs.
fn check_errors(graph: &str, expected: &[&str]) {
    let graph = Graph::read(graph);
    let got = match Router::new(&graph.sites, &graph.specs, RulePriority::Specificity, RouterChoice::Auto) {
        Ok((_, warnings)) => {
            assert_eq!(warnings, []);
            Vec::new()
        }
        Err(errors) => told(&errors),
    };
    assert_eq!(got, expected);
}

fn told(errors: &[RouteError]) -> Vec<String> {
    errors.iter().map(|error| error.message.replace(" (routes.", " (")).collect()
}
