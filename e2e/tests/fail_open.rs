//! Mistakes of configurations that open what should be guarded: each was measured at Traefik or Caddy, and fails
//! closed here. What is refused changes nothing of what runs.

use pn_testkit::{Authority, Origin, Proxy, RawClient, Setup, TlsOptions};

const WEB: &str = "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n";

/// A site that is open but for `/api/*`, which nobody may enter.
const GUARDED: &str = r#"
[sites."app.test"]
https = "off"
to = "http://<origin>"
routes."/api/*" = { use = ["ops-only"], to = "http://<origin>" }

[middlewares.ops-only]
ip-allow = { ranges = ["10.0.0.0/8"] }
"#;

/// The configuration is refused by `check` and by `run`, with all of these words, and nothing is served meanwhile.
#[track_caller]
fn refused(config: &str, words: &[&str]) {
    let mut setup = Proxy::setup().set("origin", "127.0.0.1:9");
    let config = format!("{WEB}{config}");
    let checked = setup.command(&["check", "site.toml"], &config);
    let said = format!("{}{}", checked.stdout, checked.stderr);
    assert_eq!(checked.code(), 1, "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said}");
    }
    assert_eq!(setup.refuse(&config).code(), 1);
    let port = setup.port("web");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "it serves what it refused");
}

fn guarded(origin: &Origin) -> Proxy {
    let proxy = Proxy::setup().set("origin", origin.addr()).start(&format!("{WEB}{GUARDED}"));
    assert_eq!(proxy.get("web", "app.test", "/api/x").status, 403);
    assert_eq!(proxy.get("web", "app.test", "/").status, 200);
    proxy
}

/// The guard still stands, and nothing that it guards was reached.
#[track_caller]
fn still_guarded(proxy: &Proxy, origin: &Origin) {
    assert_eq!(proxy.get("web", "app.test", "/api/x").status, 403);
    assert_eq!(proxy.get("web", "app.test", "/").status, 200);
    assert!(origin.requests().iter().all(|request| !request.target.starts_with("/api")), "{origin:?}");
}

#[test]
fn a_route_with_an_unknown_middleware_does_not_fall_through_to_an_open_one() {
    let unknown = GUARDED.replace("use = [\"ops-only\"]", "use = [\"ops-onyl\"]");
    refused(&unknown, &["ops-onyl", "did you mean `ops-only`", "site.toml:"]);
    let origin = Origin::http1();
    let mut proxy = guarded(&origin);
    let why = proxy.reload_refused(&format!("{WEB}{unknown}"));
    assert!(why.contains("ops-onyl"), "{why}");
    still_guarded(&proxy, &origin);
}

#[test]
fn a_middleware_that_cannot_be_built_takes_no_guard_away() {
    let broken = GUARDED.replace("10.0.0.0/8", "10.0.0.0/33");
    refused(&broken, &["10.0.0.0/33"]);
    let origin = Origin::http1();
    let mut proxy = guarded(&origin);
    proxy.reload_refused(&format!("{WEB}{broken}"));
    still_guarded(&proxy, &origin);
}

#[test]
fn a_mistyped_tls_version_is_refused_not_ignored() {
    for version in ["TLS1.3", "VersionTLS13", "1.4", "1.1"] {
        let config = format!("[tls-policies.modern]\nmin-version = \"{version}\"\n{GUARDED}");
        refused(&config, &[version, "min-version"]);
    }
}

