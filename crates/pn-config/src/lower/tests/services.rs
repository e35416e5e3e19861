//! Services, transports and middlewares: what they become, and what is refused.

use super::{check, model};
use crate::tests::{findings, load_text};
use pn_model::{MiddlewareKind, ServiceKind};
use std::collections::BTreeSet;

/// A service that a site uses, with these keys.
fn service(keys: &str) -> String {
    format!("[sites.\"a.lan\"]\nto = \"s\"\n[services.s]\n{keys}\n")
}

/// A middleware that a site uses, with this kind key.
fn middleware(key: &str) -> String {
    format!("[sites.\"a.lan\"]\nto = \"@ping\"\nuse = [\"m\"]\n[middlewares.m]\n{key}\n")
}

fn refused(wrap: fn(&str) -> String, rows: &[(&str, &str)]) {
    for (keys, expected) in rows {
        assert_eq!(findings(&load_text(&wrap(keys))), format!("t.toml:{expected}\n"), "of {keys}");
    }
}

#[test]
fn servers() {
    let text = service(
        r#"servers = ["http://10.0.0.1:8080", { url = "h2c://App.lan", weight = 3 }, "unix:/run/a.sock"]
           balance = { hash = "client-ip" }
           sticky = { cookie = "srv", same-site = "none", max-age = "1h", path = "/x", domain = "a.lan" }
           health-check = { path = "/up", interval = "5s", timeout = "1s", fails = 3, host = "x.lan:81", headers = { A = "b" } }
           outlier = {}
           retries = { on = ["connect", "timeout", "502", 503], budget = 0.5 }
           host-header = "b.lan"
           transport = { server-name = "x.lan", timeouts = { connect = "1s" }, pool = { idle-per-server = 7 } }"#,
    );
    let model = model(&text);
    let ServiceKind::Servers(servers) = &model.services["s"].kind else { panic!() };
    let shown: Vec<_> =
        servers.servers.iter().map(|s| format!("{} {:?} {}", s.url, s.address, s.weight)).collect();
    assert_eq!(
        shown,
        [
            "http://10.0.0.1:8080 Socket(10.0.0.1:8080) 1",
            "h2c://app.lan Name { host: \"app.lan\", port: 80 } 3",
            "unix:/run/a.sock Unix(\"/run/a.sock\") 1",
        ]
    );
    assert_eq!(
        format!("{:?} {:?} {:?}", servers.balance, servers.sticky, servers.host_header),
        "Hash(ClientIp) Some(StickyCookie { name: \"srv\", secure: true, http_only: true, same_site: Some(None), \
         max_age: Some(3600s), path: \"/x\", domain: Some(\"a.lan\") }) Literal(\"b.lan\")"
    );
    assert_eq!(
        format!("{:?}", servers.health_check),
        "Some(HealthCheck { probe: Http { path: \"/up\", method: \"GET\", host: Some(\"x.lan:81\"), headers: \
         [(\"a\", \"b\")], status: StatusRanges([(200, 399)]) }, interval: 5s, timeout: 1s, passes: 1, fails: 3, \
         port: None })"
    );
    assert_eq!(
        format!("{:?} {:?}", servers.outlier, servers.retries),
        "Some(Outlier { failures: 5, window: 10s, eject: 30s }) Some(Retries { attempts: 2, on: [Connect, Timeout, \
         Status(502), Status(503)], budget: 0.5 })"
    );
    let transport = &model.transports[servers.transport.as_ref().unwrap()];
    assert_eq!(transport.name.as_str(), "services.s.transport");
    assert_eq!((transport.timeouts.connect.as_secs(), transport.timeouts.idle.as_secs()), (1, 90));
    assert_eq!((transport.pool.idle_per_server, transport.pool.connections_per_server), (7, 0));
}

#[test]
fn probes() {
    let probe = |check: &str| {
        let text = service(&format!("servers = [\"http://a:1\"]\nhealth-check = {check}"));
        let ServiceKind::Servers(servers) = model(&text).services["s"].kind.clone() else { panic!() };
        format!("{:?}", servers.health_check.unwrap().probe)
    };
    assert_eq!(probe("{ mode = \"tcp\" }"), "Tcp");
    assert_eq!(probe("{ mode = \"grpc\", grpc-service = \"x.Y\" }"), "Grpc { service: \"x.Y\" }");
}

