//! Every native middleware through a compiled graph: what a request looks like behind it, what comes back, and what
//! a configuration that cannot work is told.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod rig;

use pn_core::tls::ClientIdentity;
use pn_model::middleware::{
    BasicAuth, ClientCertField, ClientKey, Compress, Encoding, Errors, HeaderEdits, Headers, IpAllow,
    PassClientCert, RateLimit,
};
use pn_model::service::StatusRanges;
use pn_model::{MiddlewareKind as Kind, Secret, Text};
use rig::{Rig, header};
use std::time::Duration;

#[track_caller]
fn path(kind: Kind, from: &str, expected: &str) {
    let outcome = Rig::new(kind).get(from);
    assert_eq!(outcome.path(), Some(expected), "{from}: {outcome:?}");
}

#[test]
fn prefixes_and_paths() {
    let strip = |prefixes: &[&str]| Kind::StripPrefix(prefixes.iter().map(ToString::to_string).collect());
    path(strip(&["/api"]), "/api/users", "/users");
    path(strip(&["/api"]), "/api", "/");
    path(strip(&["/api"]), "/api/", "/");
    path(strip(&["/api/"]), "/api/users", "/users");
    path(strip(&["/api"]), "/apifoo", "/apifoo");
    path(strip(&["/x", "/api"]), "/api/x", "/x");
    path(strip(&["/api"]), "/other", "/other");
    let regex = |text: &str| Kind::StripPrefixRegex(vec![text.to_owned()]);
    path(regex("/v[0-9]+"), "/v12/users", "/users");
    path(regex("/v[0-9]+"), "/a/v12/users", "/a/v12/users");
    path(regex("^/[a-z]+"), "/abc", "/");
    path(Kind::AddPrefix("/x".into()), "/a", "/x/a");
    path(Kind::AddPrefix("x/".into()), "/a", "/x/a");
    path(Kind::ReplacePath("/new".into()), "/old?q=1", "/new");
    let replace = |regex: &str, replacement: &str| Kind::ReplacePathRegex {
        regex: regex.into(),
        replacement: replacement.into(),
    };
    path(replace("^/a/(.*)$", "/b/$1"), "/a/c", "/b/c");
    path(replace("^/a/(.*)$", "/b/$1"), "/x", "/x");
    path(replace("^/(.*)$", "/x/../$1"), "/c", "/c");
    let climbing = Rig::new(Kind::ReplacePath("/../up".into())).get("/");
    assert_eq!(climbing.status(), Some(400), "{climbing:?}");
    let told = Rig::new(strip(&["/api"])).get("/api/x");
    assert_eq!(told.request_header("x-forwarded-prefix"), "/api");
    let told = Rig::new(Kind::ReplacePath("/new".into())).get("/old");
    assert_eq!(told.request_header("x-replaced-path"), "/old");
}

#[test]
fn redirects() {
    let scheme = |port, permanent| Kind::RedirectScheme { scheme: "https".into(), port, permanent };
    let check = |kind: Kind, method: &str, target: &str, expected: Option<(u16, &str)>| {
        let outcome = Rig::new(kind).request(method, target, &[]);
        let found = outcome.status().map(|status| (status, outcome.reply_header("location")));
        assert_eq!(found.as_ref().map(|(status, to)| (*status, to.as_str())), expected, "{method} {target}");
    };
    check(scheme(None, false), "GET", "/a?b=c", Some((302, "https://a.example/a?b=c")));
    check(scheme(Some(8443), true), "GET", "/", Some((301, "https://a.example:8443/")));
    check(scheme(Some(443), true), "POST", "/", Some((308, "https://a.example/")));
    check(scheme(None, false), "PUT", "/", Some((307, "https://a.example/")));
    let regex = |regex: &str, replacement: &str| Kind::RedirectRegex {
        regex: regex.into(),
        replacement: replacement.into(),
        permanent: false,
    };
    check(
        regex("^http://a.example/(.*)", "https://b.example/$1"),
        "GET",
        "/x?y",
        Some((302, "https://b.example/x?y")),
    );
    check(regex("nothing", "x"), "GET", "/", None);
    check(regex("(.*)", "$1"), "GET", "/", None);
    check(regex("(.*)", "a\nb"), "GET", "/", Some((400, "")));
}

