//! What comes from the environment or a file shows nowhere.

use std::hash::{BuildHasher, RandomState};

use pn_testkit::{Finished, Origin, Proxy, Recorded, Session, Setup, request, wait_until};
use proxy_now_e2e::{Front, LISTENERS};

use crate::WEB;

/// A word that nobody else says.
fn mark() -> String {
    format!("hush{:016x}", RandomState::new().hash_one(std::process::id()))
}

#[track_caller]
fn silent(mark: &str, what: &str, text: &str) {
    let at = text.lines().find(|line| line.contains(mark));
    assert!(at.is_none(), "the secret is in {what}: {}", at.unwrap_or_default());
}

fn said(finished: &Finished) -> String {
    format!("{}{}", finished.stdout, finished.stderr)
}

/// Secrets wherever a string may have one and the process goes on with it.
const SECRETS: &str = r#"
[logs]
level = "trace"
access = { file = "access.json", headers = ["authorization", "cookie", "x-file"] }

[sites."app.test"]
use = ["door", "key"]
to = "app"
routes."/said" = { respond = { body = "${env:SECRET}", headers = { X-Said = "${file:secret}" } } }
routes."/away" = { redirect = "https://other.test/${env:SECRET}" }
routes."/named" = { headers = { X-Key = "${env:SECRET}" }, respond = { body = "known" } }
routes."/two/*" = { to = "http://<h2c>" }

[middlewares.door]
basic-auth = { users = ["amy:${env:HASH}"], users-file = "users" }

[middlewares.key]
headers = { request = { set = { Authorization = "Bearer ${env:SECRET}", X-File = "${file:secret}" } } }

[services.app]
servers = ["http://<origin>"]
health-check = { path = "/${env:SECRET}", interval = "100ms", timeout = "90ms" }
"#;