#[test]
fn splits_responses_redirects() {
    let text = "[sites.\"a.lan\"]\nto = \"s\"\nroutes.\"/t\".to = \"t\"\nroutes.\"/r\".to = \"r\"\n[services.s]\n\
                split = { t = 9, \"http://b:1\" = 1, \"@ping\" = 0 }\nsticky = { cookie = \"g\" }\n[services.t]\n\
                respond = { status = 418, body = \"short\", headers = { Retry-After = \"60\" } }\n[services.r]\n\
                redirect = { to = \"{scheme}://x{uri}\", permanent = true }\n";
    let model = model(text);
    let ServiceKind::Split(split) = &model.services["s"].kind else { panic!() };
    let targets: Vec<_> = split.targets.iter().map(|(name, weight)| format!("{name}={weight}")).collect();
    assert_eq!(targets, ["t=9", "http://b:1=1", "@ping=0"]);
    assert!(split.sticky.is_some());
    assert_eq!(
        format!("{:?}", model.services["t"].kind),
        "Respond(Respond { status: 418, body: \"short\", headers: [(\"retry-after\", \"60\")] })"
    );
    assert_eq!(
        format!("{:?}", model.services["r"].kind),
        "Redirect(Redirect { to: \"{scheme}://x{uri}\", permanent: true })"
    );
}

#[test]
fn what_services_may_not_say() {
    refused(
        service,
        &[
            ("servers = []", "4:11 Error invalid-value: a service without servers (list at least one)"),
            ("servers = [\"http://a:1\", \"http://A:1/\"]\noutlier = {}", {
                "4:26 Error duplicate-server: \"http://A:1/\" is listed twice (give the one a larger `weight` instead)"
            }),
            ("servers = [{ url = \"http://a:1\", weight = 0 }]", {
                "4:11 Error zero-weights: every weight is 0, so no server takes requests (give one a weight)"
            }),
            ("servers = [\"http://a/b\"]", {
                "4:12 Error invalid-value: the URL of a server has no path (`add-prefix` or `replace-path` change \
                 the path of requests)"
            }),
            ("servers = [\"https://a\"]\ntransport = { protocol = \"h2c\" }", {
                "4:12 Error protocol-mismatch: the transport's `h2c` is HTTP/2 without TLS (leave the transport's \
                 `protocol` at `auto`)"
            }),
            ("servers = [\"http://a\"]\ntransport = { protocol = \"h2\" }", {
                "4:12 Error protocol-mismatch: the transport's `h2` needs an https:// server (leave the transport's \
                 `protocol` at `auto`)"
            }),
            ("servers = [\"http://a\"]\nsticky = { cookie = \"a b\" }", {
                "5:21 Error invalid-value: `a b` is no name of a cookie (letters, digits and !#$%&'*+-.^_`|~)"
            }),
            (
                "servers = [\"http://a\"]\nsticky = { cookie = \"a\", same-site = \"none\", secure = false }",
                {
                    "5:38 Error invalid-value: browsers refuse such a cookie without `secure` (set `secure = true`, or \
                 `same-site = \"lax\"`)"
                },
            ),
            ("servers = [\"http://a\"]\nhost-header = \"a b\"", {
                "5:15 Error invalid-value: `a b` is no host: it is not a valid domain name"
            }),
            ("servers = [\"http://a\"]\nhealth-check = { path = \"up\" }", {
                "5:25 Error invalid-value: a path starts with `/` and has no spaces"
            }),
            ("servers = [\"http://a\"]\nhealth-check = { interval = \"1s\", timeout = \"2s\" }", {
                "5:45 Warning slow-health-check: a check may take longer than the time between two (a check that is \
                 still running holds up the next one)"
            }),
            ("servers = [\"http://a\", \"http://b\"]", {
                "4:11 Warning no-health-check: requests go on to servers that are down: several servers and no \
                 health check (add `health-check = { path = \"/healthz\" }`, or `outlier = {}`)"
            }),
            ("servers = [\"https://a\"]\ntransport = { insecure-skip-verify = true }", {
                "5:38 Warning insecure-skip-verify: certificates of these servers are not verified (trust the \
                 server's own CA with `roots` instead)"
            }),
            ("split = {}", "4:9 Error invalid-value: a split between no services (name at least one)"),
            ("split = { \"@ping\" = 0 }", {
                "4:9 Error zero-weights: every weight is 0, so no service takes requests (give one a weight)"
            }),
            ("split = { x = 1 }", {
                "4:11 Error unknown-reference: there is no service `x` (did you mean `s`?)"
            }),
            ("respond = { headers = { \"a b\" = \"x\" } }", {
                "4:25 Error invalid-value: `a b` is no name of a header field"
            }),
            ("respond = { headers = { a = \"x\\ny\" } }", {
                "4:29 Error invalid-value: a field value has no line breaks"
            }),
        ],
    );
}

