//! Changes of the running binary's configuration, by every way there is: what was begun ends as it began, what is
//! refused changes nothing and says why everywhere, and what else is read (certificates, users, included files) is
//! read again.
#![expect(clippy::expect_used, reason = "a step of a test fails as the test does")]

use std::net::{TcpListener, TcpStream};

use pn_testkit::h2::{END_HEADERS, END_STREAM, HEADERS, frame, greeting, read_frame_of, request_block};
use pn_testkit::{
    Authority, End, Proxy, RawClient, Reload, Session, Setup, Signal, TlsOptions, request, wait_until,
};
use proxy_now_e2e::{Front, Held, LISTENERS};

const WEB: &str = "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n";
const HELD: &str = "GET /held HTTP/1.1\r\nHost: app.test\r\n\r\n";
const TUNNEL: &str = "GET /tunnel HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

/// A site that says this.
fn says(text: &str) -> String {
    format!("{WEB}{}", site("app.test", text))
}

fn site(host: &str, text: &str) -> String {
    format!("[sites.\"{host}\"]\nhttps = \"off\"\nrespond = {{ body = \"{text}\" }}\n")
}

/// A site that goes to `<NAME>` and marks what comes back.
fn marked(origin: &str, mark: &str) -> String {
    format!(
        "[sites.\"app.test\"]\nuse = [\"mark\"]\nto = \"http://<{origin}>\"\n\
         [middlewares.mark]\nheaders = {{ response = {{ set = {{ X-Round = \"{mark}\" }} }} }}\n"
    )
}

// === What was begun ===

#[test]
fn a_request_is_answered_by_the_graph_it_began_with_and_its_connection_goes_on_with_the_next() {
    let (front, one, two) = (Front::new(), Held::new("one"), Held::new("two"));
    let setup = front.setup(&["app.test"]).set("one", one.addr()).set("two", two.addr());
    let mut proxy = setup.start(&format!("{LISTENERS}{}", marked("one", "1")));
    let options = |alpn: &str| front.tls(&[alpn]);
    let secure = |options: &TlsOptions| RawClient::connect_tls(proxy.addr("secure"), "app.test", options);
    let mut clients = [RawClient::connect(proxy.addr("web")), secure(&options("http/1.1"))];
    let mut h2 = Session::tls(proxy.addr("secure"), "app.test", &options("h2"));
    let mut raw_h2 = RawClient::connect(proxy.addr("web"));
    for client in &mut clients {
        client.send(HELD);
    }
    let block = request_block("GET", "app.test", "/held");
    raw_h2.send(greeting()).send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block));
    assert_eq!(h2.get("app.test", "/").header("x-round"), "1");
    one.wait_for(3);
    proxy.reload_accepted(&format!("{LISTENERS}{}", marked("two", "2")));
    let reply = h2.get("app.test", "/");
    assert_eq!((reply.header("x-round"), reply.text().as_str()), ("2", "two"), "the same HTTP/2 connection");
    one.release();
    for client in &mut clients {
        let held = client.response();
        assert_eq!((held.header("x-round"), held.text().as_str()), ("1", "one"));
        let next = client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").response();
        assert_eq!((next.header("x-round"), next.text().as_str()), ("2", "two"), "the same connection");
    }
    assert_eq!(read_frame_of(&mut raw_h2, HEADERS).stream, 1);
    assert!(!h2.is_closed());
}

#[test]
fn a_tunnel_outlives_its_site_and_its_service() {
    let held = Held::new("ok");
    let config = format!("{WEB}[sites.\"app.test\"]\nhttps = \"off\"\nto = \"http://<origin>\"\n");
    let mut proxy = Proxy::setup().set("origin", held.addr()).start(&config);
    let mut tunnel = RawClient::connect(proxy.addr("web"));
    assert_eq!(tunnel.send(TUNNEL).response().status, 101);
    for round in 0..5 {
        proxy.reload_accepted(&format!("{WEB}{}", site("other.test", &round.to_string())));
        assert_eq!(proxy.get("web", "app.test", "/").status, 404);
        assert_eq!(tunnel.send("x").read(1), b"x");
    }
}

