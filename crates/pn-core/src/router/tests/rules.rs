//! "A `rule` is brought into disjunctive form and each branch ranked so; its branches belong to the sites of their
//! hosts; a branch with no literal host, or HostRegexp, belongs to `*`." And what Traefik's matchers mean.

use super::{check, check_errors};

#[test]
fn branches_belong_to_the_sites_of_their_hosts() {
    let graph = "
        site a.x
          a: /*
        site b.x
          b: /*
        site *
          any: /any/*
        rule r = (Host(`a.x`) && Path(`/1`)) || (Host(`b.x`) && Path(`/2`)) || Path(`/3`)";
    check(
        graph,
        &[
            ("GET a.x/1", "r"),
            ("GET a.x/2", "a"),
            // The branch without a host is for hosts without a site.
            ("GET a.x/3", "a"),
            ("GET b.x/1", "b"),
            ("GET b.x/2", "r"),
            ("GET c.x/3", "r"),
            ("GET c.x/1", "no route in *"),
            ("GET c.x/any", "any"),
        ],
    );
}

#[test]
fn a_branch_takes_only_its_own_host_of_a_site_with_aliases() {
    let graph = "
        site a.x www.x
          site: /*
        rule r = Host(`www.x`) && PathPrefix(`/a`)";
    check(graph, &[("GET www.x/a", "r"), ("GET a.x/a", "site"), ("GET www.x/b", "site")]);
    // Another host's entries do not answer for a method.
    let methods = "
        site a.x www.x
        rule r = Host(`www.x`) && Path(`/a`) && Method(`GET`)
        rule s = Host(`a.x`) && Path(`/a`) && Method(`POST`)";
    check(
        methods,
        &[
            ("POST a.x/a", "s"),
            ("GET www.x/a", "r"),
            ("POST www.x/a", "405 GET, HEAD"),
            ("GET a.x/a", "405 POST"),
        ],
    );
}

#[test]
fn host_regexp_belongs_to_any_and_never_goes_before_a_site() {
    let graph = "
        site app.x
          app: /app/*
        site *
          any: /*
        rule regex = HostRegexp(`^[a-z]+[.]x$`)";
    check(
        graph,
        &[
            ("GET app.x/app", "app"),
            ("GET app.x/", "no route in app.x"),
            ("GET web.x/", "regex"),
            ("GET 1.x/", "any"),
            // Unanchored where it says so: a part is enough.
            ("GET web.y/", "any"),
        ],
    );
    let unanchored = "
        site *
        rule regex = HostRegexp(`x`)";
    check(unanchored, &[("GET axa/", "regex"), ("GET y/", "no route in *")]);
}

#[test]
fn hosts_of_rules() {
    let graph = "
        site *.x
        site *
        rule wild = Host(`*.x`)
        rule all = Host(`*`) && !Host(`q.y`)";
    check(
        graph,
        &[("GET a.x/", "wild"), ("GET a.b.x/", "all"), ("GET z/", "all"), ("GET q.y/", "no route in *")],
    );
}

#[test]
fn no_site_for_a_branch() {
    check_errors("site a.x\nrule r = Path(`/a`)", &["route `r`: a branch of its rule names no literal host"]);
    check_errors(
        "site a.x\nrule r = HostRegexp(`a`)",
        &["route `r`: a branch of its rule names no literal host"],
    );
    check_errors(
        "site a.x\nrule r = Host(`a.x`) || !Host(`b.x`)",
        &["route `r`: a branch of its rule names no literal host"],
    );
    check_errors("site a.x\nrule r = Host(`b.x`)", &["route `r`: no site takes the host `b.x` of its rule"]);
    check_errors("site a.x\nsite *\nrule r = Path(`/a`)", &[]);
}

#[test]
fn path_prefix_is_a_plain_string_prefix() {
    let graph = "
        site a.x
        rule products = Host(`a.x`) && PathPrefix(`/products`)
        rule slash = Host(`a.x`) && PathPrefix(`/s/`)";
    check(
        graph,
        &[
            ("GET a.x/products", "products"),
            ("GET a.x/products/1", "products"),
            ("GET a.x/products-for-sale", "products"),
            ("GET a.x/product", "no route in a.x"),
            ("GET a.x/s/", "slash"),
            ("GET a.x/s", "no route in a.x"),
        ],
    );
}

#[test]
fn path_and_path_regexp() {
    let graph = "
        site a.x
        rule exact = Host(`a.x`) && Path(`/a`)
        rule regex = Host(`a.x`) && PathRegexp(`/v[12]/`)";
    check(
        graph,
        &[
            ("GET a.x/a", "exact"),
            ("GET a.x/a/", "no route in a.x"),
            ("GET a.x/v1/x", "regex"),
            ("GET a.x/api/v2/x", "regex"),
            ("GET a.x/v3/x", "no route in a.x"),
        ],
    );
}

#[test]
fn headers_and_queries_of_rules() {
    let graph = "
        site a.x
        rule header = Host(`a.x`) && Path(`/1`) && Header(`k`, `v`)
        rule regexp = Host(`a.x`) && Path(`/2`) && HeaderRegexp(`k`, `^v`)
        rule query = Host(`a.x`) && Path(`/3`) && Query(`k`, `v`)
        rule empty = Host(`a.x`) && Path(`/4`) && Query(`k`)
        rule qregexp = Host(`a.x`) && Path(`/5`) && QueryRegexp(`k`, `^[0-9]+$`)
        rule ip = Host(`a.x`) && Path(`/6`) && ClientIP(`10.0.0.0/8`)";
    check(
        graph,
        &[
            ("GET a.x/1 h:k=v", "header"),
            ("GET a.x/1 h:k=w", "no route in a.x"),
            ("GET a.x/2 h:k=vw", "regexp"),
            ("GET a.x/2 h:k=wv", "no route in a.x"),
            ("GET a.x/3?a=b&k=v", "query"),
            ("GET a.x/3?k=V", "no route in a.x"),
            // Present with an empty value.
            ("GET a.x/4?k", "empty"),
            ("GET a.x/4?k=", "empty"),
            ("GET a.x/4?k=1", "no route in a.x"),
            ("GET a.x/5?k=12", "qregexp"),
            ("GET a.x/5?k=1x", "no route in a.x"),
            // The socket's address, whatever a proxy before says.
            ("GET a.x/6 peer:10.1.1.1 client:1.1.1.1", "ip"),
            ("GET a.x/6 peer:1.1.1.1 client:10.1.1.1", "no route in a.x"),
        ],
    );
}

#[test]
fn operators() {
    let graph = "
        site a.x
        rule not = Host(`a.x`) && PathPrefix(`/n`) && !Header(`k`, `v`)
        rule nested = Host(`a.x`) && PathPrefix(`/m`) && !(Header(`k`, `v`) || Query(`q`, `1`))
        rule de-morgan = Host(`a.x`) && PathPrefix(`/o`) && !(Header(`k`, `v`) && Query(`q`, `1`))
        rule paths = Host(`a.x`) && (Path(`/p`) || PathPrefix(`/q`) && !Path(`/q/x`))";
    check(
        graph,
        &[
            ("GET a.x/n", "not"),
            ("GET a.x/n h:k=w", "not"),
            ("GET a.x/n h:k=v", "no route in a.x"),
            ("GET a.x/n h:k=w h:k=v", "no route in a.x"),
            ("GET a.x/m", "nested"),
            ("GET a.x/m?q=1", "no route in a.x"),
            ("GET a.x/m h:k=v", "no route in a.x"),
            ("GET a.x/o?q=1", "de-morgan"),
            ("GET a.x/o h:k=v", "de-morgan"),
            ("GET a.x/o?q=1 h:k=v", "no route in a.x"),
            ("GET a.x/p", "paths"),
            ("GET a.x/q", "paths"),
            ("GET a.x/q/x", "no route in a.x"),
        ],
    );
}

#[test]
fn a_branch_is_ranked_by_the_narrowest_path_that_it_names() {
    let graph = "
        site a.x
          prefix: /a/*
        rule both = Host(`a.x`) && PathPrefix(`/a/b`) && PathRegexp(`c$`)";
    check(
        graph,
        &[("GET a.x/a/b/c", "both"), ("GET a.x/a/b/d", "prefix"), ("GET a.x/x/c", "no route in a.x")],
    );
}

#[test]
fn branches_are_bounded() {
    let pairs: Vec<_> = (0..9).map(|n| format!("(Header(`a{n}`, `1`) || Header(`b{n}`, `1`))")).collect();
    check_errors(
        &format!("site a.x\nrule r = Host(`a.x`) && {}", pairs.join(" && ")),
        &["route `r`: its rule has more than 256 branches"],
    );
    check_errors(&format!("site a.x\nrule r = Host(`a.x`) && {}", pairs[1..].join(" && ")), &[]);
}
