//! The running binary from its start to its end: what it serves, what it takes over, and what it says of itself.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails here fails the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A process that is ended with the test.
struct Running {
    child: Child,
    log: Receiver<String>,
    seen: Vec<String>,
    web: SocketAddr,
    admin: SocketAddr,
    config: PathBuf,
    /// What `--state-dir` says.
    state: Option<PathBuf>,
    _dir: tempfile::TempDir,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Running {
    fn start(body: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::spawn(dir, body, [free(), free(), free()], &[]).ready()
    }

    fn spawn(
        dir: tempfile::TempDir,
        body: &str,
        [web, secure, admin]: [SocketAddr; 3],
        more: &[&str],
    ) -> Self {
        let state = Some(dir.path().join("state"));
        Self::keeping(dir, body, [web, secure, admin], state, more)
    }

    fn keeping(
        dir: tempfile::TempDir,
        body: &str,
        [web, secure, admin]: [SocketAddr; 3],
        state: Option<PathBuf>,
        more: &[&str],
    ) -> Self {
        let config = dir.path().join("proxy-now.toml");
        std::fs::write(&config, text(body, [web, secure, admin])).unwrap();
        let (child, log) = launch(&config, state.as_deref(), more);
        Self { child, log, seen: Vec::new(), web, admin, config, state, _dir: dir }
    }

    fn ready(mut self) -> Self {
        self.logged("ready:");
        self
    }

    /// Waits for a line of the log that holds `text`.
    fn logged(&mut self, text: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = self.log.recv_timeout(left) else { panic!("no {text:?} in {:#?}", self.seen) };
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    fn write(&self, body: &str, secure: SocketAddr) {
        std::fs::write(&self.config, text(body, [self.web, secure, self.admin])).unwrap();
    }

    fn get(&self, host: &str, path: &str) -> String {
        ask(self.web, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    }

    fn answers(&self, text: &str) {
        let answer = self.get("app.localhost", "/");
        assert!(answer.ends_with(text), "not {text:?} but {answer:?} after {:#?}", self.seen);
    }

    fn admin(&self, method: &str, path: &str) -> String {
        ask(self.admin, &format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
    }

    fn signal(&self, name: &str) {
        kill(&self.child, name);
    }

    /// Ends it, and starts another in its place.
    fn again(mut self, more: &[&str]) -> Self {
        self.signal("TERM");
        assert_eq!(self.ends(), 0);
        (self.child, self.log) = launch(&self.config, self.state.as_deref(), more);
        self
    }

    fn ends(&mut self) -> i32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(Instant::now() < until, "it does not end: {:#?}", self.seen);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        drop(self.child.wait());
    }
}

fn kill(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
}

fn launch(config: &Path, state: Option<&Path>, more: &[&str]) -> (Child, Receiver<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_proxy-now"))
        .arg("run")
        .arg(config)
        .args(state.map(|state| format!("--state-dir={}", state.display())))
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, log) = channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
    (child, log)
}

fn text(body: &str, [web, secure, admin]: [SocketAddr; 3]) -> String {
    format!(
        "[listeners.web]\naddress = \"{web}\"\n[listeners.websecure]\naddress = \"{secure}\"\n[admin]\naddress = \"{admin}\"\n[runtime]\nworkers = 2\n{body}"
    )
}

fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], pn_testkit::free_port()))
}