#[test]
fn a_listener_that_goes_drains_and_one_that_comes_is_bound() {
    let held = Held::new("ok");
    let with = |name: &str| {
        format!(
            "{WEB}[listeners.{name}]\naddress = \"127.0.0.1:<port:{name}>\"\n[defaults.sites]\nlisteners = [\"web\", \"{name}\"]\n\
             [sites.\"app.test\"]\nhttps = \"off\"\nto = \"http://<origin>\"\n"
        )
    };
    let mut proxy = Proxy::setup().set("origin", held.addr()).start(&with("old"));
    let mut busy = RawClient::connect(proxy.addr("old"));
    let mut idle = RawClient::connect(proxy.addr("old"));
    assert_eq!(idle.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").response().status, 200);
    busy.send(HELD);
    held.wait_for(1);
    proxy.reload_accepted(&with("new"));
    assert_eq!(proxy.get("new", "app.test", "/").text(), "ok");
    assert_eq!(proxy.get("web", "app.test", "/").text(), "ok");
    let old = proxy.addr("old");
    wait_until("the old port to be closed", || TcpStream::connect(old).is_err());
    idle.expect_closed();
    held.release();
    let last = busy.response();
    assert_eq!((last.status, last.header("connection")), (200, "close"));
    busy.expect_closed();
    // Its port is free for the next graph.
    proxy.reload_accepted(&with("old"));
    assert_eq!(proxy.get("old", "app.test", "/").text(), "ok");
}

#[test]
fn the_admin_address_moves() {
    let mut setup = Setup::new();
    let there = format!("127.0.0.1:{}", setup.port("there"));
    let proxy = setup.start(&says("ok"));
    let here = proxy.admin().to_string();
    // The kit asks at its own address only, so from here on the command does.
    let text = std::fs::read_to_string(proxy.folder().join("site.toml")).expect("the configuration");
    proxy.folder().write("site.toml", text.replace(&here, &there));
    wait_until("the new admin address", || proxy.command(&["status", "--address", &there]).code() == 0);
    wait_until("the old one to go", || proxy.command(&["status", "--address", &here]).code() == 3);
}

// === What is refused ===

/// Why a change is refused, and a word of it.
fn broken(taken: &TcpListener) -> [(String, String); 6] {
    let port = taken.local_addr().expect("an address");
    let row = |text: &str, word: &str| (format!("{}{text}", says("two")), word.to_owned());
    [
        row("[sites.\"b.test\"\n", "site.toml"),
        row("[sites.\"b.test\"]\nhttps = \"off\"\nto = \"nowhere\"\n", "nowhere"),
        row("[sites.\"b.test\"]\nhttps = \"off\"\nuse = [\"missing\"]\nrespond = {}\n", "missing"),
        row(&format!("[listeners.taken]\naddress = \"{port}\"\n"), &port.to_string()),
        row(
            "[logs]\naccess = { file = \"/nonexistent/folder/access.json\" }\n",
            "/nonexistent/folder/access.json",
        ),
        row(
            "[sites.\"b.test\"]\ncertificate = { cert = \"no.pem\", key = \"no.key\" }\nrespond = {}\n",
            "no.pem",
        ),
    ]
}

#[test]
fn what_is_refused_changes_nothing_and_is_told_everywhere() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut proxy = Proxy::start(&says("one"));
    let generation = proxy.generation();
    let admin = proxy.admin().to_string();
    for (number, (config, word)) in broken(&taken).into_iter().enumerate() {
        let why = proxy.reload_refused(&config);
        assert!(why.contains(&word), "{word:?} is not in {why}");
        assert_eq!(proxy.get("web", "app.test", "/").text(), "one");
        assert_eq!(proxy.generation(), generation);
        let status = proxy.status();
        assert_eq!(status["last_reload"]["success"], false, "{status}");
        assert!(status["last_reload"].to_string().contains(&word), "{word:?} is not in {status}");
        let metrics = proxy.metrics();
        assert!(metrics.value("config_last_reload_success", &[]) < 0.5);
        assert!(
            metrics.sum("config_reloads_total", &[("result", "refused")])
                > f64::from(u8::try_from(number).expect("few"))
        );
        let told = proxy.command(&["reload", "--address", &admin]);
        assert!(told.code() == 1 && told.stderr.contains(&word), "{told:?}");
        assert!(proxy.command(&["status", "--address", &admin]).stdout.contains(&word));
        assert!(proxy.log().contains("configuration refused"));
        assert!(proxy.log().contains(&word), "{word:?} is not in the log");
    }
    drop(taken);
    proxy.reload_accepted(&says("three"));
    assert_eq!(proxy.get("web", "app.test", "/").text(), "three");
    let metrics = proxy.metrics();
    assert!(metrics.value("config_last_reload_success", &[]) > 0.5);
    assert!(metrics.value("config_generation", &[]) > 1.5);
}

