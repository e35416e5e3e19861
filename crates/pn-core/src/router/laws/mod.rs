//! What holds for every graph and every request, for the property tests and the fuzzers: both matchers give the answer
//! that a plain reading of the rules gives. Not part of any build but those.

mod choices;
mod generate;
pub(super) mod naive;
mod request;

pub use choices::Choices;
pub use request::Request;

use super::{Lookup, RouteSpec, Router, SiteSpec};
use pn_model::process::{RouterChoice, RulePriority};

/// Generates a graph and requests from the bytes, and panics when the matchers and the prose differ. Returns whether
/// the graph was one that can run, so that a test can see that most are.
pub fn differential(bytes: &[u8]) -> bool {
    let mut choices = Choices::new(bytes);
    let graph = generate::graph(&mut choices);
    let (sites, specs) = (&graph.sites, &graph.specs);
    let build = |choice| Router::new(sites, specs, graph.mode, choice);
    let (Ok((sequential, _)), Ok((compiled, _))) =
        (build(RouterChoice::Sequential), build(RouterChoice::Compiled))
    else {
        return false;
    };
    // What contradicts itself in ways that only the analysis sees is left out there, and not in the prose.
    if naive::count(sites, specs, graph.mode) != sequential.rules() {
        return false;
    }
    for _ in 0..16 {
        let request = generate::request(&mut choices, &graph);
        agree(&sequential, &compiled, sites, specs, graph.mode, &request);
    }
    true
}

/// One rule, alone, against requests: the branches of its disjunctive form say what the rule says as it stands. By
/// length, as there a branch without a literal host takes every host.
pub fn rule_match(bytes: &[u8]) {
    let mut choices = Choices::new(bytes);
    let graph = generate::one_rule(&mut choices);
    let Ok((router, _)) = Router::new(&graph.sites, &graph.specs, graph.mode, RouterChoice::Compiled) else {
        return;
    };
    for _ in 0..16 {
        let request = generate::request(&mut choices, &graph);
        let matched = matches!(router.lookup(&request), Lookup::Matched { .. });
        let expected = naive::rule_holds(&graph.specs, &request);
        assert_eq!(matched, expected, "{:#?}\n{request:?}", graph.specs.first());
    }
}

pub(super) fn agree(
    sequential: &Router,
    compiled: &Router,
    sites: &[SiteSpec],
    specs: &[RouteSpec],
    mode: RulePriority,
    request: &Request,
) -> Lookup {
    let expected = naive::answer(sites, specs, mode, request);
    let told = || format!("{mode:?}\n{sites:#?}\n{specs:#?}\n{request:?}");
    let first = sequential.lookup(request);
    assert_eq!(first, expected, "sequential matcher and prose\n{}", told());
    assert_eq!(compiled.lookup(request), expected, "compiled matcher and prose\n{}", told());
    let site = naive::site_of(sites, &request.host);
    assert_eq!(sequential.site_of(&request.host), site, "site, sequential\n{}", told());
    assert_eq!(compiled.site_of(&request.host), site, "site, compiled\n{}", told());
    first
}