#[test]
fn every_kind_of_middleware() {
    let rows = [
        (
            "headers = { request = { set = { X-A = \"1\" }, add = { X-B = [\"2\", \"3\"] }, remove = \"X-C\" } }",
            {
                "Headers(Headers { request: HeaderEdits { set: [(\"x-a\", \"1\")], add: [(\"x-b\", \"2\"), (\"x-b\", \
             \"3\")], remove: [\"x-c\"] }, response: HeaderEdits { set: [], add: [], remove: [] } })"
            },
        ),
        ("chain = [\"other\"]", "Chain([MiddlewareName(\"other\")])"),
        ("strip-prefix = [\"/a/\", \"/b\"]", "StripPrefix([\"/a\", \"/b\"])"),
        ("strip-prefix-regex = '^/v\\d+'", "StripPrefixRegex([\"^/v\\\\d+\"])"),
        ("add-prefix = \"/x\"", "AddPrefix(\"/x\")"),
        ("replace-path = \"/x%7e\"", "ReplacePath(\"/x~\")"),
        ("replace-path-regex = { regex = '^/(a)(?P<b>.*)', replacement = '/$1-${b}$$' }", {
            "ReplacePathRegex { regex: \"^/(a)(?P<b>.*)\", replacement: \"/$1-${b}$$\" }"
        }),
        ("redirect-scheme = {}", "RedirectScheme { scheme: \"https\", port: None, permanent: false }"),
        ("redirect-regex = { regex = '^http://(.*)', replacement = 'https://$1', permanent = true }", {
            "RedirectRegex { regex: \"^http://(.*)\", replacement: \"https://$1\", permanent: true }"
        }),
        ("basic-auth = { users = [\"a:$2y$05$x\"], realm = \"ops\", header-field = \"X-User\" }", {
            "BasicAuth(BasicAuth { users: [***], users_file: None, realm: \"ops\", remove_header: false, \
             header_field: Some(\"x-user\") })"
        }),
        ("pass-client-cert = {}", {
            "PassClientCert(PassClientCert { certificate: ClientCert, info: false, unverified: false })"
        }),
        (
            "pass-client-cert = { certificate = \"x-forwarded-tls-client-cert\", info = true, unverified = true }",
            "PassClientCert(PassClientCert { certificate: XForwardedTlsClientCert, info: true, unverified: true })",
        ),
        ("ip-allow = { ranges = \"10.0.0.0/8\", status = 404 }", {
            "IpAllow(IpAllow { ranges: [10.0.0.0/8], depth: 0, status: 404 })"
        }),
        ("rate-limit = { rate = \"5/m\" }", {
            "RateLimit(RateLimit { amount: 5, period: 60s, burst: 5, by: ClientIp })"
        }),
        ("rate-limit = { rate = \"5/s\", burst = 9, by = { header = \"X-Key\" } }", {
            "RateLimit(RateLimit { amount: 5, period: 1s, burst: 9, by: Header(\"x-key\") })"
        }),
        ("in-flight = { amount = 3, by = \"all\" }", "InFlight { amount: 3, by: All }"),
        ("body-limit = \"10MiB\"", "BodyLimit(10485760)"),
        ("compress = { encodings = [\"gzip\"], types = [\"Text/*\"] }", {
            "Compress(Compress { encodings: [Gzip], min_size: 1024, types: [\"text/*\"], exclude: [] })"
        }),
        ("errors = { status = [\"500-599\", 404], service = \"http://e:1\", path = \"/{status}.html\" }", {
            "Errors(Errors { status: StatusRanges([(500, 599), (404, 404)]), service: ServiceName(\"http://e:1\"), \
             path: \"/{status}.html\" })"
        }),
    ];
    let mut met = BTreeSet::new();
    for (key, expected) in rows {
        let both = middleware(key).replace("[\"m\"]", "[\"m\", \"other\"]");
        let other = format!("{both}[middlewares.other]\nbody-limit = 1\n");
        let kind = &model(&other).middlewares["m"].kind;
        assert_eq!(format!("{kind:?}"), expected, "of {key}");
        assert!(key.starts_with(&format!("{} = ", kind.key())), "{key} is {}", kind.key());
        met.insert(kind.key());
    }
    assert_eq!(met, MiddlewareKind::KEYS.into());
}