// === The ways ===

#[test]
fn every_way_takes_a_change_and_refuses_a_broken_one() {
    type Way = fn(&mut Proxy, &str) -> Reload;
    let by_command: Way = |proxy, config| {
        let before = proxy.generation();
        write(proxy, config);
        let told = proxy.command(&["reload", "--address", &proxy.admin().to_string()]);
        match told.code() {
            0 => Reload::Accepted(before + 1),
            _ => Reload::Refused(told.stderr),
        }
    };
    let rows: [(&str, Way, bool); 4] = [
        ("POST /api/reload", |proxy, config| proxy.reload(config), false),
        ("SIGHUP", |proxy, config| proxy.reload_by_signal(config), false),
        ("the command", by_command, false),
        ("the watch", |proxy, config| proxy.reload_by_watch(config), true),
    ];
    for (name, way, watch) in rows {
        let more = format!("[providers]\nfile = {{ watch = {watch}, debounce = \"20ms\" }}\n");
        let mut proxy = Proxy::start(&format!("{}{more}", says("one")));
        assert_eq!(way(&mut proxy, &format!("{}{more}", says("two"))), Reload::Accepted(2), "{name}");
        assert_eq!(proxy.get("web", "app.test", "/").text(), "two", "{name}");
        let refused = way(&mut proxy, &format!("{}broken = true\n", says("three")));
        assert!(matches!(&refused, Reload::Refused(why) if why.contains("broken")), "{name}: {refused:?}");
        assert_eq!(proxy.get("web", "app.test", "/").text(), "two", "{name}");
    }
}

/// The configuration in the place of the one that runs, ports and all.
fn write(proxy: &Proxy, config: &str) {
    let old = std::fs::read_to_string(proxy.folder().join("site.toml")).expect("the configuration");
    let (_, kit) = old.split_once("\n[admin]").expect("what the kit adds");
    let filled = config.replace("<port:web>", &proxy.addr("web").port().to_string());
    proxy.folder().write("site.toml", format!("{filled}\n[admin]{kit}"));
}