#[test]
fn headers() {
    let edits = |set: &[(&str, &str)], add: &[(&str, &str)], remove: &[&str]| HeaderEdits {
        set: set.iter().map(|(name, value)| (name.to_string(), (*value).into())).collect(),
        add: add.iter().map(|(name, value)| (name.to_string(), (*value).into())).collect(),
        remove: remove.iter().map(ToString::to_string).collect(),
    };
    let request = edits(&[("x-set", "1")], &[("x-given", "2")], &["x-gone"]);
    let response = edits(&[("x-out", "1")], &[], &["server"]);
    let rig = Rig::new(Kind::Headers(Headers { request, response }));
    let outcome = rig.request("GET", "/", &[("x-set", "0"), ("x-given", "1"), ("x-gone", "1")]);
    assert_eq!(outcome.request_header("x-set"), "1");
    assert_eq!(outcome.request_header("x-given"), "1, 2");
    assert_eq!(outcome.request_header("x-gone"), "");
    let response = rig.response(&outcome, 200, &[("server", "secret"), ("x-out", "0")], "body");
    assert_eq!((header(&response, "server"), header(&response, "x-out")), (String::new(), "1".to_owned()));
    let mut secret = edits(&[], &[], &[]);
    secret.set.push(("x-key".to_owned(), Text::Secret(Secret::new("hunter2"))));
    let kind = Kind::Headers(Headers { request: secret, response: HeaderEdits::default() });
    assert!(format!("{kind:?}").contains("(\"x-key\", ***)"), "{kind:?}");
    let outcome = Rig::new(kind).request("GET", "/", &[]);
    assert_eq!(outcome.request_header("x-key"), "hunter2", "the service sees it");
    for name in ["content-length", "transfer-encoding", "connection", "bad name"] {
        let request = edits(&[(name, "1")], &[], &[]);
        let error = Rig::fails(Kind::Headers(Headers { request, response: HeaderEdits::default() }));
        assert!(error.starts_with("middlewares.m.headers.request.set"), "{error}");
    }
}

#[test]
fn ip_allow() {
    let allow = |ranges: &[&str], depth| {
        let ranges = ranges.iter().map(|range| range.parse().unwrap()).collect();
        Kind::IpAllow(IpAllow { ranges, depth, status: 403 })
    };
    let check = |kind: Kind, list: &str, expected: Option<u16>| {
        let outcome = Rig::new(kind).request("GET", "/", &[("x-forwarded-for", list)]);
        assert_eq!(outcome.status(), expected, "{list}");
    };
    // The client of the rig is 192.0.2.7.
    check(allow(&["192.0.2.0/24"], 0), "", None);
    check(allow(&["10.0.0.0/8"], 0), "10.0.0.1", Some(403));
    check(allow(&[], 0), "", Some(403));
    check(allow(&["10.0.0.0/8"], 1), "10.0.0.1, 192.0.2.7", None);
    check(allow(&["10.0.0.0/8"], 1), "10.0.0.1, 8.8.8.8, 192.0.2.7", Some(403));
    check(allow(&["10.0.0.0/8"], 2), "10.0.0.1, 8.8.8.8, 192.0.2.7", None);
    check(allow(&["10.0.0.0/8"], 3), "10.0.0.1, 192.0.2.7", Some(403));
    check(allow(&["0.0.0.0/0"], 1), "nonsense, 192.0.2.7", Some(403));
}

#[test]
fn pass_client_cert() {
    const FIELDS: [&str; 4] = [
        "client-cert",
        "client-cert-chain",
        "x-forwarded-tls-client-cert",
        "x-forwarded-tls-client-cert-info",
    ];
    let client = |verified| ClientIdentity {
        verified,
        subject: "CN=Jürgen \"J\",O=A".into(),
        issuer: "CN=ca".into(),
        sans: vec!["a.example".into(), "10.0.0.1".into()],
        serial: "0a".into(),
        fingerprint: "ff".into(),
        certificate: vec![0xfb, 0xff, 0xfe, 0x01],
    };
    let spec = |certificate, info, unverified| PassClientCert { certificate, info, unverified };
    let (rfc, traefik, off) =
        (ClientCertField::ClientCert, ClientCertField::XForwardedTlsClientCert, ClientCertField::Off);
    let info = "Subject%3D%22CN%3DJ%C3%BCrgen%20%22J%22%2CO%3DA%22%3BIssuer%3D%22CN%3Dca%22%3BSerialNumber%3D%220a%22\
                %3BSAN%3D%22a.example%2C10.0.0.1%22";
    for (spec, client, expected) in [
        (spec(rfc, false, false), Some(client(true)), [":+//+AQ==:", "", "", ""]),
        (spec(traefik, false, false), Some(client(true)), ["", "", "+//+AQ==", ""]),
        (spec(off, true, false), Some(client(true)), ["", "", "", info]),
        (spec(rfc, true, false), Some(client(false)), [""; 4]),
        (spec(rfc, true, true), Some(client(false)), [":+//+AQ==:", "", "", info]),
        (spec(rfc, true, true), None, [""; 4]),
    ] {
        let mut rig = Rig::new(Kind::PassClientCert(spec.clone()));
        if let Some(client) = client {
            rig = rig.over_tls(client);
        }
        // What a client says of itself goes, in whatever spelling an upstream may take for the same.
        let claims: Vec<_> = FIELDS.into_iter().chain(["client_cert"]).map(|name| (name, ":AAAA:")).collect();
        let outcome = rig.request("GET", "/", &claims);
        assert_eq!(FIELDS.map(|name| outcome.request_header(name)), expected, "{spec:?}");
        assert_eq!(outcome.request_header("client_cert"), "");
    }
}