fn ask(to: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A site over plain HTTP that answers this.
fn says(text: &str) -> String {
    format!(
        "[sites.\"app.localhost\"]\nhttps = \"off\"\nto = \"a\"\n[services.a]\nrespond = {{ status = 200, body = \"{text}\" }}\n"
    )
}

#[test]
fn from_start_to_end() {
    let mut running = Running::start(&says("one"));
    running.answers("one");
    assert!(running.admin("GET", "/ping").contains("200 OK"));
    assert!(running.admin("GET", "/metrics").contains("\nconfig_generation 1\n"));
    assert!(running.admin("GET", "/api/status").contains("\"generation\": 1"));
    assert!(running.admin("GET", "/api/listeners").contains(&running.web.to_string()));

    running.write(&says("two"), free());
    running.logged("configuration accepted");
    running.answers("two");

    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    for (broken, why) in [
        (format!("{}\nbroken", says("three")), "broken"),
        (says("three").replace("\"a\"\n[services.a]", "\"b\"\n[services.a]"), "there is no service `b`"),
    ] {
        running.write(&broken, free());
        running.logged("configuration refused");
        assert!(
            running.admin("GET", "/api/status").contains(why),
            "{why}: {}",
            running.admin("GET", "/api/status")
        );
    }
    running.write(&says("three"), taken.local_addr().unwrap());
    running.logged("configuration refused");
    running.answers("two"); // what is refused changes nothing
    assert!(running.admin("GET", "/metrics").contains("\nconfig_last_reload_success 0\n"));

    running.write(&says("three"), free());
    running.logged("configuration accepted");
    running.answers("three");
    assert!(running.admin("POST", "/api/rollback").contains("\"committed\""));
    running.logged("back to generation 2");
    running.answers("two");
    running.signal("HUP");
    running.logged("configuration accepted");
    running.answers("three"); // SIGHUP reads the files
    running.signal("USR1");
    running.logged("opened again");
    running.signal("TERM");
    assert_eq!(running.ends(), 0);
}

#[test]
fn a_second_process_on_the_same_state_is_refused() {
    let running = Running::start(&says("one"));
    let second = Command::new(env!("CARGO_BIN_EXE_proxy-now"))
        .arg("run")
        .arg(&running.config)
        .arg("--state-dir")
        .arg(running.config.with_file_name("state"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("in use by another proxy-now"), "{said}");
}

#[test]
fn last_good_starts_on_broken_files_and_ends_with_their_mending() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = [free(), free(), free()];
    let first = Running::spawn(dir, &says("good"), addresses, &[]).ready();
    std::fs::write(&first.config, "broken").unwrap();
    let mut running = first.again(&["--last-good"]);
    running.logged("ready:");
    running.answers("good");
    assert!(running.admin("GET", "/metrics").contains("\nconfig_last_reload_success 0\n"));
    std::fs::write(&running.config, text(&says("mended"), addresses)).unwrap();
    running.logged("configuration accepted");
    running.answers("mended");
}

#[test]
fn last_good_is_looked_for_where_the_refused_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let addresses = [free(), free(), free()];
    let body = |said: &str| format!("state-dir = \"own\"\n{}", says(said));
    let first = Running::keeping(dir, &body("good"), addresses, None, &[]).ready();
    let broken = text(&body("bad"), addresses).replace("workers = 2", "workers = 3\nworker = 3");
    std::fs::write(&first.config, &broken).unwrap();
    let mut running = first.again(&["--last-good"]);
    running.logged("ready:");
    running.answers("good");
    let status = running.admin("GET", "/api/status");
    assert!(status.contains("\"workers\":2,") || status.contains("\"workers\": 2,"), "{status}");

    // What another configuration left there is not taken.
    let other = running.config.with_file_name("other.toml");
    std::fs::write(&other, broken).unwrap();
    running.signal("TERM");
    assert_eq!(running.ends(), 0);
    (running.child, running.log) = launch(&other, None, &["--last-good"]);
    let why = running.logged("nothing to fall back to");
    assert!(why.contains("own/last-good.json") && why.contains("of another configuration"), "{why}");
    assert!(running.logged("configuration refused").contains("other.toml:"));
    assert_eq!(running.ends(), 1);
}

/// What an editor that empties a file before it writes it does, or a full disk.
#[test]
fn a_configuration_that_became_empty_takes_nothing_down() {
    let mut running = Running::start(&says("one"));
    std::fs::write(&running.config, "").unwrap();
    assert!(running.logged("configuration refused").contains("nothing would be served"));
    running.answers("one");
    assert!(running.admin("GET", "/metrics").contains("\nconfig_last_reload_success 0\n"));
}

#[test]
fn what_is_wrong_with_a_configuration_is_said_before_what_is_wrong_with_its_state_directory() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("proxy-now.toml");
    std::fs::write(&config, "[sites.\"app.localhost\"]\nto = \"nowhere\"\n").unwrap();
    for more in [&["--state-dir=/proc/none"][..], &["--state-dir=/proc/none", "--last-good"]] {
        let ran = Command::new(env!("CARGO_BIN_EXE_proxy-now")).arg("run").arg(&config).args(more).output();
        let said = String::from_utf8_lossy(&ran.unwrap().stderr).into_owned();
        assert!(said.contains("proxy-now.toml:2:6") && !said.contains("/proc/none` cannot"), "{said}");
    }
}

