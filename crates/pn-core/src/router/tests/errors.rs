//! "Two branches that can match the same request at equal rank are an error asking for `priority`", "Shadowed means it
//! can never win", and the ways around a guard.

use super::{Graph, check_errors};
use crate::router::Router;
use pn_model::process::{RouterChoice, RulePriority};

fn fine(graph: &str) {
    check_errors(graph, &[]);
}

fn ambiguous(graph: &str, a: &str, b: &str) {
    check_errors(
        graph,
        &[&format!("routes `{a}` ({a}) and `{b}` ({b}) rank alike and can match the same request")],
    );
}

fn shadowed(graph: &str, route: &str, by: &str) {
    let message = format!(
        "route `{route}` ({route}) can never win: `{by}` ({by}) goes first and takes every request of it"
    );
    check_errors(graph, &[&message]);
}

fn way_around(graph: &str, route: &str, by: &str, lost: &str) {
    let message = format!(
        "a request that misses a condition of route `{route}` ({route}) is served by `{by}` ({by}) without `{lost}`"
    );
    check_errors(graph, &[&message]);
}

fn pair(a: &str, b: &str) -> String {
    format!("site a.x\n one: {a}\n two: {b}")
}

#[test]
fn equal_rank() {
    for (a, b) in [
        ("/a", "/a"),
        ("/a/*", "/a/*"),
        ("/a h:k=1", "/a h:l=1"),
        // A field can come twice, with either value.
        ("/a h:k=1", "/a h:k=2"),
        ("/a q:k=1", "/a q:k=2"),
        ("/a h:k=1", "/a q:k=1"),
        ("/a GET", "/a GET"),
        ("/a GET,POST", "/a POST,PUT"),
        ("/a GET", "/a h:k=1"),
        ("/a client:10.0.0.0/8", "/a client:10.1.0.0/16"),
        ("/a client:10.0.0.0/8", "/a peer:11.0.0.0/8"),
        ("/a tls", "/a tls"),
        // Two regexes are presumed to overlap.
        ("~^/a", "~^/b"),
        ("~^/a GET", "~^/b GET"),
        ("/a prio=3", "/a prio=3"),
    ] {
        ambiguous(&pair(a, b), "one", "two");
    }
}

#[test]
fn no_request_meets_both() {
    for (a, b) in [
        ("/a", "/b"),
        ("/a/*", "/b/*"),
        ("/a GET", "/a POST"),
        ("/a HEAD", "/a GET"),
        ("~^/a GET", "~^/b POST"),
        ("/a tls", "/a plain"),
        ("/a client:10.0.0.0/8", "/a client:11.0.0.0/8"),
        ("/a client:10.0.0.0/8,12.0.0.0/8", "/a client:11.0.0.0/8,::1/128"),
        ("/a peer:10.0.0.0/8", "/a peer:11.0.0.0/8"),
        ("/a h:k", "/a h:!k"),
        ("/a h:k=1", "/a h:!k"),
        ("/a q:k=~x", "/a q:!k"),
    ] {
        fine(&pair(a, b));
    }
}

#[test]
fn another_rank_settles_it() {
    for (a, b) in [
        ("/a", "/a prio=1"),
        ("~^/a", "~^/b prio=1"),
        ("/a", "/a h:k=1"),
        ("/a/b", "/a/*"),
        ("/a/b/*", "/a/*"),
        ("/a/*", "~^/b"),
    ] {
        // One that can never win is another error.
        let graph = Graph::read(&pair(a, b));
        let built = Router::new(&graph.sites, &graph.specs, RulePriority::Specificity, RouterChoice::Auto);
        let alike =
            built.is_err_and(|errors| errors.iter().any(|error| error.message.contains("rank alike")));
        assert!(!alike, "{a} {b}");
    }
}