#[test]
fn rate_limit() {
    let spec = |by| RateLimit { amount: 1, period: Duration::from_secs(1), burst: 2, by };
    let rig = Rig::new(Kind::RateLimit(spec(ClientKey::Header("x-key".into()))));
    let take = |key: &str| rig.request("GET", "/", &[("x-key", key)]).status();
    assert_eq!([take("a"), take("a"), take("a")], [None, None, Some(429)]);
    assert_eq!(take("b"), None, "another client");
    let refused = rig.request("GET", "/", &[("x-key", "a")]);
    assert_eq!(refused.reply_header("retry-after"), "1");
    rig.advance(Duration::from_secs(1));
    assert_eq!([take("a"), take("a")], [None, Some(429)]);
    let error = Rig::fails(Kind::RateLimit(RateLimit { amount: 0, ..spec(ClientKey::All) }));
    assert!(error.contains("middlewares.m.rate-limit.rate"), "{error}");
}

#[test]
fn state_outlives_a_reload_that_leaves_the_limit_as_it_was() {
    let spec = |burst| {
        Kind::RateLimit(RateLimit {
            amount: 1,
            period: Duration::from_secs(3600),
            burst,
            by: ClientKey::ClientIp,
        })
    };
    let rig = Rig::new(spec(2));
    assert_eq!([rig.get("/").status(), rig.get("/").status()], [None, None]);
    let same = rig.reload(spec(2));
    assert_eq!(same.get("/").status(), Some(429), "the bucket was kept");
    let other = same.reload(spec(3));
    assert_eq!(other.get("/").status(), None, "another limit, another bucket");
}

#[test]
fn in_flight() {
    let rig = Rig::new(Kind::InFlight { amount: 2, by: ClientKey::ClientIp });
    let (one, two, three) = (rig.get("/"), rig.get("/"), rig.get("/"));
    assert_eq!([one.status(), two.status(), three.status()], [None, None, Some(429)]);
    drop(one);
    assert_eq!(rig.get("/").status(), None, "a place was freed");
    drop(two);
}

#[test]
fn body_limit() {
    let rig = Rig::new(Kind::BodyLimit(10));
    let declared = |length: &str| rig.request("POST", "/", &[("content-length", length)]).status();
    assert_eq!([declared("10"), declared("11")], [None, Some(413)]);
    let mut streamed = rig.request("POST", "/", &[]);
    assert_eq!(streamed.feed(&["12345", "67890"]), Ok("1234567890".to_owned()));
    let mut streamed = rig.request("POST", "/", &[]);
    assert_eq!(streamed.feed(&["12345", "678901"]), Err("http_request_error".to_owned()));
}

#[test]
fn basic_auth() {
    let users = |users: &[&str]| BasicAuth {
        users: users.iter().map(|user| Secret::new(*user)).collect(),
        users_file: None,
        realm: "staff".into(),
        remove_header: true,
        header_field: Some("x-user".into()),
    };
    let rig = Rig::new(Kind::BasicAuth(users(&["anna:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="])));
    let with = |value: &str| {
        let fields = [("authorization", value), ("x-user", "root"), ("x_user", "root"), ("x_users", "all")];
        rig.request("GET", "/", &fields)
    };
    // anna:secret, anna:wrong, bob:secret
    let outcome = with("Basic YW5uYTpzZWNyZXQ=");
    assert_eq!((outcome.status(), outcome.request_header("x-user")), (None, "anna".to_owned()));
    assert_eq!(outcome.request_header("authorization"), "");
    assert_eq!(
        (outcome.request_header("x_user"), outcome.request_header("x_users")),
        (String::new(), "all".to_owned())
    );
    assert_eq!(with("basic YW5uYTpzZWNyZXQ=").status(), None, "remembered, and the scheme has no case");
    for wrong in [
        "Basic YW5uYTp3cm9uZw==",
        "Basic Ym9iOnNlY3JldA==",
        "Bearer x",
        "Basic",
        "Basic !!",
        "Basic YW5uYQ==",
    ] {
        assert_eq!(with(wrong).status(), Some(401), "{wrong}");
    }
    assert_eq!(rig.get("/").reply_header("www-authenticate"), "Basic realm=\"staff\", charset=\"UTF-8\"");
    let twice =
        rig.request("GET", "/", &[("authorization", "Basic YW5uYTpzZWNyZXQ="), ("authorization", "Basic x")]);
    assert_eq!(twice.status(), Some(401), "two fields are nobody");
    assert!(Rig::fails(Kind::BasicAuth(users(&[]))).contains("nobody"));
    let error = Rig::fails(Kind::BasicAuth(users(&["anna:plain-secret"])));
    assert!(error.contains("anna") && !error.contains("plain-secret"), "{error}");
}