#[test]
fn what_middlewares_may_not_say() {
    refused(
        middleware,
        &[
            ("headers.request.set.Content-Length = \"5\"", {
                "5:21 Error framing-field: the field \"Content-Length\" frames messages, and is written by the proxy \
                 (leave it out)"
            }),
            ("headers.response.remove = [\"transfer-encoding\"]", {
                "5:28 Error framing-field: the field \"transfer-encoding\" frames messages, and is written by the \
                 proxy (leave it out)"
            }),
            ("headers.request.set.Authorization = \"Bearer x\"", {
                "5:37 Warning plaintext-credentials: the field `Authorization` in plain text (bring it by \
                 `${file:}` or `${env:}`)"
            }),
            ("strip-prefix = \"/\"", "5:16 Error invalid-value: the prefix `/` changes nothing"),
            ("add-prefix = \"x\"", {
                "5:14 Error invalid-value: the path `x` does not start with `/` (write \"/x\")"
            }),
            ("replace-path-regex = { regex = '^/(a)', replacement = '/$2' }", {
                "5:55 Error invalid-value: the regex has no group `2` (`${1}` ends a number before a letter; `$$` is \
                 a dollar sign)"
            }),
            ("replace-path-regex = { regex = '^/(a)', replacement = '/$1x' }", {
                "5:55 Error invalid-value: the regex has no group `1x` (`${1}` ends a number before a letter; `$$` \
                 is a dollar sign)"
            }),
            ("replace-path-regex = { regex = 'a{1000}{1000}', replacement = '' }", {
                "5:32 Error wrong-value: `middlewares.m.replace-path-regex.regex` is not valid: the regex takes more than 1024 KiB when it is compiled (bounded \
                 repetitions of large classes are costly; make them smaller or open)"
            }),
            ("basic-auth = {}", {
                "5:14 Error invalid-value: a basic-auth without users lets nobody in (name `users` or a `users-file`)"
            }),
            ("basic-auth = { users = [\"ann:secret\"] }", {
                "5:25 Error plaintext-credentials: this is no hash of bcrypt, apr1 or SHA1: passwords are not kept \
                 in plain text (`proxy-now hash-password` prints such a line)"
            }),
            ("basic-auth = { users = [\"a:$2y$x\", \"a:$2y$y\"] }", {
                "5:36 Error duplicate-user: this user is listed twice (keep one line for each name)"
            }),
            ("basic-auth = { users = [\"a:$2y$x\"], realm = 'a\"b' }", {
                "5:45 Error invalid-value: a realm has neither quotes nor backslashes"
            }),
            ("ip-allow = { ranges = [] }", {
                "5:23 Error invalid-value: an ip-allow without ranges lets nobody in (name the networks that may pass)"
            }),
            ("errors = { status = 500, service = \"@ping\", path = \"x\" }", {
                "5:52 Error invalid-value: the path of an error page starts with `/`"
            }),
            ("compress = { types = [\"text\"] }", {
                "5:23 Error invalid-value: `text` is no media type (write \"text/html\" or \"text/*\")"
            }),
            ("chain = []", "5:9 Error invalid-value: a chain of nothing (name its middlewares in order)"),
        ],
    );
}

