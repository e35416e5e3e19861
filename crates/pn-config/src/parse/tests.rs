//! Every scalar by a table: text, and its normal form or the error.

use super::*;
use pn_model::HostPattern;
use proptest::prelude::*;
use std::fmt::Debug;

fn check<T: PartialEq + Debug>(parse: impl Fn(&str) -> Result<T, Invalid>, rows: &[(&str, T)]) {
    for (text, expected) in rows {
        match parse(text) {
            Ok(got) => assert_eq!(got, *expected, "of {text:?}"),
            Err(error) => panic!("{text:?} refused: {error}"),
        }
    }
}

fn refused<T: Debug>(parse: impl Fn(&str) -> Result<T, Invalid>, rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        match parse(text) {
            Ok(got) => panic!("{text:?} taken as {got:?}"),
            Err(error) => assert_eq!(error.to_string(), *expected, "of {text:?}"),
        }
    }
}

#[test]
fn hosts() {
    let exact = |host: &str| HostPattern::Exact(host.to_owned());
    check(
        host_pattern,
        &[
            ("app.example", exact("app.example")),
            ("App.Example.", exact("app.example")),
            ("bücher.example", exact("xn--bcher-kva.example")),
            ("XN--BCHER-KVA.example", exact("xn--bcher-kva.example")),
            ("my_app", exact("my_app")),
            ("_dmarc.example", exact("_dmarc.example")),
            ("a--b.example", exact("a--b.example")),
            ("10.0.0.1", exact("10.0.0.1")),
            ("[::1]", exact("::1")),
            ("[2001:DB8:0:0::1]", exact("2001:db8::1")),
            ("::1", exact("::1")),
            ("*.app.example", HostPattern::OneLabel("app.example".to_owned())),
            ("**.App.example", HostPattern::AnyDepth("app.example".to_owned())),
            ("*", HostPattern::Any),
        ],
    );
    let star = "(`*` stands alone, or for the first label: `*.example`, `**.example`)";
    refused(
        host_pattern,
        &[
            ("", "`` is no host: it is empty"),
            (".", "`.` is no host: it is empty"),
            ("a..b", "`a..b` is no host: it has an empty label"),
            ("-a.b", "`-a.b` is no host: a label neither starts nor ends with a hyphen"),
            ("a b", "`a b` is no host: it is not a valid domain name"),
            ("a%41", "`a%41` is no host: it is not a valid domain name"),
            ("a$b", "`a$b` is no host: only letters, digits, hyphens and underscores may stand in a label"),
            ("1.2.3", "`1.2.3` is no host: its last label is a number, but it is no IPv4 address"),
            ("256.0.0.1", "`256.0.0.1` is no host: its last label is a number, but it is no IPv4 address"),
            ("a*.b", &format!("`a*.b` has a wildcard in a place where none may stand {star}")),
            ("*.*.b", &format!("`*.b` has a wildcard in a place where none may stand {star}")),
            ("***.b", &format!("`***.b` has a wildcard in a place where none may stand {star}")),
            ("a.*", &format!("`a.*` has a wildcard in a place where none may stand {star}")),
            ("*.10.0.0.1", "a wildcard before an IP address takes nothing"),
            ("https://a.b/c", "a host stands without a scheme (write \"a.b\")"),
            ("a.b/c", "a host stands without a path (write \"a.b\")"),
            ("a.b:443", "a host stands without a port (write \"a.b\"; ports belong to listeners)"),
        ],
    );
    assert!(host_pattern(&"a".repeat(64)).is_err());
    assert!(host_pattern(&["a"; 127].join(".")).is_ok());
    assert!(host_pattern(&["a"; 128].join(".")).is_err());
}

