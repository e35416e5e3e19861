//! Rules as Traefik writes them, their refusals, and the way back from an expression to text.

use super::parse;
use pn_model::HostPattern;
use pn_model::path::PathPattern;
use pn_model::rule::{Atom, Expr, FieldMatch, ValueMatch};
use proptest::prelude::*;

/// Prints the expression in canonical form, or the error with its bytes.
fn check(rule: &str, expected: &str) {
    let got = match parse(rule) {
        Ok(expr) => print(&expr),
        Err(error) => {
            let at = error.at.clone().unwrap();
            format!("{}..{}: {error}", at.start, at.end)
        }
    };
    assert_eq!(got, expected, "rule: {rule}");
}

#[test]
fn every_matcher() {
    check("Host(`App.Example.`)", "Host(`app.example`)");
    check("Host(`*.x.example`)", "Host(`*.x.example`)");
    check("Host(`*`)", "Host(`*`)");
    check("Host(`bücher.example`)", "Host(`xn--bcher-kva.example`)");
    check("HostRegexp(`^[a-z]+\\.x$`)", "HostRegexp(`^[a-z]+\\.x$`)");
    check("Path(`/a`)", "Path(`/a`)");
    check("Path(`/%7eme/%2f`)", "Path(`/~me/%2F`)");
    check("Path(`/a/*`)", "Path(`/a/*`)");
    check("PathPrefix(`/api`)", "PathPrefix(`/api`)");
    check("PathPrefix(`/.`)", "PathPrefix(`/.`)");
    check("PathRegexp(`^/v[12]/`)", "PathRegexp(`^/v[12]/`)");
    check("Method(`get`)", "Method(`GET`)");
    check("Header(`X-Api`, `1`)", "Header(`x-api`, `1`)");
    check("HeaderRegexp(`X-Api`, `^v\\d`)", "HeaderRegexp(`x-api`, `^v\\d`)");
    check("Query(`debug`)", "Query(`debug`, ``)");
    check("Query(`debug`, `1`)", "Query(`debug`, `1`)");
    check("QueryRegexp(`id`, `^[0-9]+$`)", "QueryRegexp(`id`, `^[0-9]+$`)");
    check("QueryRegexp(`id`)", "Query(`id`, ``)");
    check("ClientIP(`10.0.0.0/8`)", "ClientIP(`10.0.0.0/8`)");
    check("ClientIP(`::1`)", "ClientIP(`::1/128`)");
}

#[test]
fn names_in_the_cases_that_traefik_takes() {
    check("host(`a`) || HOST(`b`) || Host(`c`)", "Host(`a`) || Host(`b`) || Host(`c`)");
    check("Hostregexp(`a`) && HOSTREGEXP(`b`)", "HostRegexp(`a`) && HostRegexp(`b`)");
    check("clientip(`::1`)", "ClientIP(`::1/128`)");
    check("hOst(`a`)", "0..4: unknown matcher hOst (did you mean Host?)");
}

#[test]
fn operators_bind_as_in_go() {
    check("Host(`a`)||Host(`b`)&&!Path(`/c`)", "Host(`a`) || Host(`b`) && !Path(`/c`)");
    check("(Host(`a`) || Host(`b`)) && Path(`/`)", "(Host(`a`) || Host(`b`)) && Path(`/`)");
    check("Host(`a`) && (Path(`/b`) && Path(`/c`))", "Host(`a`) && Path(`/b`) && Path(`/c`)");
    check("!(Host(`a`) && !!Host(`b`))", "!(Host(`a`) && !!Host(`b`))");
    check("((Host(`a`)))", "Host(`a`)");
    check(" \n\tHost ( `a` )\n", "Host(`a`)");
}