#[test]
fn listeners_and_policies() {
    let text = |keys: &str| format!("[sites.\"a.lan\"]\nto = \"@ping\"\ntls-policy = \"p\"\n{keys}\n");
    let policy = |keys: &str| text(&format!("[tls-policies.p]\n{keys}"));
    let listener = |keys: &str| text(&format!("[tls-policies.p]\n[listeners.web]\n{keys}"));
    let rows = [
        (listener("protocols = [\"h2\"]"), {
            "6:14 Error invalid-value: `h2` needs a listener with `tls = true` (HTTP/2 without TLS is `h2c`)"
        }),
        (text("[tls-policies.p]\n[listeners.websecure]\nprotocols = [\"h2c\"]"), {
            "6:14 Error invalid-value: `h2c` is HTTP/2 without TLS (HTTP/2 over TLS is `h2`)"
        }),
        (listener("protocols = []"), {
            "6:13 Error invalid-value: a listener that speaks no protocol (leave the key out for all of them)"
        }),
        (listener("address = \"localhost:80\""), {
            "6:11 Error invalid-value: `localhost:80` is no address to listen on (names are not looked up here; \
             write 127.0.0.1 or [::1])"
        }),
        (policy("profile = \"modern\"\nmin-version = \"1.2\""), {
            "6:15 Error kind-key: the profile `modern` says itself what `min-version` says (keep one of them)"
        }),
        (policy("profile = \"old\""), {
            "5:11 Warning profile-old: TLS 1.0, TLS 1.1 and their suites are not spoken: this is the profile \
             `intermediate` (name `intermediate`; clients that know nothing of TLS 1.2 cannot be served)"
        }),
        (policy("min-version = \"1.3\"\nmax-version = \"1.2\""), {
            "5:15 Error invalid-value: the lowest TLS version is above the highest"
        }),
        (policy("cipher-suites = [\"TLS_AES_128_GCM_SHA256\"]"), {
            "5:17 Error invalid-value: none of these suites is of TLS 1.2, which the policy offers (add one, or set \
             `min-version` or `max-version`)"
        }),
        (policy("alpn = [\"spdy\"]"), {
            "5:9 Error invalid-value: \"spdy\" is not spoken here (\"h2\" and \"http/1.1\" are)"
        }),
        (policy("client-auth = { mode = \"require-and-verify\" }"), {
            "5:24 Error missing-roots: client certificates cannot be verified without roots (name PEM files of the \
             CAs in `roots`)"
        }),
        (policy("client-auth = { mode = \"request\", sans = [\"a.example\"] }"), {
            "5:43 Error unverified-names: what a certificate says that nobody verifies is no reason to let anybody in \
             (set `mode` to \"require-and-verify\" or \"verify-if-given\")"
        }),
    ];
    for (text, expected) in rows {
        assert_eq!(findings(&load_text(&text)), format!("t.toml:{expected}\n"), "of {text}");
    }
    check(
        "[admin]\naddress = \"0.0.0.0:8079\"\n[metrics]\nbuckets = [1.0, 0.5]\n",
        &[
            "t.toml:4:11 Error invalid-value: the buckets do not ascend (each bound is larger than the one before it)",
            "t.toml:2:11 Warning open-admin: the admin API on 0.0.0.0:8079 is open to everybody who can reach it (it has \
         no authentication: listen on 127.0.0.1 or a unix socket)",
        ],
    );
}

#[test]
fn profiles_of_tls_policies() {
    use pn_model::tls::TlsVersion::{V1_2, V1_3};
    for (profile, lowest) in [("modern", V1_3), ("intermediate", V1_2)] {
        let text = format!(
            "[sites.\"a.lan\"]\nto = \"@ping\"\ntls-policy = \"p\"\n[tls-policies.p]\nprofile = \"{profile}\"\n"
        );
        let policy = &model(&text).tls_policies["p"];
        assert_eq!((policy.min_version, policy.max_version), (lowest, V1_3), "{profile}");
        assert!(policy.cipher_suites.is_empty() && policy.groups.is_empty());
    }
}

#[test]
fn process_wide_settings() {
    let text = "[runtime]\nworkers = 3\nrouter = \"compiled\"\nrule-priority = \"length\"\nhistory = 5\n\
                state-dir = \"state\"\n[admin]\naddress = \"off\"\n[logs]\nlevel = \"debug\"\nformat = \"json\"\n\
                access = { status = [\"400-599\"], headers = [\"User-Agent\"], min-duration = \"1s\" }\n\
                [metrics]\nbuckets = [0.5, 1]\nroute-labels = true\n[providers]\n\
                file = { watch = false, debounce = \"1s\" }\n";
    let model = model(text);
    assert_eq!(
        format!("{:?} {:?} {:?} {:?}", model.runtime, model.admin, model.logs, model.metrics),
        "Runtime { workers: 3, router: Compiled, rule_priority: Length, state_dir: Some(\"state\"), certificate_store: None, history: 5, \
         debounce: 1s, watch: false } None Logs { level: Debug, format: Json, access: Some(AccessLog { file: None, \
         status: [(400, 599)], min_duration: 1s, headers: [\"user-agent\"] }) } Metrics { buckets: [0.5, 1.0], \
         route_labels: true }"
    );
}
