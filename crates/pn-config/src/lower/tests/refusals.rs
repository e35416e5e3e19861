//! What sites and routes may not say.

use crate::tests::{findings, load_text};

#[test]
fn what_sites_and_routes_may_not_say() {
    let site = |keys: &str| format!("[sites.\"a.lan\"]\n{keys}\n");
    let rows = [
        (
            "routes.\"/a\" = {}",
            "2:8 Error no-target: the route `/a` leads nowhere (add `to`, `respond` or `redirect` \
                                to it or to its site)",
        ),
        (
            "to = \"@ping\"\nlisteners = []",
            "3:13 Error invalid-value: a site on no listener is never served (leave \
                                            the key out for `web` and `websecure`)",
        ),
        ("to = \"@ping\"\nlisteners = [\"web\"]\nhttps = \"redirect\"", {
            "4:9 Error no-listener: `https = \"redirect\"`, but none of the site's listeners has TLS (add a TLS \
             listener, say `websecure`, or set `https = \"off\"`)"
        }),
        ("to = \"@ping\"\nlisteners = [\"web\"]", {
            "3:13 Warning plain-site: `a.lan` is served without TLS: none of its listeners has it (add a TLS listener, \
             say `websecure`, or set `https = \"off\"`)"
        }),
        ("to = \"@ping\"\nlisteners = [\"websecure\"]\nhttps = \"off\"", {
            "4:9 Error no-listener: a site without TLS on TLS listeners only (add a plain listener, say `web`)"
        }),
        ("to = \"@ping\"\nroutes.\"/a\".methods = []", {
            "3:23 Error invalid-value: a route for no method (leave the key out for every method)"
        }),
        ("to = \"@ping\"\nroutes.\"/a\".client-ip = []", {
            "3:25 Error invalid-value: a route for no address (leave the key out for every address)"
        }),
        ("to = \"@ping\"\nroutes.\"/a\".peer-ip = \"10.0.0.1/8\"", {
            "3:23 Error wrong-value: `sites.\"a.lan\".routes.\"/a\".peer-ip` is not valid: `10.0.0.1/8` has bits beyond its prefix (the network is \"10.0.0.0/8\", the \
             address \"10.0.0.1\")"
        }),
        ("to = \"@ping\"\nroutes.\"/*\".strip-prefix = true", {
            "3:28 Error invalid-value: the route `/*` has no prefix to strip (only `/a/*` and `/a` have one; name a \
             `strip-prefix` middleware for others)"
        }),
        ("to = \"@ping\"\nroutes.\"/a*\" = {}", {
            "3:8 Error invalid-value: in `/a*` the `*` is not a whole last segment (write \"/a/*\" for whole \
             segments, or \"~^/a\" for any text after it)"
        }),
        ("to = \"@ping\"\nroutes.\"/a\".headers = { \"a b\" = \"1\" }", {
            "3:25 Error invalid-value: `a b` is no name of a header field"
        }),
        ("to = \"@ping\"\nroutes.\"/a\".query = { x = \"~(\" }", {
            "3:28 Error invalid-value: the regex `(` does not compile: unclosed group"
        }),
        ("redirect = \"//x\"", {
            "2:12 Error invalid-value: a redirect leads to a whole URL or to a path (for example \
             \"https://{host}{uri}\")"
        }),
        ("redirect = \"https://{hots}{uri}\"", {
            "2:12 Error invalid-value: there is no placeholder `{hots}` (did you mean `{host}`?)"
        }),
        ("redirect = \"x.lan\"", {
            "2:12 Error invalid-value: a redirect leads to a whole URL or to a path (for example \
             \"https://{host}{uri}\")"
        }),
        ("respond = { status = 101 }", {
            "2:22 Error invalid-value: 101 is no final response (a final response has a status of 200 or more)"
        }),
        ("respond = { status = 204, body = \"x\" }", {
            "2:34 Error invalid-value: a response of status 204 has no body (leave `body` out)"
        }),
        ("to = \"@ping\"\nhttps = \"off\"\ncertificate = { cert = \"a\", key = \"b\" }", {
            "4:15 Warning unused-certificate: a site without TLS shows no certificate (drop it, or give the site TLS)"
        }),
        ("to = \"@ping\"\nhttps = \"off\"\ntls-policy = \"p\"\n[tls-policies.p]", {
            "4:14 Error policy-without-tls: a site without TLS cannot keep a TLS policy (drop `tls-policy` (`unset` it \
             where it is inherited), or give the site TLS)"
        }),
        (
            "",
            "1:8 Warning empty-site: this site answers everything with 404 (add `to`, `respond` or `redirect`, or a \
              route)",
        ),
    ];
    for (keys, expected) in rows {
        let got = findings(&load_text(&site(keys)));
        assert_eq!(got, format!("t.toml:{expected}\n"), "of {keys}");
    }
}

#[test]
fn fields_that_a_middleware_may_not_write() {
    let host = "the field Host is written by the service (say it in the service: `host-header = \"server\"`, or a \
                literal name)";
    for keys in ["request.set.Host = \"x\"", "request.add.hOST = \"x\"", "request.remove = [\"host\"]"] {
        let text = format!(
            "[sites.\"a.lan\"]\nto = \"@ping\"\nuse = [\"m\"]\n[middlewares]\nm.headers = {{ {keys} }}\n"
        );
        let got = findings(&load_text(&text));
        assert_eq!(got.lines().count(), 1, "{keys}: {got}");
        assert!(
            got.starts_with("t.toml:5:") && got.contains(&format!("Error host-field: {host}")),
            "{keys}: {got}"
        );
    }
}