#[test]
fn a_state_directory_that_cannot_be_used_is_said_at_its_place_and_a_secret_in_it_is_covered() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("proxy-now.toml");
    let body = format!("state-dir = \"/proc/${{env:PLACE}}\"\n{}", says("x"));
    std::fs::write(&config, text(&body, [free(), free(), free()])).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_proxy-now"));
    let ran = command.arg("run").arg(&config).env("PLACE", "marked-place").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("proxy-now.toml:9:13") && said.contains("/proc/***"), "{said}");
    assert!(!said.contains("marked-place"), "{said}");
}

#[test]
fn systemd_is_told_and_hands_over_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("proxy-now.toml");
    let admin = free();
    let body = format!(
        "[listeners.web]\naddress = \"fd:web\"\n[listeners.websecure]\naddress = \"{}\"\n[admin]\naddress = \"{admin}\"\n{}",
        free(),
        says("handed over")
    );
    std::fs::write(&config, body).unwrap();
    let notices = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    notices.set_read_timeout(Some(PATIENCE)).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let web = listener.local_addr().unwrap();
    // The socket comes as standard input and is put where systemd puts it; the number of the process is known there.
    let mut child = Command::new("sh")
        .args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec \"$@\" 3<&0 </dev/null", "sh"])
        .arg(env!("CARGO_BIN_EXE_proxy-now"))
        .arg("run")
        .arg(&config)
        .arg("--state-dir")
        .arg(dir.path().join("state"))
        .env("NOTIFY_SOCKET", dir.path().join("notify"))
        .env("WATCHDOG_USEC", "200000")
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    told(&notices, "READY=1");
    assert!(
        ask(web, "GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n")
            .ends_with("handed over")
    );
    told(&notices, "WATCHDOG=1");
    kill(&child, "HUP");
    assert!(told(&notices, "RELOADING=1").contains("MONOTONIC_USEC="));
    told(&notices, "READY=1");
    kill(&child, "TERM");
    told(&notices, "STOPPING=1");
    assert!(child.wait().unwrap().success());
}

/// Waits for a notice that holds `text`.
fn told(notices: &UnixDatagram, text: &str) -> String {
    let until = Instant::now() + PATIENCE;
    let mut buffer = [0; 4096];
    while Instant::now() < until {
        let length = notices.recv(&mut buffer).unwrap();
        let notice = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if notice.contains(text) {
            return notice;
        }
    }
    panic!("systemd was not told {text}")
}

#[test]
fn what_cannot_run_here_ends_the_start_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let addresses = [taken.local_addr().unwrap(), free(), free()];
    let mut running = Running::spawn(dir, &says("one"), addresses, &[]);
    let line = running.logged("configuration refused");
    assert!(line.contains("proxy-now.toml:2:11") && line.contains(&addresses[0].to_string()), "{line}");
    assert_eq!(running.ends(), 1);
}