#[test]
fn equal_rank_of_rules() {
    ambiguous("site a.x\n one: /api/*\n rule two = Host(`a.x`) && PathPrefix(`/api`)", "one", "two");
    ambiguous("site a.x\n one: /*\n rule two = Host(`a.x`) && PathPrefix(`/`)", "one", "two");
    ambiguous("site a.x\n one: /*\n rule two = Host(`a.x`)", "one", "two");
    ambiguous("site *\n rule one = HostRegexp(`a`)\n rule two = HostRegexp(`b`)", "one", "two");
    ambiguous("site a.x b.x\n one: /a\n rule two = Host(`b.x`) && Path(`/a`)", "one", "two");
    fine("site a.x b.x\n rule one = Host(`a.x`) && Path(`/a`)\n rule two = Host(`b.x`) && Path(`/a`)");
    fine(
        "site a.x\n rule one = Host(`a.x`) && Header(`k`, `1`)\n rule two = Host(`a.x`) && !Header(`k`, `1`)",
    );
    // Branches of one rule are no rivals.
    fine("site a.x\n rule one = Host(`a.x`) && (Header(`k`, `1`) || Header(`l`, `1`))");
    // One error for a pair, however many sites list the rules.
    ambiguous(
        "site a.x\n site b.x\n rule one = Host(`a.x`) || Host(`b.x`)\n rule two = Host(`b.x`) || Host(`a.x`)",
        "one",
        "two",
    );
}

#[test]
fn an_error_names_both_routes_and_the_remedy() {
    let graph = Graph::read("site a.x\n one: /a\n two: /a");
    let errors =
        Router::new(&graph.sites, &graph.specs, RulePriority::Specificity, RouterChoice::Auto).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].at.to_string(), "routes.two");
    assert_eq!(errors[0].message, {
        "routes `one` (routes.one) and `two` (routes.two) rank alike and can match the same request"
    });
    assert_eq!(errors[0].help.as_deref(), Some("give the one that shall go first a higher `priority`"));
}

#[test]
fn never_wins() {
    shadowed(&pair("/* prio=1", "/a"), "two", "one");
    shadowed(&pair("/a/* prio=1", "/a/b/*"), "two", "one");
    shadowed(&pair("/a prio=1", "/a h:k=1"), "two", "one");
    shadowed(&pair("~x prio=1", "~x h:k=1"), "two", "one");
    shadowed(&pair("/a client:10.0.0.0/8 prio=1", "/a client:10.1.0.0/16 h:k=1"), "two", "one");
    shadowed(&pair("/a h:k prio=1", "/a h:k=1"), "two", "one");
    shadowed(&pair("/* prio=1", "~^/a"), "two", "one");
    // Whoever misses the method gets 405 before the narrower path is reached.
    shadowed(&pair("/a/* GET prio=1", "/a/b POST"), "two", "one");
    // Two together.
    shadowed("site a.x\n get: /a GET prio=1\n post: /a POST prio=1\n both: /a GET,POST", "both", "get");
}

#[test]
fn wins_somewhere() {
    fine(&pair("/a", "/*"));
    fine(&pair("/*", "~^/a"));
    fine("site a.x\n rule one = Host(`a.x`)\n rule two = Host(`a.x`) && PathRegexp(`^/a`)");
    fine(&pair("/a/* h:k=1 prio=1", "/a/b"));
    fine(&pair("/a GET prio=1", "/a POST,GET"));
    fine(&pair("/a/* prio=1", "/ab"));
    fine(&pair("~^/a prio=1", "/b"));
    fine(&pair("/a client:10.0.0.0/8 prio=1", "/a client:0.0.0.0/0"));
    // One branch is shadowed, the other is not.
    fine("site a.x\n one: /a prio=1\n rule two = Host(`a.x`) && (Path(`/a`) || Path(`/b`))");
    // In another site it wins.
    fine("site a.x\n one: /* prio=1\n site b.x\n rule two = Path(`/a`) && (Host(`a.x`) || Host(`b.x`))");
}

