//! "Within the site: higher `priority`, then exact path, longest prefix, regex, every path, then more conditions before
//! fewer."

use super::check;

#[test]
fn exact_then_longest_prefix_then_regex() {
    let graph = "
        site a.x
          exact: /a/b
          long: /a/b/*
          short: /a/*
          regex: ~^/c";
    check(
        graph,
        &[
            ("GET a.x/a/b", "exact"),
            ("GET a.x/a/b/", "long"),
            ("GET a.x/a/b/c", "long"),
            ("GET a.x/a/bc", "short"),
            ("GET a.x/a", "short"),
            ("GET a.x/a/", "short"),
            ("GET a.x/c", "regex"),
            ("GET a.x/cd", "regex"),
            ("GET a.x/ab", "no route in a.x"),
            ("GET a.x/", "no route in a.x"),
        ],
    );
}

#[test]
fn a_prefix_goes_before_a_regex() {
    let graph = "
        site a.x
          prefix: /a/*
          regex: ~^/[ab]/.*php$";
    check(
        graph,
        &[("GET a.x/a/x.php", "prefix"), ("GET a.x/b/x.php", "regex"), ("GET a.x/b/x", "no route in a.x")],
    );
}

/// `/*`, a rule that names no path, and `PathPrefix(`/`)` say the same, and are what is left for every other request.
#[test]
fn every_path_goes_last() {
    for every in ["every: /*", "rule every = Host(`a.x`)", "rule every = Host(`a.x`) && PathPrefix(`/`)"] {
        let graph = format!(
            "site a.x
              {every}
              exact: /a
              prefix: /a/*
              regex: ~[.]php$
              rule both = Host(`a.x`) && PathPrefix(`/`) && PathRegexp(`[.]py$`) && Header(`k`, `1`)
              rule header = Host(`a.x`) && Header(`k`, `1`)"
        );
        check(
            &graph,
            &[
                ("GET a.x/a", "exact"),
                ("GET a.x/a/x.php", "prefix"),
                ("GET a.x/x.php", "regex"),
                ("GET a.x/x.php h:k=1", "regex"),
                ("GET a.x/x.py h:k=1", "both"),
                ("GET a.x/x h:k=1", "header"),
                ("GET a.x/x.py", "every"),
                ("GET a.x/", "every"),
            ],
        );
    }
    let graph = "
        site a.x
          every: /* prio=1
          regex: ~^/a prio=2
          late: ~^/b prio=2 GET
          exact: /c prio=1";
    check(
        graph,
        &[("GET a.x/a", "regex"), ("GET a.x/b", "late"), ("GET a.x/c", "exact"), ("GET a.x/d", "every")],
    );
}

#[test]
fn segment_prefixes() {
    let graph = "
        site a.x
          api: /api/*
          exact: /exact";
    check(
        graph,
        &[
            ("GET a.x/api", "api"),
            ("GET a.x/api/", "api"),
            ("GET a.x/api/x", "api"),
            ("GET a.x/apifoo", "no route in a.x"),
            ("GET a.x/ap", "no route in a.x"),
            ("GET a.x/exact", "exact"),
            ("GET a.x/exact/", "no route in a.x"),
        ],
    );
}

#[test]
fn many_prefixes_of_one_another() {
    // More than are tried one by one.
    let graph = "
        site a.x
          root: /*
          a: /a/*
          aa: /aa/*
          ab: /a/b/*
          abc: /a/b/c/*
          long: /a/b/c/d/e/f/g/h/*
          b: /b/*
          exact: /a/b/c";
    check(
        graph,
        &[
            ("GET a.x/", "root"),
            ("GET a.x/0", "root"),
            ("GET a.x/z", "root"),
            ("GET a.x/aaa", "root"),
            ("GET a.x/a", "a"),
            ("GET a.x/a/", "a"),
            ("GET a.x/aa/b", "aa"),
            ("GET a.x/a/bc", "a"),
            ("GET a.x/a/b", "ab"),
            ("GET a.x/a/b/c", "exact"),
            ("GET a.x/a/b/c/", "abc"),
            ("GET a.x/a/b/cd", "ab"),
            ("GET a.x/a/b/c/d/e/f/g/h", "long"),
            ("GET a.x/a/b/c/d/e/f/g/hh", "abc"),
            ("GET a.x/b/a", "b"),
        ],
    );
}

#[test]
fn priority_goes_before_everything() {
    let graph = "
        site a.x
          wide: /* h:force prio=5
          exact: /a
          regex: ~^/ab prio=1
          prefix: /ab/*
          other: /ab/* h:k prio=2
          last: /* prio=-1";
    check(
        graph,
        &[
            ("GET a.x/a h:force=1", "wide"),
            ("GET a.x/a", "exact"),
            ("GET a.x/ab", "regex"),
            ("GET a.x/ab h:k=1", "other"),
            ("GET a.x/ab/c h:k=1 h:force=1", "wide"),
            ("GET a.x/abc h:k=1", "regex"),
            ("GET a.x/b h:force=1", "wide"),
            ("GET a.x/b", "last"),
        ],
    );
}

#[test]
fn more_conditions_before_fewer() {
    let graph = "
        site a.x
          two: /a h:k=1 q:d=1
          one: /a h:k=1
          none: /a";
    check(
        graph,
        &[
            ("GET a.x/a?d=1 h:k=1", "two"),
            ("GET a.x/a?d=2 h:k=1", "one"),
            ("GET a.x/a?d=1", "none"),
            ("GET a.x/a", "none"),
        ],
    );
}

#[test]
fn the_path_ranks_before_the_number_of_conditions() {
    let graph = "
        site a.x
          exact: /a/b
          prefix: /a/* h:k=1 q:d=1";
    check(graph, &[("GET a.x/a/b?d=1 h:k=1", "exact"), ("GET a.x/a/c?d=1 h:k=1", "prefix")]);
}

#[test]
fn a_missed_condition_falls_to_the_next_route_of_the_site() {
    let graph = "
        site a.x
          header: /a h:k=1
          prefix: /a/* q:d
          root: /*
        site *
          any: /*";
    check(
        graph,
        &[
            ("GET a.x/a h:k=1", "header"),
            ("GET a.x/a h:k=2", "root"),
            ("GET a.x/a?d", "prefix"),
            ("GET a.x/a", "root"),
        ],
    );
    let alone = "
        site a.x
          header: /a h:k=1
        site *
          any: /*";
    check(alone, &[("GET a.x/a", "no route in a.x")]);
}

#[test]
fn every_kind_of_condition() {
    let graph = "
        site a.x
          literal: /1 h:k=v
          regex: /2 h:k=~^v[0-9]
          present: /3 h:k
          absent: /4 h:!k
          query: /5 q:k=v
          query-regex: /6 q:k=~[0-9]
          query-present: /7 q:k
          query-absent: /8 q:!k
          client: /9 client:10.0.0.0/8,::1/128
          peer: /10 peer:10.0.0.0/8
          tls: /11 tls
          plain: /12 plain
          all: /13 h:k=v h:l q:k client:10.0.0.0/8 tls
        ";
    check(
        graph,
        &[
            ("GET a.x/1 h:k=v", "literal"),
            ("GET a.x/1 h:k=V", "no route in a.x"),
            ("GET a.x/1 h:k=vv", "no route in a.x"),
            // A repeated field matches when any value does.
            ("GET a.x/1 h:k=w h:k=v", "literal"),
            ("GET a.x/2 h:k=v1x", "regex"),
            ("GET a.x/2 h:k=xv1", "no route in a.x"),
            ("GET a.x/2 h:k=x h:k=v1", "regex"),
            ("GET a.x/3 h:k=", "present"),
            ("GET a.x/3", "no route in a.x"),
            ("GET a.x/4", "absent"),
            ("GET a.x/4 h:k=", "no route in a.x"),
            ("GET a.x/5?k=v", "query"),
            ("GET a.x/5?k=w&k=v", "query"),
            ("GET a.x/5?k=w", "no route in a.x"),
            ("GET a.x/6?k=a1", "query-regex"),
            ("GET a.x/6?k=a", "no route in a.x"),
            ("GET a.x/7?k", "query-present"),
            ("GET a.x/7?l", "no route in a.x"),
            ("GET a.x/8?l", "query-absent"),
            ("GET a.x/8?k=", "no route in a.x"),
            ("GET a.x/9 client:10.1.1.1", "client"),
            ("GET a.x/9 client:::1", "client"),
            ("GET a.x/9 client:::ffff:10.1.1.1", "client"),
            ("GET a.x/9 client:11.1.1.1 peer:10.1.1.1", "no route in a.x"),
            ("GET a.x/10 peer:10.1.1.1", "peer"),
            ("GET a.x/10 client:10.1.1.1 peer:11.1.1.1", "no route in a.x"),
            ("GET a.x/11 tls", "tls"),
            ("GET a.x/11", "no route in a.x"),
            ("GET a.x/12", "plain"),
            ("GET a.x/12 tls", "no route in a.x"),
            ("GET a.x/13?k h:k=v h:l=1 client:10.1.1.1 tls", "all"),
            ("GET a.x/13?k h:k=v h:l=1 client:10.1.1.1", "no route in a.x"),
            ("GET a.x/13?k h:k=v client:10.1.1.1 tls", "no route in a.x"),
        ],
    );
}