#[test]
fn a_bad_cipher_name_is_refused_and_the_old_policy_serves_on() {
    let bad =
        "\n[tls-policies.modern]\ncipher-suites = [\"TLS_AES_256_GCM_SHA384\", \"TLS_AES_257_GCM_SHA384\"]\n";
    refused(&format!("{GUARDED}{bad}"), &["TLS_AES_257_GCM_SHA384", "did you mean"]);

    let (authority, origin) = (Authority::new(), Origin::http1());
    let mut proxy = with_tls(&authority, &origin).start(&secured(""));
    let options = TlsOptions::trusting(&authority);
    proxy.reload_refused(&secured(bad));
    let mut client = RawClient::connect_tls(proxy.addr("secure"), "app.test", &options);
    assert_eq!(client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").response().status, 200);
}

#[test]
fn an_unknown_key_in_one_of_two_files_is_refused_and_both_files_serve_on() {
    let files = |second: &str| {
        let first = "[sites.\"a.test\"]\nhttps = \"off\"\nrespond = { body = \"a\" }\n";
        [("conf.d/a.toml", first.to_owned()), ("conf.d/b.toml", second.to_owned())]
    };
    let good = "[sites.\"b.test\"]\nhttps = \"off\"\nrespond = { body = \"b\" }\n";
    let bad = "[sites.\"b.test\"]\nhttps = \"off\"\nresponse = { body = \"c\" }\n";
    let config = format!("include = [\"conf.d/*.toml\"]\n{WEB}");

    let cold = files(bad).into_iter().fold(Setup::new(), |setup, (name, text)| setup.file(name, text));
    let said = { cold }.refuse(&config);
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(said.contains("conf.d/b.toml") && said.contains("response"), "{said}");

    let warm = files(good).into_iter().fold(Setup::new(), |setup, (name, text)| setup.file(name, text));
    let proxy = warm.start(&config);
    let generation = proxy.generation();
    proxy.folder().write("conf.d/b.toml", bad);
    let reply = proxy.ask_admin("POST", "/api/reload");
    assert!(reply.status >= 400 && reply.text().contains("conf.d/b.toml"), "{reply:?}");
    for site in ["a", "b"] {
        assert_eq!(proxy.get("web", &format!("{site}.test"), "/").text(), site);
    }
    assert_eq!(proxy.generation(), generation);
    assert_eq!(proxy.status()["last_reload"]["success"], false);

    // Once it is mended, everything is applied.
    proxy.folder().write("conf.d/b.toml", good.replace("\"b\"", "\"d\""));
    assert!(proxy.ask_admin("POST", "/api/reload").status < 400);
    pn_testkit::wait_until("the mended file", || proxy.get("web", "b.test", "/").text() == "d");
}

#[test]
fn a_configuration_that_does_not_exist_is_an_error() {
    for (command, path) in
        [("run", "/nope"), ("check", "/nope"), ("run", "nope.toml"), ("check", "no/such/folder")]
    {
        let finished = Setup::new().command(&[command, path], "");
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert!(finished.code() == 1 && said.contains(path), "{command} {path}: {said}");
    }
}

#[test]
fn an_exact_host_wins_over_a_longer_regular_expression() {
    let config = r#"
        [sites."*"]
        https = "off"
        respond = { status = 404 }

        [routes.any]
        rule = 'HostRegexp(`^(admin|[a-z0-9-]{1,63})\.(test|example|internal)$`) && PathPrefix(`/`)'
        respond = { body = "regular expression" }

        [sites."admin.test"]
        https = "off"
        respond = { body = "exact" }
    "#;
    let proxy = Proxy::start(&format!("{WEB}{config}"));
    assert_eq!(proxy.get("web", "admin.test", "/").text(), "exact");
    assert_eq!(proxy.get("web", "other.test", "/").text(), "regular expression");
    assert_eq!(proxy.get("web", "a.b.test", "/").status, 404);
}

#[test]
fn an_exhausted_rate_limit_stays_exhausted_when_something_else_changes() {
    let limited = r#"
        [sites."app.test"]
        https = "off"
        use = ["scarce"]
        respond = { body = "ok" }

        [middlewares.scarce]
        rate-limit = { rate = "2/h", burst = 2 }
    "#;
    let other = |number: u32| format!("\n[sites.\"other-{number}.test\"]\nhttps = \"off\"\nrespond = {{}}\n");
    let mut proxy = Proxy::start(&format!("{WEB}{limited}"));
    let ask = |proxy: &Proxy| proxy.get("web", "app.test", "/").status;
    assert_eq!([ask(&proxy), ask(&proxy), ask(&proxy)], [200, 200, 429]);
    for number in 0..3 {
        proxy.reload_accepted(&format!("{WEB}{limited}{}", other(number)));
        assert_eq!(ask(&proxy), 429, "the bucket was filled by reload {number}");
    }
}

#[test]
fn what_can_never_be_reached_is_an_error() {
    let rows: [(&str, &[&str]); 4] = [
        // Unreachable: everything that it takes is taken before.
        (
            "[sites.\"a.test\"]\nhttps = \"off\"\nrespond = {}\n\
             routes.\"/a/*\" = [{ priority = 1, to = \"http://<origin>\" }, { methods = [\"GET\"], to = \"http://<origin>\" }]\n",
            &["site.toml:"],
        ),
        // The same route twice.
        (
            "[sites.\"a.test\"]\nhttps = \"off\"\nrespond = {}\n\
             routes.\"/a/*\" = [{ to = \"http://<origin>\" }, { to = \"http://<origin>\" }]\n",
            &["priority"],
        ),
        // One host on two sites.
        (
            "[sites.\"a.test\"]\nhttps = \"off\"\nrespond = {}\n\
             [sites.\"b.test\"]\nhosts = [\"a.test\"]\nhttps = \"off\"\nrespond = {}\n",
            &["a.test"],
        ),
        // One site twice.
        (
            "[sites.\"a.test\"]\nhttps = \"off\"\nrespond = {}\n[sites.\"a.test\"]\nrespond = {}\n",
            &["a.test"],
        ),
    ];
    for (config, words) in rows {
        refused(config, words);
    }
}

#[test]
fn what_is_not_set_or_not_known_is_an_error() {
    let site = "[sites.\"a.test\"]\nhttps = \"off\"\n";
    let rows: [(String, &[&str]); 9] = [
        (format!("{site}to = \"http://${{env:PROXY_NOW_NO_SUCH}}:80\"\n"), &["PROXY_NOW_NO_SUCH"]),
        (format!("{site}to = \"http://${{file:no.such.file}}:80\"\n"), &["no.such.file"]),
        (format!("{site}redirect = \"https://{{hots}}{{path}}\"\n"), &["{hots}", "did you mean `{host}`"]),
        (format!("{site}too = \"http://<origin>\"\n"), &["too", "did you mean", "site.toml:"]),
        (format!("{site}respond = {{ staus = 200 }}\n"), &["staus", "did you mean `status`"]),
        (format!("{site}routes.\"/a\" = {{ metods = [\"GET\"], respond = {{}} }}\n"), &["metods"]),
        (format!("{site}to = \"http://127.0.0.1:99999\"\n"), &["99999"]),
        (
            "[sites.\"a.test\"]\ncertificate = { cert = \"no.pem\", key = \"no.key\" }\nrespond = {}\n"
                .to_owned(),
            &["no.pem"],
        ),
        (format!("{site}respond = {{}}\n[sties.\"b.test\"]\n"), &["sties", "did you mean `sites`"]),
    ];
    for (config, words) in rows {
        refused(&config, words);
    }
}

/// A TLS listener beside the plain one, and a client policy that nothing uses yet.
fn secured(rest: &str) -> String {
    let config = r#"
[listeners.secure]
address = "127.0.0.1:<port:secure>"
tls = true

[defaults.sites]
listeners = ["web", "secure"]

[sites."app.test"]
certificate = { cert = "<cert>", key = "<key>" }
to = "http://<origin>"
"#;
    format!("{WEB}{config}{rest}")
}

fn with_tls(authority: &Authority, origin: &Origin) -> Setup {
    let identity = authority.server(&["app.test", "open.test"]);
    Proxy::setup()
        .set("origin", origin.addr())
        .set("cert", identity.certificate.display())
        .set("key", identity.key.display())
        .set("root", authority.root().display())
}