#[test]
fn secrets_of_a_configuration_that_runs_never_show() {
    let (front, mark) = (Front::new(), mark());
    let (origin, two) = (Origin::http1(), Origin::h2c());
    let hash = "$2b$04$4lIorH3IY8DoXiJxXH6jUeSqx8/Yg.ObB.SnkoLHza9ZQnOtGHaVi";
    let setup = front.setup(&["app.test"]).set("origin", origin.addr()).set("h2c", format!("{}", two.addr()));
    let setup = setup.env("SECRET", &mark).env("HASH", hash).file("secret", &mark);
    // `bob:secret`.
    let setup = setup.file("users", "bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
    let config = format!("{LISTENERS}{}", SECRETS.replace("http://<h2c>", "h2c://<h2c>"));
    let mut proxy = setup.start(&config);
    let mut sessions = [
        Session::http1(proxy.addr("web")),
        Session::h2c(proxy.addr("web")),
        Session::tls(proxy.addr("secure"), "app.test", &front.tls(&["h2"])),
    ];
    for session in &mut sessions {
        for path in ["/", "/said", "/away", "/named", "/two/a"] {
            let mut asked = request("GET", "app.test", path);
            asked.headers_mut().insert("authorization", "Basic Ym9iOnNlY3JldA==".parse().expect("a value"));
            asked.headers_mut().insert("cookie", format!("session={mark}").parse().expect("a value"));
            asked.headers_mut().insert("x-key", mark.parse().expect("a value"));
            let reply = session.send(asked);
            assert!([200, 307, 302].contains(&reply.status), "{path}: {reply:?}");
        }
    }
    // Health checks come to it as well, and are told nothing.
    let told = |request: &Recorded| request.header("authorization") == format!("Bearer {mark}");
    assert_eq!(origin.requests().into_iter().filter(told).count(), sessions.len(), "the service is told");
    assert_eq!(two.last().header("x-file"), mark);
    wait_until("a health check", || origin.requests().iter().any(|request| request.target.contains(&mark)));
    proxy.reload_accepted(
        &format!("{config}\n[sites.\"more.test\"]\nhttps = \"off\"\ncertificate = []\n")
            .replace("certificate = []\n", "respond = { body = \"${env:SECRET}\" }\n"),
    );
    proxy.reload_refused(&format!("{config}\nbroken = \"${{env:SECRET}}\"\n"));
    everything_is_silent(&proxy, &[&mark, hash]);
}

/// Every page, every command, every file that is written, and the log.
#[track_caller]
fn everything_is_silent(proxy: &Proxy, secrets: &[&str]) {
    let admin = proxy.admin().to_string();
    let pages = [
        "config",
        "graph",
        "listeners",
        "sites",
        "routes",
        "services",
        "certificates",
        "history",
        "status",
        "version",
        "overview",
    ];
    let mut shown: Vec<(String, String)> = Vec::new();
    for page in pages {
        let reply = proxy.ask_admin("GET", &format!("/api/{page}"));
        assert_eq!(reply.status, 200, "{page}: {reply:?}");
        shown.push((format!("/api/{page}"), reply.text()));
    }
    shown.push(("/metrics".to_owned(), proxy.ask_admin("GET", "/metrics").text()));
    let nodes = ["sites.\"app.test\"", "middlewares.door", "middlewares.key", "services.app"];
    let explained = nodes.iter().map(|node| vec!["explain", "site.toml", node]);
    let others = [
        vec!["status", "--address", &admin],
        vec!["status", "--format", "json", "--address", &admin],
        vec!["reload", "--address", &admin],
        vec!["rollback", "--address", &admin],
        vec!["check", "site.toml"],
        vec!["check", "--format", "json", "site.toml"],
        vec!["diff", "site.toml", "site.toml"],
    ];
    for arguments in explained.chain(others) {
        shown.push((arguments.join(" "), said(&proxy.command(&arguments))));
    }
    for name in ["access.json", "state/last-good.json"] {
        shown.push((name.to_owned(), std::fs::read_to_string(proxy.folder().join(name)).unwrap_or_default()));
    }
    shown.push(("the log".to_owned(), proxy.log()));
    for secret in secrets {
        for (what, text) in &shown {
            assert!(!text.is_empty(), "{what} is empty");
            silent(secret, what, text);
        }
    }
}

#[test]
fn a_secret_that_is_wrong_is_not_shown_in_what_is_wrong_with_it() {
    let mark = mark();
    let fresh = || Setup::new().env("SECRET", &mark).file("secret", &mark);
    let mut proxy =
        fresh().start(&format!("{}[logs]\nlevel = \"trace\"\n", site("respond = { body = \"ok\" }")));
    let admin = proxy.admin().to_string();
    let mut shown = Vec::new();
    for config in wrong() {
        // Some of them are sound as a configuration and fail only here, and a few may do.
        proxy.reload(&config);
        let commands = [
            vec!["check", "site.toml"],
            vec!["check", "--offline", "site.toml"],
            vec!["check", "--format", "json", "site.toml"],
            vec!["reload", "--address", &admin],
            vec!["status", "--address", &admin],
        ];
        for arguments in commands {
            let out = said(&proxy.command(&arguments));
            if out.contains(&mark) {
                shown.push(format!("{}:\n{config}\n{out}", arguments.join(" ")));
            }
        }
        let status = proxy.ask_admin("GET", "/api/status").text();
        if status.contains(&mark) {
            shown.push(format!("/api/status:\n{config}\n{status}"));
        }
    }
    assert!(shown.is_empty(), "{} times:\n{}", shown.len(), shown.join("\n---\n"));
    silent(&mark, "the log", &proxy.log());
}

fn site(rest: &str) -> String {
    format!("{WEB}[sites.\"app.test\"]\nhttps = \"off\"\n{rest}\n")
}

/// Configurations with a secret in a place where it is wrong.
fn wrong() -> Vec<String> {
    [wrong_sites(), wrong_nodes()].concat()
}

fn wrong_sites() -> Vec<String> {
    let door = |kind: &str| site(&format!("use = [\"m\"]\nrespond = {{}}\n[middlewares.m]\n{kind}"));
    vec![
        site("to = \"${env:SECRET}\""),
        site("to = \"http://${env:SECRET}:99999\""),
        site("to = \"http://${file:secret} x\""),
        site("redirect = \"https://{${env:SECRET}}\""),
        site("use = [\"${env:SECRET}\"]\nrespond = {}"),
        site("listeners = [\"${env:SECRET}\"]\nrespond = {}"),
        site("tls-policy = \"${env:SECRET}\"\nrespond = {}"),
        site("hosts = [\"${env:SECRET} x\"]\nrespond = {}"),
        site("certificate = { cert = \"${env:SECRET}\", key = \"${env:SECRET}\" }\nrespond = {}"),
        site("respond = {}\nroutes.\"/a\" = { methods = [\"${env:SECRET} x\"], respond = {} }"),
        site("respond = {}\nroutes.\"/a\" = { client-ip = [\"${env:SECRET}\"], respond = {} }"),
        site("respond = {}\nroutes.\"/a\" = { headers = { X = \"~(${env:SECRET}\" }, respond = {} }"),
        site("respond = { status = \"${env:SECRET}\" }"),
        site("respond = { headers = { X = \"${env:SECRET}\\n\" } }"),
        door("rate-limit = { rate = \"${env:SECRET}\" }"),
        door("rate-limit = { rate = \"1/s\", by = \"${env:SECRET}\" }"),
        door("ip-allow = { ranges = [\"${env:SECRET}\"] }"),
        door("body-limit = \"${env:SECRET}\""),
        door("basic-auth = { users = [\"${env:SECRET}\"] }"),
        door("basic-auth = { users = [\"amy:${env:SECRET}\"] }"),
        door("basic-auth = { users-file = \"${env:SECRET}\" }"),
        door("basic-auth = { users-file = \"secret\" }"),
        door("redirect-regex = { regex = \"(${env:SECRET}\", replacement = \"\" }"),
        door("compress = { encodings = [\"${env:SECRET}\"] }"),
        door("chain = [\"${env:SECRET}\"]"),
        door("errors = { status = [\"${env:SECRET}\"], service = \"s\", path = \"/\" }"),
        door("headers = { request = { set = { X = \"${env:SECRET}\\n\" } } }"),
    ]
}

fn wrong_nodes() -> Vec<String> {
    vec![
        format!(
            "{}[routes.r]\nrule = \"Host(`${{env:SECRET}}`) && (\"\nrespond = {{}}\n",
            site("respond = {}")
        ),
        format!("{}[routes.r]\nrule = \"Nope(`${{env:SECRET}}`)\"\nrespond = {{}}\n", site("respond = {}")),
        format!(
            "{}[services.s]\nservers = [\"http://h\"]\nbalance = \"${{env:SECRET}}\"\n",
            site("to = \"s\"")
        ),
        format!(
            "{}[services.s]\nservers = [\"http://h\"]\nhost-header = \"${{env:SECRET}} x\"\n",
            site("to = \"s\"")
        ),
        format!(
            "{}[services.s]\nservers = [\"http://h\"]\ntransport = \"${{env:SECRET}}\"\n",
            site("to = \"s\"")
        ),
        format!("{}[transports.t]\nroots = [\"${{env:SECRET}}\"]\n", site("respond = {}")),
        format!("{}[transports.t]\ntimeouts = {{ connect = \"${{env:SECRET}}\" }}\n", site("respond = {}")),
        format!("{}[tls-policies.t]\nmin-version = \"${{env:SECRET}}\"\n", site("respond = {}")),
        format!("{}[tls-policies.t]\ncipher-suites = [\"${{env:SECRET}}\"]\n", site("respond = {}")),
        format!("{}[logs]\naccess = {{ file = \"/nonexistent/${{env:SECRET}}\" }}\n", site("respond = {}")),
        format!("{}[listeners.more]\naddress = \"${{env:SECRET}}\"\n", site("respond = {}")),
        format!("{}[listeners.more]\naddress = \"fd:${{env:SECRET}}\"\n", site("respond = {}")),
        format!(
            "{}[listeners.more]\naddress = \"unix:/nonexistent/${{env:SECRET}}\"\n",
            site("respond = {}")
        ),
    ]
}