#[test]
fn files_are_watched_however_they_are_written() {
    let config = |text: &str| format!("include = [\"conf.d/*.toml\"]\n{WEB}{}", site("app.test", text));
    let proxy = Setup::new().file("conf.d/a.toml", site("a.test", "a1")).start(&config("main"));
    let folder = proxy.folder();
    let path = folder.join("conf.d/a.toml");
    let shown = |host: &str, text: &str| {
        wait_until(&format!("{host} to say {text:?}"), || proxy.get("web", host, "/").text() == text);
    };
    shown("a.test", "a1");
    // Over it, as editors do.
    folder.write("conf.d/a.toml", site("a.test", "a2"));
    shown("a.test", "a2");
    // Into it, as `echo >` does.
    std::fs::write(&path, site("a.test", "a3")).expect("a file");
    shown("a.test", "a3");
    // Another one that the pattern takes, one that it does not, and away again.
    folder.write("conf.d/b.toml", site("b.test", "b1"));
    folder.write("conf.d/c.txt", site("c.test", "c1"));
    shown("b.test", "b1");
    std::fs::remove_file(folder.join("conf.d/b.toml")).expect("a file");
    wait_until("b.test to go", || proxy.get("web", "b.test", "/").status == 404);
    assert_eq!(proxy.get("web", "c.test", "/").status, 404);
    // A broken one takes nothing away, and the other files wait for it.
    folder.write("conf.d/b.toml", "[sites.\"b.test\"]\nnonsense = 1\n");
    wait_until("the refusal", || proxy.status()["last_reload"]["success"] == false);
    folder.write("conf.d/a.toml", site("a.test", "a4"));
    proxy.command(&["reload", "--address", &proxy.admin().to_string()]);
    assert_eq!(proxy.get("web", "a.test", "/").text(), "a3");
    std::fs::remove_file(folder.join("conf.d/b.toml")).expect("a file");
    shown("a.test", "a4");
}

#[test]
fn a_folder_behind_links_is_watched_as_kubernetes_changes_it() {
    let setup = Setup::new()
        .directory()
        .file("v1/site.toml", site("k.test", "1"))
        .file("v2/site.toml", site("k.test", "2"));
    let conf = setup.folder().join("conf");
    std::fs::create_dir_all(&conf).expect("a folder");
    let link =
        |target: &str, name: &str| std::os::unix::fs::symlink(target, conf.join(name)).expect("a link");
    link("../v1", "..data");
    link("..data/site.toml", "k.toml");
    let proxy = setup.start(WEB);
    assert_eq!(proxy.get("web", "k.test", "/").text(), "1");
    link("../v2", "..data_tmp");
    std::fs::rename(conf.join("..data_tmp"), conf.join("..data")).expect("the switch");
    wait_until("the second version", || proxy.get("web", "k.test", "/").text() == "2");
}

#[test]
fn a_directory_is_read_whole_and_says_which_of_its_files_is_wrong() {
    let setup = Setup::new().directory().file("conf/a.toml", site("a.test", "a"));
    let json = r#"{"sites": {"j.test": {"https": "off", "respond": {"body": "j"}}}}"#;
    let proxy = setup.file("conf/j.json", json).file("conf/notes.txt", "nonsense").start(WEB);
    assert_eq!(proxy.get("web", "a.test", "/").text(), "a");
    assert_eq!(proxy.get("web", "j.test", "/").text(), "j");
    proxy.folder().write("conf/b.toml", site("a.test", "twice"));
    wait_until("the refusal", || proxy.status()["last_reload"]["success"] == false);
    let why = proxy.status()["last_reload"].to_string();
    assert!(why.contains("conf/a.toml") && why.contains("conf/b.toml"), "{why}");
    proxy.folder().write("conf/b.toml", site("b.test", "b"));
    wait_until("the third site", || proxy.get("web", "b.test", "/").text() == "b");
}

// === What else is read ===