#[test]
fn paths() {
    use pn_model::path::PathPattern::{Exact, Regex, SegmentPrefix};
    let exact = |path: &str| Exact(path.to_owned());
    let prefix = |path: &str| SegmentPrefix(path.to_owned());
    check(
        path_pattern,
        &[
            ("/", exact("/")),
            ("/a", exact("/a")),
            ("/a/", exact("/a/")),
            ("/*", prefix("")),
            ("/a/*", prefix("/a")),
            ("/a/b.c/*", prefix("/a/b.c")),
            ("/%61%2d%2f%c3%a9", exact("/a-%2F%C3%A9")),
            ("/é x", exact("/%C3%A9%20x")),
            ("/.well-known/x", exact("/.well-known/x")),
            ("/%2A", exact("/%2A")),
            ("/a|b/\"{c}^[d]", exact("/a%7Cb/%22%7Bc%7D%5E%5Bd%5D")),
            ("/a!$&'()+,;=:@b", exact("/a!$&'()+,;=:@b")),
            ("~^/v\\d+", Regex("^/v\\d+".to_owned())),
        ],
    );
    let dots =
        "has a dot segment and would never match (requests are matched after dot segments are removed)";
    let runs = "an empty segment would never match (runs of slashes are merged before matching)";
    refused(
        path_pattern,
        &[
            ("", "the path `` does not start with `/` (write \"/\")"),
            ("a/b", "the path `a/b` does not start with `/` (write \"/a/b\")"),
            ("^/a", "the path `^/a` does not start with `/` (a regex is written \"~regex\")"),
            ("/a/../b", &format!("`/a/../b` {dots}")),
            ("/a/%2e%2E", &format!("`/a/..` {dots}")),
            ("/a/./*", &format!("`/a/.` {dots}")),
            ("/a//b", runs),
            ("/a//*", runs),
            ("//*", runs),
            ("/a%2", "`%` without two hexadecimal digits (a literal percent sign is `%25`)"),
            ("/a%zz", "`%` without two hexadecimal digits (a literal percent sign is `%25`)"),
            ("/a%+1", "`%` without two hexadecimal digits (a literal percent sign is `%25`)"),
            ("/a%é", "`%` without two hexadecimal digits (a literal percent sign is `%25`)"),
            ("/a%00", "a path with NUL would never match: such requests are refused"),
            ("/a?b", "a path has no query (conditions on it are `query = { .. }`)"),
            ("/a#b", "a path has no fragment; browsers never send one"),
            ("/a\\b", "a backslash in a path (encoded it is `%5C`)"),
            ("/a\tb", "a control character in a path"),
            ("/a*", {
                "in `/a*` the `*` is not a whole last segment (write \"/a/*\" for whole segments, or \"~^/a\" for \
                 any text after it)"
            }),
            ("/a/*/b", {
                "in `/a/*/b` the `*` is not a whole last segment (a regex is written \"~regex\"; a literal `*` is \
                 `%2A`)"
            }),
            ("~(", "the regex `(` does not compile: unclosed group"),
        ],
    );
}

#[test]
fn bind_addresses() {
    use pn_model::listener::BindAddress::{Fd, Tcp, Unix};
    let tcp = |address: &str| Tcp(address.parse().unwrap());
    check(
        bind_address,
        &[
            ("0.0.0.0:80", tcp("0.0.0.0:80")),
            (":80", tcp("[::]:80")),
            ("[::1]:8080", tcp("[::1]:8080")),
            ("unix:/run/x.sock", Unix("/run/x.sock".into())),
            ("fd:web", Fd("web".to_owned())),
        ],
    );
    refused(
        bind_address,
        &[
            ("80", { "`80` is no address to listen on (write \":80\" for every address of this machine)" }),
            ("127.0.0.1", {
                "`127.0.0.1` is no address to listen on (it lacks its port: \"127.0.0.1:8080\", \"[::1]:8080\")"
            }),
            ("localhost:80", {
                "`localhost:80` is no address to listen on (names are not looked up here; write 127.0.0.1 or [::1])"
            }),
            (":0", "`:0` has no port from 1 to 65535"),
            ("127.0.0.1:0", "`127.0.0.1:0` has no port from 1 to 65535"),
            (":65536", "`:65536` has no port from 1 to 65535"),
            (":53/udp", "UDP listeners are not in this version"),
            ("unix:run/x", "a unix socket has an absolute path (write \"unix:/run/app.sock\")"),
            ("fd:", "a socket handed over has the name of its unit's FileDescriptorName"),
        ],
    );
}

