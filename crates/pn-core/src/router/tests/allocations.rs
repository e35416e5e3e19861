//! A lookup allocates nothing, but for the value of `Allow`.

use super::{Graph, request};
use crate::router::{Lookup, Router};
use pn_model::process::{RouterChoice, RulePriority};

#[test]
fn lookups_do_not_allocate() {
    let graph = Graph::read(
        "site a.x www.x
           exact: /a GET,PURGE h:k=1 q:d=x client:10.0.0.0/8 tls
           prefix: /a/b/* q:d=~^[0-9]+$
           regex: ~^/r[0-9] h:k=~^v
           third: /a/b/c/*
           fourth: /d/*
           fifth: /e/* prio=1
           sixth: /f
           seventh: /g
         site *.x
           one: /*
         site **.y
           deep: /*
         rule r = Host(`www.x`) && PathPrefix(`/p`) && !Header(`k`, `1`)",
    );
    let requests = [
        ("GET a.x/a?d=x h:k=1 client:10.1.1.1 tls", true),
        ("PURGE a.x/a?d=%78 h:k=1 client:10.1.1.1 tls", true),
        ("GET a.x/a/b/x?d=1%32", true),
        ("GET a.x/r1 h:k=v1", true),
        ("GET a.x/r1 h:k=w", false),
        ("GET www.x/path", true),
        ("GET www.x/nothing", false),
        ("GET b.x/", true),
        ("GET a.b.c.y/", true),
        ("GET unknown/", false),
    ];
    for mode in [RulePriority::Specificity, RulePriority::Length] {
        for choice in [RouterChoice::Sequential, RouterChoice::Compiled] {
            let (router, _) = Router::new(&graph.sites, &graph.specs, mode, choice).unwrap();
            for (text, hit) in requests {
                let request = request(text);
                // The first use of a regex in a thread sets its scratch memory up.
                let matched = matches!(router.lookup(&request), Lookup::Matched { .. });
                assert!(mode == RulePriority::Length || matched == hit, "{text}");
                let counted = allocation_counter::measure(|| drop(router.lookup(&request)));
                assert_eq!(counted.count_total, 0, "{mode:?} {choice:?} {text}");
            }
        }
    }
}