#[test]
fn certificates_users_and_secrets_are_read_again_with_the_files() {
    let (one, two) = (Authority::named("One"), Authority::named("Two"));
    let identities = [one.server(&["app.test"]), two.server(&["app.test"])];
    // `amy:one` and `amy:two`, SHA-1 as htpasswd writes it.
    let users = ["amy:{SHA}/gW83NxJKAEngaXxoqd8u1OY4QY=", "amy:{SHA}rXguzax3D8brmmLkT5CHP7l/sms="];
    let config = format!(
        "{WEB}[listeners.secure]\naddress = \"127.0.0.1:<port:secure>\"\ntls = true\n\
         [sites.\"app.test\"]\nlisteners = [\"web\", \"secure\"]\nhttps = \"both\"\nuse = [\"door\"]\n\
         certificate = {{ cert = \"c.pem\", key = \"c.key\" }}\nrespond = {{ body = \"${{file:word}}\" }}\n\
         [middlewares.door]\nbasic-auth = {{ users-file = \"users\" }}\n"
    );
    let setup = Setup::new().file("users", users[0]).file("word", "first");
    let setup = setup.file("c.pem", &identities[0].certificate_pem).file("c.key", &identities[0].key_pem);
    let proxy = setup.start(&config);
    let status = |credentials: &str| {
        let mut asked = request("GET", "app.test", "/");
        asked.headers_mut().insert("authorization", format!("Basic {credentials}").parse().expect("a value"));
        let reply = Session::http1(proxy.addr("web")).send(asked);
        (reply.status, reply.text())
    };
    let trusts = |authority: &Authority| {
        let options = TlsOptions::trusting(authority);
        RawClient::try_connect_tls(proxy.addr("secure"), "app.test", &options).is_ok()
    };
    let (amy_one, amy_two) = ("YW15Om9uZQ==", "YW15OnR3bw==");
    assert_eq!(status(amy_one), (200, "first".to_owned()));
    assert!(trusts(&one) && !trusts(&two));
    proxy.folder().write("users", users[1]);
    wait_until("the new password", || status(amy_two).0 == 200);
    assert_eq!(status(amy_one).0, 401);
    proxy.folder().write("word", "second");
    wait_until("the new word", || status(amy_two).1 == "second");
    // The pair does not fit until both files are there: what is between is refused, and the old pair serves.
    proxy.folder().write("c.pem", &identities[1].certificate_pem);
    wait_until("the refusal", || proxy.status()["last_reload"]["success"] == false);
    assert!(trusts(&one));
    proxy.folder().write("c.key", &identities[1].key_pem);
    wait_until("the new certificate", || trusts(&two));
    assert!(!trusts(&one));
}

// === The way back ===

#[test]
fn a_rollback_stays_until_the_files_change() {
    let mut proxy = Proxy::start(&says("one"));
    proxy.reload_accepted(&says("two"));
    proxy.reload_accepted(&says("three"));
    let admin = proxy.admin().to_string();
    let run = |words: &[&str]| proxy.command(&[words, &["--address", &admin]].concat());
    let text = || proxy.get("web", "app.test", "/").text();
    let told = run(&["rollback"]);
    assert_eq!((told.code(), text().as_str()), (0, "two"), "{told:?}");
    let told = run(&["rollback", "1"]);
    assert_eq!((told.code(), text().as_str()), (0, "one"), "{told:?}");
    assert!(run(&["status"]).stdout.contains("rolled back"));
    let unknown = run(&["rollback", "99"]);
    assert_eq!((unknown.code(), text().as_str()), (1, "one"), "{unknown:?}");
    // The same content written again is no change.
    let path = proxy.folder().join("site.toml");
    let content = std::fs::read(&path).expect("the configuration");
    proxy.folder().write("site.toml", content);
    assert_eq!(text(), "one");
    let history = proxy.ask_admin("GET", "/api/history").json();
    assert_eq!(history[0]["configuration"], 1, "{history}");
    let told = run(&["reload"]);
    assert_eq!((told.code(), text().as_str()), (0, "three"), "{told:?}");
}

#[test]
fn signals_in_a_storm_leave_the_last_word_to_the_files() {
    let mut proxy = Proxy::start(&says("0"));
    let mut client = RawClient::connect(proxy.addr("web"));
    for round in 1..=20 {
        write(&proxy, &says(&round.to_string()));
        proxy.peer().signal(Signal::HUP);
        proxy.peer().signal(Signal::USR1);
        assert_eq!(client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").response().status, 200);
    }
    wait_until("the last text", || proxy.get("web", "app.test", "/").text() == "20");
    proxy.reload_accepted(&says("21"));
    assert_eq!(client.end_within(std::time::Duration::ZERO).0, End::Open);
    assert_eq!(proxy.stop().code(), 0);
}