#[test]
fn strings() {
    check(r#"Host("a")"#, "Host(`a`)");
    check(r#"Header("x", "a\"b\\c\x41\u00e9\t")"#, "Header(`x`, `a\"b\\cAé\t`)");
    check(r#"Header("x", "\101")"#, "Header(`x`, `A`)");
    check(r#"Header("x", "\x80")"#, "13..17: an escape that is no character");
    check(r#"Header("x", "\d")"#, {
        "13..15: unknown escape (in backticks a backslash stands for itself: regexes are best written there)"
    });
    check("Host(`a", "5..7: a string without its closing `");
    check("Host(\"a\n\")", "5..10: a string without its closing \"");
    check("Host('a')", "5..6: strings stand in backticks or double quotes");
}

#[test]
fn what_is_refused() {
    check("", "0..0: expected a matcher, `!` or `(`, found the end of the rule");
    check("Host(`a`) &&", "12..12: expected a matcher, `!` or `(`, found the end of the rule");
    check("Host(`a`) & Host(`b`)", "10..11: expected `&&`, found a single `&`");
    check("Host(`a`) Host(`b`)", "10..14: expected `&&`, `||` or the end of the rule, found `Host`");
    check("(Host(`a`)", "10..10: expected `&&`, `||` or `)`, found the end of the rule");
    check("Host(`a`))", "9..10: expected `&&`, `||` or the end of the rule, found `)`");
    check("Host", "4..4: expected `(`, found the end of the rule (a matcher is written Host(`value`))");
    check("Host(a)", "5..6: expected a string in backticks or double quotes, found `a`");
    check("Host(`a`,)", "9..10: expected a string in backticks or double quotes, found `)`");
    check("Host()", "0..4: Host takes exactly one value, found 0");
    check("Host(`a`, `b`)", {
        "0..13: Host takes exactly one value, found 2 (write Host(`a`) || Host(`b`))"
    });
    check("Header(`a`)", "0..10: Header takes a name and a value, found 1");
    check("Query(`a`, `b`, `c`)", "0..19: Query takes a key and, if wanted, a value, found 3");
    check("Headers(`a`, `b`)", "0..7: unknown matcher Headers (version 3 of the language calls it Header)");
    check("HostSNI(`a`)", {
        "0..7: unknown matcher HostSNI (it belongs to a stream: `sni` and `alpn` of streams.NAME)"
    });
    check("Path(`a`)", "5..8: the path `a` does not start with `/` (write \"/a\")");
    check("PathPrefix(`/{id}`)", {
        "11..18: `{` and `}` never stand in a request's path (parameters of version 2 are written with PathRegexp)"
    });
    check("PathRegexp(`(`)", "11..14: the regex `(` does not compile: unclosed group");
    check("ClientIP(`10.0.0.1/8`)", {
        "9..21: `10.0.0.1/8` has bits beyond its prefix (the network is \"10.0.0.0/8\", the address \"10.0.0.1\")"
    });
    check("Host(`a`) ä", "10..12: unexpected 'ä'");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}Host(`a`){}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(64)).is_ok());
    assert_eq!(parse(&nested(65)).unwrap_err().message, "a rule is nested at most 64 deep");
    assert!(parse(&format!("{}Host(`a`)", "!".repeat(100_000))).is_err());
    assert!(parse(&"(".repeat(1_000_000)).is_err());
}

// === back to text ===

fn print(expr: &Expr) -> String {
    let joined = |parts: &[Expr], operator: &str, inner: fn(&Expr) -> String| {
        parts.iter().map(inner).collect::<Vec<_>>().join(operator)
    };
    match expr {
        Expr::Atom(atom) => print_atom(atom),
        Expr::Not(inner) => format!("!{}", tight(inner)),
        Expr::And(parts) => joined(parts, " && ", tight),
        Expr::Or(parts) => joined(parts, " || ", |part| match part {
            Expr::Or(_) => tight(part),
            _ => print(part),
        }),
    }
}

fn tight(expr: &Expr) -> String {
    match expr {
        Expr::And(_) | Expr::Or(_) => format!("({})", print(expr)),
        _ => print(expr),
    }
}