#[test]
fn compress() {
    let spec = || Compress { encodings: vec![Encoding::Gzip], min_size: 10, types: vec![], exclude: vec![] };
    let rig = Rig::new(Kind::Compress(spec()));
    let check = |accept: &str, headers: &[(&str, &str)], body: &str, expected: &str| {
        let outcome = rig.request("GET", "/", &[("accept-encoding", accept)]);
        let response = rig.response(&outcome, 200, headers, body);
        assert_eq!(header(&response, "content-encoding"), expected, "{accept} {headers:?} {body}");
    };
    let (text, long) = (("content-type", "text/html; charset=utf-8"), "a body that is long enough");
    check("gzip", &[text], long, "gzip");
    check("br", &[text], long, "");
    check("", &[text], long, "");
    check("gzip", &[text], "short", "");
    check("gzip", &[("content-type", "image/png")], long, "");
    check("gzip", &[], long, "");
    check("gzip", &[text, ("content-encoding", "br")], long, "br");
    check("gzip", &[text, ("cache-control", "no-transform")], long, "");
    check("gzip", &[("content-type", "text/event-stream")], long, "");
    check("gzip", &[("content-type", "application/grpc+proto")], long, "");
    // Without a length, the beginning tells.
    for (accept, fields, ended, asked, expected) in [
        ("gzip", text, Some(9), Some(10), ""),
        ("gzip", text, Some(10), Some(10), "gzip"),
        ("gzip", text, None, Some(10), "gzip"),
        ("", text, Some(9), None, ""),
        ("gzip", ("content-type", "text/event-stream"), None, None, ""),
    ] {
        let outcome = rig.request("GET", "/", &[("accept-encoding", accept)]);
        let (bytes, response) = rig.unsized_response(&outcome, &[fields], ended);
        assert_eq!((bytes, &*header(&response, "content-encoding")), (asked, expected), "{accept} {ended:?}");
    }
    let outcome = rig.request("GET", "/", &[("accept-encoding", "gzip")]);
    let response = rig.response(&outcome, 200, &[text, ("etag", "\"1\""), ("accept-ranges", "bytes")], long);
    assert_eq!(
        [header(&response, "etag"), header(&response, "vary"), header(&response, "accept-ranges")],
        ["W/\"1\"", "accept-encoding", ""]
    );
}

#[test]
fn errors() {
    let spec = Errors {
        status: StatusRanges(vec![(500, 599)]),
        service: "pages".into(),
        path: "/err/{status}.html?of={url}".into(),
    };
    let rig = Rig::new(Kind::Errors(spec.clone()));
    let fetched = |status| {
        let outcome = rig.get("/a");
        rig.dispatch(&outcome, status)
    };
    let target = "/err/503.html?of=http%3A%2F%2Fa.example%2Fa";
    assert_eq!(fetched(503), Some(("pages".to_owned(), target.to_owned(), 503)));
    assert_eq!([fetched(200), fetched(499), fetched(101)], [None, None, None]);
    // What the client asked for, not what was left for the service.
    let stripped = rig.dispatch(&rig.get("/a").with_path("/"), 503);
    assert_eq!(stripped.map(|(_, target, _)| target).as_deref(), Some(target));
    let error = Rig::fails(Kind::Errors(Errors { service: "missing".into(), ..spec }));
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn regexes_that_do_not_compile_are_told_where_they_are() {
    let regex = "(".to_owned();
    for (kind, at) in [
        (Kind::StripPrefixRegex(vec![regex.clone()]), "middlewares.m.strip-prefix-regex"),
        (
            Kind::ReplacePathRegex { regex: regex.clone(), replacement: String::new() },
            "replace-path-regex.regex",
        ),
        (Kind::RedirectRegex { regex, replacement: String::new(), permanent: false }, "redirect-regex.regex"),
    ] {
        let error = Rig::fails(kind);
        assert!(error.contains(at), "{error}");
    }
}
