//! What is bounded, refused or made smaller, seen by clients: files and sockets that run out, requests that are too many,
//! doors that are shut, pages in place of errors. Compression is in `compression`, sizes and times of heads and
//! bodies are in `conformance`.
#![expect(clippy::expect_used, reason = "a step of a test fails as the test does")]

use std::time::{Duration, Instant};

use pn_testkit::{
    Origin, Proxy, RawClient, RawResponse, Reply, Session, TlsOptions, request, wait_for, wait_until,
};
use proxy_now_e2e::{Front, Held, LISTENERS};

const WEB: &str = "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

/// A site that says `ok` behind this middleware.
fn behind(kind: &str) -> String {
    format!(
        "{WEB}[sites.\"app.test\"]\nhttps = \"off\"\nuse = [\"door\"]\nrespond = {{ body = \"ok\" }}\n\
         [middlewares.door]\n{kind}\n"
    )
}

#[track_caller]
fn ask(proxy: &Proxy, fields: &[(&'static str, &str)]) -> Reply {
    let mut asked = request("GET", "app.test", "/");
    for (name, value) in fields {
        asked.headers_mut().append(*name, value.parse().expect("a value"));
    }
    Session::http1(proxy.addr("web")).send(asked)
}

// === Doors ===

type Fields = &'static [(&'static str, &'static str)];

/// What is asked, and the status.
type Step = (Fields, u16);

#[test]
fn a_door_lets_in_whom_it_should() {
    // `amy:secret`, by htpasswd.
    const USERS: &str =
        r#"basic-auth = { users = ["amy:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="], realm = "the office" }"#;
    let rows: [(&str, &[Step]); 6] = [
        (
            USERS,
            &[
                (&[], 401),
                (&[("authorization", "Basic YW15OnNlY3JldA==")], 200),
                (&[("authorization", "Basic YW15Ondyb25n")], 401),
                (&[("authorization", "Basic Ym9iOnNlY3JldA==")], 401),
                (&[("authorization", "Basic !!!")], 401),
                (&[("authorization", "Bearer YW15OnNlY3JldA==")], 401),
            ],
        ),
        (
            "ip-allow = { ranges = [\"127.0.0.0/8\"] }",
            &[(&[], 200), (&[("x-forwarded-for", "10.0.0.1")], 200)],
        ),
        (
            "ip-allow = { ranges = [\"10.0.0.0/8\"] }",
            &[(&[], 403), (&[("x-forwarded-for", "10.0.0.1")], 403)],
        ),
        ("ip-allow = { ranges = [\"10.0.0.0/8\"], status = 404 }", &[(&[], 404)]),
        (
            "rate-limit = { rate = \"1/h\", burst = 3 }",
            &[(&[], 200), (&[], 200), (&[], 200), (&[], 429), (&[], 429)],
        ),
        (
            "rate-limit = { rate = \"1/h\", by = { header = \"x-key\" } }",
            &[
                (&[("x-key", "a")], 200),
                (&[("x-key", "a")], 429),
                (&[("x-key", "b")], 200),
                (&[], 200),
                (&[], 429),
            ],
        ),
    ];
    for (kind, steps) in rows {
        let proxy = Proxy::start(&behind(kind));
        for (fields, status) in steps {
            let reply = ask(&proxy, fields);
            assert_eq!(reply.status, *status, "{kind} {fields:?}: {reply:?}");
            match status {
                401 => assert_eq!(
                    reply.header("www-authenticate"),
                    "Basic realm=\"the office\", charset=\"UTF-8\""
                ),
                429 => {
                    let seconds: u64 = reply.header("retry-after").parse().expect("seconds");
                    assert!((1..=3600).contains(&seconds), "{reply:?}");
                }
                _ => {}
            }
            assert_eq!(reply.text() == "ok", *status == 200, "{kind} {fields:?}: {reply:?}");
        }
    }
}

#[test]
fn who_is_behind_a_trusted_proxy_is_who_the_limits_count_and_the_doors_see() {
    let trusting = WEB.replace("<port:web>\"", "<port:web>\"\ntrusted-proxies = [\"127.0.0.0/8\"]");
    let config = |kind: &str| behind(kind).replace(WEB, &trusting);
    let door = Proxy::start(&config("ip-allow = { ranges = [\"10.0.0.0/8\"] }"));
    let limit = Proxy::start(&config("rate-limit = { rate = \"1/h\" }"));
    for (from, allowed, first, second) in [
        ("10.0.0.1", 200, 200, 429),
        ("10.0.0.2", 200, 200, 429),
        ("192.0.2.1, 10.0.0.3", 200, 200, 429),
        ("192.0.2.1", 403, 200, 429),
    ] {
        let fields = [("x-forwarded-for", from)];
        assert_eq!(ask(&door, &fields).status, allowed, "{from}");
        assert_eq!((ask(&limit, &fields).status, ask(&limit, &fields).status), (first, second), "{from}");
    }
}

#[test]
fn no_more_requests_in_flight_than_allowed_over_any_protocol() {
    let (front, held) = (Front::new(), Held::new("ok"));
    let config = format!(
        "{LISTENERS}[sites.\"app.test\"]\nuse = [\"few\"]\nto = \"http://{}\"\n\
         [middlewares.few]\nin-flight = {{ amount = 2 }}\n",
        held.addr()
    );
    let proxy = front.setup(&["app.test"]).start(&config);
    let mut busy = [RawClient::connect(proxy.addr("web")), RawClient::connect(proxy.addr("web"))];
    for client in &mut busy {
        client.send("GET /held HTTP/1.1\r\nHost: app.test\r\n\r\n");
    }
    held.wait_for(2);
    let mut sessions = [
        Session::http1(proxy.addr("web")),
        Session::h2c(proxy.addr("web")),
        Session::tls(proxy.addr("secure"), "app.test", &front.tls(&["h2"])),
    ];
    for session in &mut sessions {
        assert_eq!(session.get("app.test", "/").status, 429);
    }
    held.release();
    for client in &mut busy {
        assert_eq!(client.response().status, 200);
    }
    for session in &mut sessions {
        wait_until("room", || session.get("app.test", "/").status == 200);
    }
}

#[test]
fn a_client_that_goes_away_gives_its_place_back() {
    let held = Held::new("ok");
    let config = behind("in-flight = { amount = 1 }")
        .replace("respond = { body = \"ok\" }", &format!("to = \"http://{}\"", held.addr()));
    let proxy = Proxy::start(&config);
    for round in 1..=3 {
        let mut client = RawClient::connect(proxy.addr("web"));
        client.send("GET /held HTTP/1.1\r\nHost: app.test\r\n\r\n");
        // The origin holds on to those of earlier rounds too.
        held.wait_for(round);
        assert_eq!(ask(&proxy, &[]).status, 429);
        client.reset();
        wait_until("the place to be free", || ask(&proxy, &[]).status == 200);
    }
}

#[test]
fn a_connection_brings_so_many_requests_and_no_more() {
    let limited = WEB.replace("<port:web>\"", "<port:web>\"\nlimits = { requests-per-connection = 3 }");
    let proxy = Proxy::start(&behind("headers = {}").replace(WEB, &limited));
    let mut client = RawClient::connect(proxy.addr("web"));
    let connection = |response: &RawResponse| response.header("connection").to_ascii_lowercase();
    for number in 1..=3 {
        let response = client.send(GET).response();
        assert_eq!((response.status, connection(&response) == "close"), (200, number == 3), "{response:?}");
    }
    client.expect_closed();
    let mut h2 = Session::h2c(proxy.addr("web"));
    for _ in 0..3 {
        assert_eq!(h2.get("app.test", "/").status, 200);
    }
    wait_until("GOAWAY", || h2.is_closed());
}

// === Pages in place of errors ===

#[test]
fn errors_become_pages_of_a_service_and_keep_their_status() {
    let (origin, pages) = (Origin::http1(), Origin::setup().name("pages").http1());
    let config = format!(
        "{WEB}[sites.\"app.test\"]\nhttps = \"off\"\nuse = [\"pages\"]\nto = \"http://{}\"\n\
         routes.\"/gone/*\" = {{ to = \"http://127.0.0.1:<port:nobody>\" }}\n\
         routes.\"/shut\" = {{ use = [\"shut\"], respond = {{}} }}\n\
         [middlewares.shut]\nip-allow = {{ ranges = [\"10.0.0.0/8\"] }}\n\
         [middlewares.pages]\nerrors = {{ status = [\"403\", \"500-599\"], service = \"pages\", path = \"/err/{{status}}?for={{url}}\" }}\n\
         [services.pages]\nservers = [\"http://{}\"]\n",
        origin.addr(),
        pages.addr()
    );
    let proxy = Proxy::start(&config);
    // Its own page is asked for by the status; what is not named goes through.
    let rows = [
        ("/status/200", 200, None),
        ("/status/404", 404, None),
        ("/status/500", 500, Some("/err/500?for=http%3A%2F%2Fapp.test%2Fstatus%2F500")),
        ("/gone/x", 502, Some("/err/502?for=http%3A%2F%2Fapp.test%2Fgone%2Fx")),
        ("/shut", 403, Some("/err/403?for=http%3A%2F%2Fapp.test%2Fshut")),
    ];
    for (path, status, page) in rows {
        let reply = proxy.get("web", "app.test", path);
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        match page {
            None => assert!(!reply.text().contains("\"pages\""), "{path}: {reply:?}"),
            Some(target) => assert_eq!(reply.json()["target"], target, "{path}: {reply:?}"),
        }
    }
    // Pages that fail themselves do not go round in circles.
    drop(pages);
    assert_eq!(proxy.get("web", "app.test", "/status/500").status, 500);
}

// === Files run out ===

/// Processor time of a process so far, in ticks of 10 ms.
fn ticks(proxy: &Proxy) -> u64 {
    let stat =
        std::fs::read_to_string(format!("/proc/{}/stat", proxy.peer().pid())).expect("a running process");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    fields.split(' ').skip(11).take(2).filter_map(|number| number.parse::<u64>().ok()).sum()
}

#[test]
fn a_storm_that_takes_every_file_is_survived_without_burning_time() {
    const FILES: usize = 100;
    let (front, origin) = (Front::new(), Origin::http1());
    let config = format!(
        "{LISTENERS}[sites.\"app.test\"]\nrespond = {{ body = \"ok\" }}\nroutes.\"/up/*\" = {{ to = \"http://{}\" }}\n[runtime]\nworkers = 2\n",
        origin.addr()
    );
    let most = format!("--nofile={FILES}:{FILES}");
    let proxy = front.setup(&["app.test"]).started_by("prlimit", &[&most]).start(&config);
    let mut kept = RawClient::connect(proxy.addr("web"));
    assert_eq!(kept.send(GET).response().status, 200);
    let storm: Vec<RawClient> = (0..3 * FILES)
        .map(|number| RawClient::connect(proxy.addr(if number % 2 == 0 { "web" } else { "secure" })))
        .collect();
    proxy.peer().wait_for_log("raise the limit of open files");
    assert!(proxy.peer().open_files() >= FILES - 5, "{} files", proxy.peer().open_files());
    let path = proxy.folder().join("site.toml");
    let changed = std::fs::read_to_string(&path).expect("the configuration").replace("\"ok\"", "\"new\"");
    proxy.folder().write("site.toml", changed);
    proxy.peer().wait_for_log("configuration refused");
    // Who is there is served, and what needs a file of its own fails by itself.
    let (before, since) = (ticks(&proxy), Instant::now());
    for _ in 0..5 {
        assert_eq!(kept.send(GET).response().text(), "ok");
        let up = kept.send("GET /up/a HTTP/1.1\r\nHost: app.test\r\n\r\n").response();
        assert!([200, 502, 503].contains(&up.status), "{up:?}");
        std::thread::sleep(Duration::from_millis(300));
    }
    let share = (ticks(&proxy) - before) as f64 * 0.01 / since.elapsed().as_secs_f64();
    assert!(share < 0.5, "it takes {share:.2} of a processor for nothing");
    let lines = proxy.log().matches("raise the limit of open files").count();
    assert!(lines < 100, "{lines} lines of the same warning");
    drop(storm);
    let fresh = wait_for("a new connection to be served", || {
        RawClient::connect(proxy.addr("web")).send(GET).try_response(Duration::from_secs(1))
    });
    assert_eq!(fresh.status, 200);
    wait_until("an upstream", || proxy.get("web", "app.test", "/up/a").status == 200);
    let options = TlsOptions::trusting_anyone();
    let mut secure = RawClient::connect_tls(proxy.addr("secure"), "app.test", &options);
    assert_eq!(secure.send(GET).response().status, 200);
    wait_until("the files to be given back", || proxy.peer().open_files() < FILES / 2 + 20);
    wait_until("what came in the midst of it", || proxy.get("web", "app.test", "/").text() == "new");
    assert_eq!(proxy.status()["last_reload"]["success"], true);
    assert_eq!(proxy.stop().code(), 0);
}

#[test]
fn a_listener_that_is_full_serves_the_next_as_soon_as_one_leaves() {
    let full = WEB.replace("<port:web>\"", "<port:web>\"\nlimits = { connections = 3 }");
    let proxy = Proxy::start(&behind("headers = {}").replace(WEB, &full));
    let mut inside: Vec<RawClient> = (0..3).map(|_| RawClient::connect(proxy.addr("web"))).collect();
    for client in &mut inside {
        assert_eq!(client.send(GET).response().status, 200);
    }
    let mut waiting = RawClient::connect(proxy.addr("web"));
    assert!(waiting.send(GET).try_response(Duration::from_millis(300)).is_none());
    inside.pop();
    let Some(response) = waiting.try_response(Duration::from_secs(20)) else {
        panic!("nobody let it in: {proxy:?}")
    };
    assert_eq!(response.status, 200);
}