fn print_atom(atom: &Atom) -> String {
    match atom {
        Atom::Host(host) => format!("Host({})", quote(&host.to_string())),
        Atom::HostRegex(regex) => format!("HostRegexp({})", quote(regex)),
        Atom::Path(PathPattern::Exact(path)) => format!("Path({})", quote(path)),
        Atom::Path(PathPattern::StringPrefix(path)) => format!("PathPrefix({})", quote(path)),
        Atom::Path(PathPattern::Regex(regex)) => format!("PathRegexp({})", quote(regex)),
        Atom::Method(method) => format!("Method({})", quote(method)),
        Atom::Header(field) => print_field("Header", field),
        Atom::Query(field) => print_field("Query", field),
        Atom::PeerIp(net) => format!("ClientIP({})", quote(&net.to_string())),
        other => panic!("not of the language: {other:?}"),
    }
}

fn print_field(matcher: &str, field: &FieldMatch) -> String {
    match &field.value {
        ValueMatch::Literal(value) => format!("{matcher}({}, {})", quote(&field.name), quote(value)),
        ValueMatch::Regex(regex) => format!("{matcher}Regexp({}, {})", quote(&field.name), quote(regex)),
        other => panic!("not of the language: {other:?}"),
    }
}

fn quote(text: &str) -> String {
    if text.contains('`') {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("\"{escaped}\"")
    } else {
        format!("`{text}`")
    }
}

fn atoms() -> impl Strategy<Value = Atom> {
    let field = |name: &'static str| {
        (
            name,
            prop_oneof![
                "[ -~é\n]{0,8}".prop_map(ValueMatch::Literal),
                "[a-z.*]?[a-z]{0,3}"
                    .prop_filter_map("*", |r| { (!r.starts_with('*')).then_some(ValueMatch::Regex(r)) })
            ],
        )
            .prop_map(|(name, value)| FieldMatch { name, value })
    };
    prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{1,8}){0,2}".prop_map(|host| Atom::Host(HostPattern::Exact(host))),
        "[a-z]{1,8}".prop_map(|host| Atom::Host(HostPattern::OneLabel(host))),
        Just(Atom::Host(HostPattern::Any)),
        "\\^?[a-z]{1,5}\\$?".prop_map(Atom::HostRegex),
        "(/[a-z%]{0}[a-z]{1,4}){1,3}".prop_map(|path| Atom::Path(PathPattern::Exact(path))),
        "(/[a-z]{1,4}){1,3}/?".prop_map(|path| Atom::Path(PathPattern::StringPrefix(path))),
        "[A-Z]{1,7}".prop_map(Atom::Method),
        field("[a-z][a-z0-9-]{0,6}").prop_map(Atom::Header),
        field("[ -~]{1,6}").prop_map(Atom::Query),
        any::<[u8; 4]>().prop_map(|octets| Atom::PeerIp(std::net::IpAddr::from(octets).into())),
    ]
}

/// Expressions in the form that the parser gives: no operator directly below itself, two operands at least.
fn exprs() -> impl Strategy<Value = Expr> {
    atoms().prop_map(Expr::Atom).prop_recursive(5, 40, 4, |inner| {
        let many = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.prop_map(|expr| Expr::Not(Box::new(expr))),
            many.clone().prop_map(|parts| flat(parts, true)),
            many.prop_map(|parts| flat(parts, false)),
        ]
    })
}

fn flat(parts: Vec<Expr>, and: bool) -> Expr {
    let mut out = Vec::new();
    for part in parts {
        match part {
            Expr::And(inner) if and => out.extend(inner),
            Expr::Or(inner) if !and => out.extend(inner),
            other => out.push(other),
        }
    }
    if and { Expr::And(out) } else { Expr::Or(out) }
}

proptest! {
    #[test]
    fn parse_undoes_print(expr in exprs()) {
        let text = print(&expr);
        prop_assert_eq!(parse(&text), Ok(expr), "{}", text);
    }

    #[test]
    fn no_text_panics(text in "([A-Za-z]{1,12}|[()!&|,`\"' ]|\\\\[a-zA-Z0-9]|[ -~é\u{0}]){0,40}") {
        if let Err(error) = parse(&text) {
            let at = error.at.unwrap();
            prop_assert!(text.get(at).is_some(), "a span that cuts a character");
        }
    }
}