#[test]
fn contradictions() {
    let never = |rule: &str| {
        let message = "route `r` can never match: its conditions contradict each other";
        check_errors(&format!("site a.x\n site b.x\n rule r = Host(`a.x`) && {rule}"), &[message]);
    };
    never("Host(`b.x`)");
    never("!Host(`a.x`)");
    never("HostRegexp(`^b`)");
    never("Path(`/a`) && Path(`/b`)");
    never("Path(`/a`) && PathPrefix(`/b`)");
    never("Path(`/a`) && !PathPrefix(`/`)");
    never("Method(`GET`) && Method(`POST`)");
    never("ClientIP(`10.0.0.0/8`) && ClientIP(`11.0.0.0/8`)");
    never("Header(`k`, `1`) && !Header(`k`, `1`)");
    // One branch is left.
    fine("site a.x\n rule r = Host(`a.x`) && (Path(`/a`) || Path(`/b`)) && !Path(`/a`)");
}

#[test]
fn ways_around_a_guard() {
    way_around(&pair("/a h:k=1 guard=auth", "/*"), "one", "two", "auth");
    way_around(&pair("/a h:k=1 guard=auth", "/a"), "one", "two", "auth");
    way_around(&pair("/a client:10.0.0.0/8 guard=auth", "/a/*"), "one", "two", "auth");
    way_around(&pair("/a tls guard=auth,ip", "/* guard=ip"), "one", "two", "auth");
    way_around(&pair("~^/b h:k=1 guard=auth", "/*"), "one", "two", "auth");
    // A stop in between that takes only some of what misses the condition.
    way_around(
        "site a.x\n one: /a/* h:k=1 q:e guard=auth\n two: /a/* q:d=1 guard=auth fall\n three: /*",
        "one",
        "three",
        "auth",
    );
}

#[test]
fn no_way_around() {
    // The method alone is answered with 405.
    fine(&pair("/a POST guard=auth", "/*"));
    fine("site a.x\n get: /a GET\n post: /a POST guard=auth\n wide: /*");
    fine(&pair("/a h:k=1 guard=auth fall", "/*"));
    fine(&pair("/a h:k=1 guard=auth", "/* guard=auth"));
    fine(&pair("/a h:k=1 guard=auth", "/* guard=auth,ip"));
    fine(&pair("/a h:k=1", "/*"));
    fine(&pair("/a guard=auth", "/*"));
    fine(&pair("/a h:k=1 guard=auth", "/b/*"));
    // Whatever misses the header stops at the guarded route in between.
    fine("site a.x\n one: /a/* h:k=1 guard=auth\n two: /a/* guard=auth\n three: /*");
    fine("site a.x\n one: /a/b h:k=1 guard=auth\n two: /a/* guard=auth\n three: /*");
    // Another site is no way around.
    fine("site a.x\n one: /a h:k=1 guard=auth\n site *\n two: /*");
    // What the later route asks for is what the first one asked for.
    fine(&pair("/a tls guard=auth", "/* plain guard=auth"));
}

#[test]
fn regexes_that_do_not_compile() {
    let message = |graph: &str| {
        let graph = Graph::read(graph);
        let errors = Router::new(&graph.sites, &graph.specs, RulePriority::Specificity, RouterChoice::Auto)
            .unwrap_err();
        assert_eq!((errors.len(), errors[0].at.to_string()), (1, "routes.r".to_owned()));
        errors[0].message.clone()
    };
    assert!(message("site a.x\n r: ~( h:k=1").starts_with("route `r`: the regex `(` does not compile: "));
    assert!(message("site a.x\n r: /a h:k=~[").starts_with("route `r`: the regex `[` does not compile: "));
    assert_eq!(message("site a.x\n r: ~\\pL{1000}"), {
        "route `r`: the regex `\\pL{1000}` takes more than 1024 KiB when it is compiled"
    });
}

#[test]
fn a_host_of_two_sites() {
    check_errors("site a.x\n site b.x a.x", &["the host `a.x` belongs to two sites"]);
}
