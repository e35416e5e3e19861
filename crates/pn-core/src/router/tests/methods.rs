//! "405 when a path pattern is met and no entry of that pattern takes the method; it does not fall to a wider path.
//! `GET` covers HEAD unless HEAD has its own entry."

use super::check;

#[test]
fn method_not_allowed() {
    let graph = "
        site a.x
          read: /a GET
          write: /a POST
          wide: /a/*
          root: /*";
    check(
        graph,
        &[
            ("GET a.x/a", "read"),
            ("HEAD a.x/a", "read"),
            ("POST a.x/a", "write"),
            ("DELETE a.x/a", "405 GET, HEAD, POST"),
            ("PURGE a.x/a", "405 GET, HEAD, POST"),
            ("get a.x/a", "405 GET, HEAD, POST"),
            ("DELETE a.x/a/b", "wide"),
            ("DELETE a.x/b", "root"),
        ],
    );
}

#[test]
fn prefixes_and_regexes_too() {
    let graph = "
        site a.x
          prefix: /a/* GET
          regex: ~^/r POST
          root: /b/*";
    check(
        graph,
        &[
            ("POST a.x/a/b", "405 GET, HEAD"),
            ("GET a.x/r", "405 POST"),
            ("POST a.x/r", "regex"),
            ("POST a.x/b", "root"),
            ("POST a.x/c", "no route in a.x"),
        ],
    );
}

#[test]
fn head_with_its_own_entry() {
    let graph = "
        site a.x
          get: /a GET
          head: /a HEAD
          other: /b GET
          both: /c GET,HEAD";
    check(
        graph,
        &[
            ("GET a.x/a", "get"),
            ("HEAD a.x/a", "head"),
            ("HEAD a.x/b", "other"),
            ("HEAD a.x/c", "both"),
            ("POST a.x/a", "405 GET, HEAD"),
            ("POST a.x/b", "405 GET, HEAD"),
        ],
    );
}

#[test]
fn an_own_entry_for_head_counts_although_its_condition_is_missed() {
    let graph = "
        site a.x
          get: /a GET
          head: /a HEAD h:k=1
          root: /*";
    check(graph, &[("HEAD a.x/a h:k=1", "head"), ("HEAD a.x/a", "root"), ("GET a.x/a", "get")]);
}

#[test]
fn uncommon_methods() {
    let graph = "
        site a.x
          purge: /a PURGE,GET
          trace: /b TRACE";
    check(
        graph,
        &[
            ("PURGE a.x/a", "purge"),
            ("BAN a.x/a", "405 GET, HEAD, PURGE"),
            ("TRACE a.x/b", "trace"),
            ("GET a.x/b", "405 TRACE"),
        ],
    );
}

#[test]
fn only_where_nothing_but_the_method_is_missed() {
    let graph = "
        site a.x
          header: /a GET h:k=1
          root: /*";
    check(
        graph,
        &[
            ("GET a.x/a h:k=1", "header"),
            ("POST a.x/a h:k=1", "405 GET, HEAD"),
            // The header is missed as well: the next route of the site may take it.
            ("POST a.x/a", "root"),
            ("GET a.x/a", "root"),
        ],
    );
}

#[test]
fn another_entry_that_takes_the_method_but_misses_a_condition_falls() {
    let graph = "
        site a.x
          read: /a GET
          write: /a POST h:k=1
          root: /*";
    check(
        graph,
        &[
            ("POST a.x/a h:k=1", "write"),
            ("POST a.x/a", "root"),
            ("PUT a.x/a", "405 GET, HEAD"),
            ("PUT a.x/a h:k=1", "405 GET, HEAD, POST"),
        ],
    );
}

#[test]
fn priority_decides_which_pattern_is_met_first() {
    let graph = "
        site a.x
          wide: /* h:k=1 prio=1
          narrow: /a GET";
    check(graph, &[("POST a.x/a h:k=1", "wide"), ("POST a.x/a", "405 GET, HEAD"), ("GET a.x/a", "narrow")]);
}

#[test]
fn methods_of_rules() {
    let graph = "
        site a.x
        rule get = Host(`a.x`) && Path(`/a`) && Method(`GET`)
        rule rest = Host(`a.x`) && Path(`/b`) && !Method(`GET`)
        rule either = Host(`a.x`) && Path(`/c`) && (Method(`PUT`) || Method(`POST`))";
    check(
        graph,
        &[
            ("GET a.x/a", "get"),
            ("HEAD a.x/a", "get"),
            ("POST a.x/a", "405 GET, HEAD"),
            ("GET a.x/b", "405 DELETE, OPTIONS, PATCH, POST, PUT"),
            // What covers HEAD when it is asked for covers it when it is refused.
            ("HEAD a.x/b", "405 DELETE, OPTIONS, PATCH, POST, PUT"),
            ("PURGE a.x/b", "rest"),
            ("PUT a.x/c", "either"),
            ("GET a.x/c", "405 POST, PUT"),
        ],
    );
}