#[test]
fn upstreams() {
    let rows = [
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080 Http Socket(10.0.0.1:8080)"),
        ("http://10.0.0.1", "http://10.0.0.1 Http Socket(10.0.0.1:80)"),
        ("http://10.0.0.1:80/", "http://10.0.0.1 Http Socket(10.0.0.1:80)"),
        ("https://App.Internal", r#"https://app.internal Https Name { host: "app.internal", port: 443 }"#),
        ("https://a:8443", r#"https://a:8443 Https Name { host: "a", port: 8443 }"#),
        ("h2c://[::1]:9000", "h2c://[::1]:9000 H2c Socket([::1]:9000)"),
        ("localhost:3000", r#"http://localhost:3000 Http Name { host: "localhost", port: 3000 }"#),
        ("my_app:80", r#"http://my_app Http Name { host: "my_app", port: 80 }"#),
        ("unix:/run/a.sock", r#"unix:/run/a.sock Http Unix("/run/a.sock")"#),
        ("unix+h2c:/run/a.sock", r#"unix+h2c:/run/a.sock H2c Unix("/run/a.sock")"#),
    ];
    for (text, expected) in rows {
        let got = upstream(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(format!("{} {:?} {:?}", got.url, got.scheme, got.address), expected);
    }
    refused(
        upstream,
        &[
            ("ftp://a", "`ftp` is no scheme of an upstream (http, https, h2c or unix)"),
            ("app", "`app` lacks its port (servers are URLs or \"host:port\")"),
            ("a:0", "`a:0` has no port from 1 to 65535"),
            ("http://a:b", "`http://a:b` has no port from 1 to 65535"),
            ("http://", "`` is no host: it is empty"),
            ("http://::1", "an IPv6 address in a URL stands in brackets"),
            ("http://u:p@a", {
                "the URL of a server carries no credentials (set the Authorization field with a `headers` middleware)"
            }),
            ("http://a/b", {
                "the URL of a server has no path (`add-prefix` or `replace-path` change the path of requests)"
            }),
            ("unix:a.sock", "a unix socket has an absolute path (write \"unix:/run/app.sock\")"),
        ],
    );
}

#[test]
fn networks() {
    let rows = [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.1", "10.0.0.1/32"),
        ("::1", "::1/128"),
        ("fd00::/8", "fd00::/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
    ];
    for (text, expected) in rows {
        assert_eq!(network(text).unwrap().to_string(), expected);
    }
    for text in ["", "10.0.0.0/33", "10.0.0/8", "a", "10.0.0.1/8", "10.0.0.1:80", "[::1]"] {
        assert!(network(text).is_err(), "{text:?}");
    }
}

#[test]
fn parts_of_messages() {
    let own = |text: &str| text.to_owned();
    check(header_name, &[("X-Api", own("x-api")), ("a_b", own("a_b"))]);
    check(header_value, &[("a b\tc", own("a b\tc")), ("", own(""))]);
    check(method, &[("get", own("GET")), ("M-SEARCH", own("M-SEARCH"))]);
    check(cookie_name, &[("srv", own("srv")), ("__Host-x", own("__Host-x"))]);
    check(media_type, &[("Text/HTML", own("text/html")), ("text/*", own("text/*"))]);
    for text in ["", "a b", "a:b", "é", "a\n"] {
        assert!(header_name(text).is_err(), "{text:?}");
        assert!(method(text).is_err(), "{text:?}");
        assert!(cookie_name(text).is_err(), "{text:?}");
    }
    for text in ["a\r\nb", "a\0", "é", " a", "a\t"] {
        assert!(header_value(text).is_err(), "{text:?}");
    }
    for text in ["text", "*/*", "text/html; charset=utf-8", "/"] {
        assert!(media_type(text).is_err(), "{text:?}");
    }
}

#[test]
fn regexes_are_bounded() {
    assert!(regex(r"^/v\d+/(?P<id>[0-9a-f]{8})$").is_ok());
    refused(
        regex,
        &[
            ("a{1000}{1000}", {
                "the regex takes more than 1024 KiB when it is compiled (bounded repetitions of large classes are \
                 costly; make them smaller or open)"
            }),
            ("(?=a)", {
                "the regex `(?=a)` does not compile: look-around, including look-ahead and look-behind, is not \
                 supported (matching takes linear time, which leaves no room for it)"
            }),
            ("[z-a]", {
                "the regex `[z-a]` does not compile: invalid character class range, the start must be <= the end"
            }),
        ],
    );
    assert_eq!(regex("ab(c").unwrap_err().at, Some(2..3));
}

proptest! {
    #[test]
    fn normal_forms_are_fixed_points(text in "[a-zA-Z0-9./*:%_~é\\[\\] -]{0,24}") {
        if let Ok(host) = host_pattern(&text) {
            let again = match &host {
                HostPattern::Exact(host) => host_pattern(host),
                other => host_pattern(&other.to_string()),
            };
            prop_assert_eq!(again, Ok(host));
        }
        if let Ok(pattern) = path_pattern(&text) {
            prop_assert_eq!(path_pattern(&pattern.to_string()), Ok(pattern));
        }
        if let Ok(server) = upstream(&text) {
            prop_assert_eq!(upstream(&server.url), Ok(server));
        }
        if let Ok(net) = network(&text) {
            prop_assert_eq!(network(&net.to_string()), Ok(net));
        }
    }
}