/// A marked secret in every place that takes one, through a start, a refused change and every page.
#[test]
fn a_secret_is_shown_nowhere() {
    const SECRET: &str = "marked-hunter2";
    const HASH: &str = "TdVrmc0q3markedhunter21vaQSiWdW";
    let dir = tempfile::tempdir().unwrap();
    let [token, hash] = ["token", "hash"].map(|name| dir.path().join(name).display().to_string());
    std::fs::write(&token, SECRET).unwrap();
    std::fs::write(&hash, format!("amy:$2y$05$abcdefghijklmnopqrstuu{HASH}")).unwrap();
    let body = format!(
        "[logs]\nlevel = \"trace\"\n[sites.\"app.localhost\"]\nhttps = \"off\"\nto = \"a\"\nuse = [\"mark\", \"gate\"]\n\
         [middlewares.mark.headers]\nrequest.set.Authorization = \"Bearer ${{file:{token}}}\"\nresponse.set.X-A = \"${{file:{token}}}\"\n\
         [middlewares.gate]\nbasic-auth.users = [\"${{file:{hash}}}\"]\n\
         [services.a]\nrespond = {{ body = \"${{file:{token}}}\", headers = {{ X-B = \"${{file:{token}}}\" }} }}\n"
    );
    let mut running = Running::spawn(dir, &body, [free(), free(), free()], &[]).ready();
    assert!(running.get("app.localhost", "/").starts_with("HTTP/1.1 401"));
    let broken = format!(
        "{body}[services.b]\nservers = [\"${{file:{token}}}\"]\nhost-header = \"a ${{file:{token}}}\"\n"
    );
    running.write(&broken, free());
    running.logged("configuration refused");
    let mut shown = running.seen.join("\n");
    for page in ["status", "config", "history", "graph", "services", "routes", "sites", "certificates"] {
        shown += &running.admin("GET", &format!("/api/{page}"));
    }
    shown += &running.admin("GET", "/metrics");
    let good = running.config.with_file_name("good.toml");
    std::fs::write(&good, text(&body, [free(), free(), free()])).unwrap();
    let (good, bad) = (good.display().to_string(), running.config.display().to_string());
    for command in [
        &["check", &good][..],
        &["check", "--format", "json", &bad],
        &["explain", &good, "middlewares.mark"],
        &["explain", &good, "middlewares.gate"],
        &["explain", &good, "services.a"],
        &["diff", &good, &bad],
        &["status", "--address", &running.admin.to_string()],
    ] {
        let ran = Command::new(env!("CARGO_BIN_EXE_proxy-now")).args(command).output().unwrap();
        shown += &String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat());
    }
    assert!(shown.contains("***") && shown.contains("this value is refused"), "{shown}");
    let lines: Vec<_> = shown.lines().filter(|line| line.contains(SECRET) || line.contains(HASH)).collect();
    assert!(lines.is_empty(), "{lines:#?}");
    let kept =
        std::fs::read_to_string(running.config.with_file_name("state").join("last-good.json")).unwrap();
    assert!(kept.contains("${file:") && !kept.contains(SECRET) && !kept.contains(HASH), "{kept}");
}

/// An expired certificate, which reading finds, and a client authentication without effect, which only building TLS does.
#[test]
fn doubts_about_tls_reach_the_log_the_status_and_the_metrics() {
    let dir = tempfile::tempdir().unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut old = rcgen::CertificateParams::new(vec!["old.example".to_owned()]).unwrap();
    (old.not_before, old.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(2021, 1, 1));
    let [cert, key_file] = ["old.pem", "old.key"].map(|name| dir.path().join(name));
    std::fs::write(&cert, old.self_signed(&key).unwrap().pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let body = format!(
        "[sites.\"old.example\"]\nto = \"@ping\"\ntls-policy = \"ask\"\ncertificate = {{ cert = {cert:?}, key = {key_file:?} }}\n\
         [tls-policies.ask.client-auth]\nmode = \"request\"\nroots = [{cert:?}]\n"
    );
    let mut running = Running::spawn(dir, &body, [free(), free(), free()], &[]);
    let expired = running.logged("the certificate expired");
    assert!(expired.contains("WARN") && expired.contains("proxy-now.toml:12:24"), "{expired}");
    running.logged("this mode verifies nothing");
    let running = running.ready();
    let status = running.admin("GET", "/api/status");
    assert_eq!(status.matches("\"message\": \"the certificate expired").count(), 1, "said once: {status}");
    assert!(status.contains("\"message\": \"this mode verifies nothing"), "{status}");
    let metrics = running.admin("GET", "/metrics");
    let own = |line: &&str| line.starts_with("traefik_tls_certs_not_after{cn=\"old.example\",serial=\"");
    let line = metrics.lines().find(own).unwrap();
    assert!(line.ends_with("sans=\"old.example\"} 1609459200"), "{line}");
}

#[test]
fn built_in_services_show_the_process() {
    let body = "[sites.\"app.localhost\"]\nhttps = \"off\"\nto = \"@ping\"\nroutes.\"/api/*\" = { to = \"@api\" }\nroutes.\"/metrics\" = { to = \"@metrics\" }\n";
    let running = Running::start(body);
    for (path, holds) in [
        ("/", "OK"),
        ("/api/status", "\"generation\": 1"),
        ("/api/nothing", "404"),
        ("/api/reload", "404"),
        ("/metrics", "config_generation 1"),
        ("/metrics", "traefik_entrypoint_requests_total{"),
    ] {
        let answer = running.get("app.localhost", path);
        assert!(answer.contains(holds), "{path}: {answer}");
    }
    let post = ask(
        running.web,
        "POST /api/status HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    );
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
}
