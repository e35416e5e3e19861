//! `demo` and `reverse-proxy`: proxies that need no configuration, tried by the very commands that they print.
#![expect(clippy::panic, clippy::expect_used, reason = "a step of a row fails as a test does, by a panic")]

use pn_testkit::{Authority, Curl, Origin, Peer, Setup, curl, free_port, wait_until};

/// The arguments of the curl commands it printed; waits until the last of them, told by `last`, is there.
#[track_caller]
fn printed(peer: &Peer, last: &str) -> Vec<Vec<String>> {
    peer.wait_for_log(last);
    let log = peer.log();
    let commands = log.lines().filter_map(|line| line.trim_start().strip_prefix("curl "));
    let commands = commands.map(|line| line.split("    #").next().unwrap_or_default());
    commands.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// One of these commands, with further arguments.
fn again(command: &[String], more: &[&str]) -> Curl {
    let words: Vec<&str> = command.iter().map(String::as_str).chain(more.iter().copied()).collect();
    curl(&words)
}

/// The command for this URL's beginning.
#[track_caller]
fn to<'a>(commands: &'a [Vec<String>], url: &str) -> &'a [String] {
    let found = commands.iter().find(|words| words.last().is_some_and(|last| last == url));
    found.unwrap_or_else(|| panic!("no command for {url} in {commands:#?}"))
}

/// Without the root that the proxy told of.
fn distrusting(command: &[String]) -> Vec<String> {
    let at = command.iter().position(|word| word == "--cacert").expect("a root in the command");
    [&command[..at], &command[at + 2..]].concat()
}

struct Demo {
    peer: Peer,
    admin: String,
    http: u16,
    https: u16,
    _setup: Setup,
}

fn demo() -> Demo {
    let mut setup = Setup::new();
    let (http, https, admin) = (free_port(), free_port(), format!("127.0.0.1:{}", free_port()));
    let state = setup.folder().join("demo").display().to_string();
    let ports = [http, https].map(|port| port.to_string());
    let peer = setup.launch(
        &[
            "demo",
            "--http-port",
            &ports[0],
            "--https-port",
            &ports[1],
            "--admin",
            &admin,
            "--state-dir",
            &state,
        ],
        "",
    );
    Demo { peer, admin, http, https, _setup: setup }
}

#[test]
fn the_demo_does_all_that_it_prints() {
    let Demo { peer, admin, http, https, _setup } = demo();
    let commands = printed(&peer, "Ctrl-C ends it");
    let app = to(&commands, &format!("https://app.localhost:{https}/"));
    let api = to(&commands, &format!("https://api.localhost:{https}/"));
    for (version, protocol) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let spoken = ["-f", "-w", "\n%{http_version}", version];
        for upstream in ["blue", "green"] {
            wait_until(&format!("the {upstream} upstream"), || {
                let told = again(app, &spoken).expect_success();
                assert!(
                    told.contains("Host: app.localhost") && told.contains("X-Forwarded-Proto: https"),
                    "{told}"
                );
                assert_eq!(told.lines().last(), Some(protocol));
                told.contains(&format!("Hello from the {upstream} upstream."))
            });
        }
        let told = again(api, &spoken).expect_success();
        assert!(told.contains("api.localhost") && told.ends_with(protocol), "{told}");
        // Nobody else's root certifies it.
        for command in [app, api] {
            assert_eq!(again(&distrusting(command), &[version]).code(), 60);
        }
    }
    let teapot =
        again(to(&commands, &format!("https://api.localhost:{https}/teapot")), &["-w", "%{http_code}"]);
    assert_eq!(teapot.expect_success(), "short and stout\n418");
    let limited = to(&commands, &format!("https://api.localhost:{https}/limited/"));
    wait_until("the limit", || again(limited, &["-w", "\n%{http_code}"]).expect_success().ends_with("\n429"));
    let redirect = again(to(&commands, &format!("http://app.localhost:{http}/")), &[]).expect_success();
    let location = format!("https://app.localhost:{https}/\r\n");
    assert!(redirect.starts_with("HTTP/1.1 30") && redirect.contains(&location), "{redirect}");
    let status = again(to(&commands, &format!("http://{admin}/api/status")), &[]).expect_success();
    assert!(status.contains("\"generation\""), "{status}");
    assert_eq!(peer.terminate(pn_testkit::PATIENCE * 2).code(), 0);
}

/// In a network and a state folder of its own, where it may be whom it likes and every port is free: starts what it is
/// given, and then runs each curl command that was printed.
const ALONE: &str = r#"
ip link set lo up && mount -t tmpfs none /var/lib || exit 1
setpriv --pdeathsig KILL -- "$@" > "$0" 2>&1 &
until grep -q "Ctrl-C ends it\|exit" "$0"; do kill -0 $! || { cat "$0"; exit 1; }; sleep 0.05; done
grep '^  curl ' "$0" | sed 's/ #.*//' | while read -r command; do $command -sS -w '\n%{http_code}\n' || exit 1; done
kill $!; wait $!
"#;

#[test]
fn the_demo_without_options_takes_the_usual_ports() {
    let setup = Setup::new();
    let log = setup.folder().join("demo.log").display().to_string();
    let within = ["-rmn", "setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", ALONE, &log];
    let mut setup = setup.started_by("unshare", &within);
    let finished = setup.launch(&["demo"], "").finish(pn_testkit::PATIENCE * 2);
    let log = std::fs::read_to_string(&log).unwrap_or_default();
    let told = finished.expect_success();
    assert!(log.contains("https://app.localhost:443/"), "{log}");
    let codes: Vec<&str> =
        told.lines().filter(|line| line.len() == 3 && line.parse::<u16>().is_ok()).collect();
    assert_eq!(codes, ["200", "200", "418", "200", "301", "200"], "{told}\n{log}");
}

#[test]
fn reverse_proxy_serves_what_it_is_pointed_at() {
    let origins = ["red", "green"].map(|name| Origin::setup().name(name).http1());
    let mut setup = Setup::new();
    let (port, state) = (free_port(), setup.folder().join("own").display().to_string());
    let (from, targets) =
        (format!("app.localhost:{port}"), [0, 1].map(|at| format!("http://{}", origins[at].addr())));
    let peer = setup.launch(
        &["reverse-proxy", "--from", &from, "--to", &targets[0], "--to", &targets[1], "--state-dir", &state],
        "",
    );
    let url = format!("https://{from}/");
    let commands = printed(&peer, &format!("127.0.0.1 {url}"));
    let command = to(&commands, &url);
    for (version, protocol) in [("--http1.1", "1.1"), ("--http2", "2")] {
        for origin in &origins {
            let before = origin.requests().len();
            wait_until("each upstream", || {
                let told = again(command, &["-f", "-d", "hello", "-w", "\n%{http_version}", version])
                    .expect_success();
                assert_eq!(told.lines().last(), Some(protocol));
                origin.requests().len() > before
            });
            let asked = origin.last();
            assert_eq!((asked.method.as_str(), asked.body.as_ref()), ("POST", b"hello".as_slice()));
            assert_eq!(
                (asked.authority.as_str(), asked.header("x-forwarded-proto")),
                (from.as_str(), "https")
            );
        }
        assert_eq!(again(&distrusting(command), &[version]).code(), 60);
    }
    // A certificate for that name alone.
    let root = command[command.iter().position(|word| word == "--cacert").expect("a root") + 1].clone();
    let other = format!("other.localhost:{port}");
    let refused =
        curl(&["--cacert", &root, "--resolve", &format!("{other}:127.0.0.1"), &format!("https://{other}/")]);
    assert!(![0, 22].contains(&refused.code()), "{refused:?}");
    // Another root does not do.
    let stranger = Authority::new();
    let mut strange = distrusting(command);
    strange.extend(["--cacert".to_owned(), stranger.root().display().to_string()]);
    assert_eq!(again(&strange, &[]).code(), 60);
    assert_eq!(peer.terminate(pn_testkit::PATIENCE * 2).code(), 0);
}

#[test]
fn the_printed_configurations_are_sound() {
    let rows: [&[&str]; 3] = [
        &["demo", "--print-config"],
        &["reverse-proxy", "--from", "app.localhost", "--to", "http://127.0.0.1:3000", "--print-config"],
        &[
            "reverse-proxy",
            "--from",
            "a.localhost:8443",
            "--to",
            "unix:/run/a.sock",
            "--to",
            "h2c://b:1",
            "--print-config",
        ],
    ];
    for arguments in rows {
        let mut setup = Setup::new();
        let printed = setup.command(arguments, "").expect_success();
        setup.folder().write("printed.toml", &printed);
        let checked = setup.command(&["check", "--offline", "printed.toml"], "");
        assert_eq!(checked.code(), 0, "{arguments:?}\n{printed}\n{checked:?}");
    }
}
