//! What the system has to do with it: its store of roots, htpasswd, systemd's sockets, the shell.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use pn_testkit::{
    Finished, Folder, PATIENCE, Peer, Proxy, RawClient, Session, Setup, find_program, free_port, request,
    wait_until,
};

use crate::WEB;

fn shell(script: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(find_program("bash"));
    command.args(["-c", script, "bash"]).args(arguments);
    for name in ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"] {
        command.env_remove(name);
    }
    Peer::run("bash", &command, PATIENCE * 2)
}

// === The store of roots ===

/// Copies of the folders that the system's tool writes to, mounted over them for this process and its children alone.
const STORE: &str = r#"
set -e
place=$1 binary=$2 state=$3 url=$4
mkdir -p $place/anchors $place/store
cp -a /etc/ssl/certs/. $place/store/
mount --bind $place/anchors /usr/local/share/ca-certificates
mount --bind $place/store /etc/ssl/certs
ask() { curl -q -sS -o /dev/null -w "%{http_code}\n" --noproxy '*' --max-time 20 "$url" 2>/dev/null || echo "curl $?"; }
echo "before: $(ask)"
$binary trust --dry-run --state-dir $state >/dev/null
echo "dry run: $(ask)"
$binary trust --state-dir $state
echo "trusted: $(ask)"
$binary trust --state-dir $state >/dev/null
echo "again: $(ask)"
$binary trust --uninstall --state-dir $state
echo "after: $(ask)"
ls $place/anchors | wc -l
"#;

#[test]
fn plain_curl_trusts_a_site_once_the_root_is_installed_and_no_more_once_it_is_not() {
    if !shell("unshare -rm true && test -x /usr/sbin/update-ca-certificates", &[]).status.success() {
        // Not Debian, or nobody may have a name space of his own here: there is no store to try it on.
        return;
    }
    let config = "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n[listeners.websecure]\naddress = \"127.0.0.1:<port:secure>\"\n\
                  [sites.\"app.localhost\"]\nrespond = { body = \"ok\" }\n";
    let proxy = Proxy::start(config);
    let place = Folder::new();
    let state = proxy.folder().join("state").display().to_string();
    let url = format!("https://app.localhost:{}/", proxy.addr("secure").port());
    let binary = Setup::binary_path().display().to_string();
    let script = format!("exec unshare -rm bash -c '{}' bash \"$@\"", STORE.replace('\'', "'\\''"));
    let told = shell(&script, &[&place.path().display().to_string(), &binary, &state, &url]);
    let out = told.clone().expect_success();
    let lines = ["before: curl 60", "dry run: curl 60", "trusted: 200", "again: 200", "after: curl 60"];
    let (mut rest, all) = (out.as_str(), &out);
    for line in lines {
        let found = rest.split_once(&format!("{}\n", line.replace("curl", "000\ncurl")));
        let found = found.or_else(|| rest.split_once(&format!("{line}\n")));
        rest = found.unwrap_or_else(|| panic!("no {line:?} in {all}")).1;
    }
    assert_eq!(rest.trim(), "0", "nothing is left: {all}");
}

// === Passwords ===

#[test]
fn what_hash_password_prints_opens_the_door() {
    let setup = Setup::new();
    let hash = |arguments: &[&str], password: &str| {
        let script = "printf '%s\\n' \"$1\" | \"$2\" hash-password --cost 4 \"${@:3}\"";
        let binary = Setup::binary_path().display().to_string();
        let told = shell(script, &[&[password, &binary], arguments].concat());
        told.expect_success().trim().to_owned()
    };
    let (entry, other) = (hash(&["--user", "amy"], "correct horse: ü"), hash(&[], "second"));
    let config = format!(
        "{WEB}[sites.\"app.test\"]\nhttps = \"off\"\nuse = [\"door\"]\nto = \"@whoami\"\n\
         [middlewares.door]\nbasic-auth = {{ users = ['bob:{other}'], users-file = \"users\", header-field = \"X-User\", remove-header = true }}\n"
    );
    let proxy = setup.file("users", format!("# people\n{entry}\n")).start(&config);
    // By `base64`.
    let rows = [
        ("YW15OmNvcnJlY3QgaG9yc2U6IMO8", 200),
        ("Ym9iOnNlY29uZA==", 200),
        ("YW15OnNlY29uZA==", 401),
        ("Ym9iOmNvcnJlY3QgaG9yc2U6IMO8", 401),
        ("YW15Og==", 401),
    ];
    for (credentials, status) in rows {
        let mut asked = request("GET", "app.test", "/");
        asked.headers_mut().insert("authorization", format!("Basic {credentials}").parse().expect("a value"));
        let reply = Session::http1(proxy.addr("web")).send(asked);
        assert_eq!(reply.status, status, "{credentials}: {reply:?}");
        let text = reply.text().to_lowercase();
        assert_eq!(text.contains("x-user: "), status == 200, "{text}");
        assert!(!text.contains("authorization"), "{text}");
    }
}

// === systemd ===

#[test]
fn clients_wait_in_a_socket_of_systemd_until_somebody_serves_it() {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let config = "[listeners.web]\naddress = \"fd:web\"\n[sites.\"app.test\"]\nhttps = \"off\"\nrespond = { body = \"ok\" }\n";
    // `systemd-socket-activate` holds the socket as a socket unit does, and starts the proxy with its first client.
    let client = std::thread::spawn(move || {
        wait_until("the socket", || TcpListener::bind(address).is_err());
        let mut first = RawClient::connect(address);
        first.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").response().text()
    });
    let place = address.to_string();
    let mut proxy =
        Setup::new().started_by("systemd-socket-activate", &["-l", &place, "--fdname=web"]).start(config);
    assert_eq!(client.join().unwrap_or_default(), "ok", "the client that came first");
    for _ in 0..3 {
        assert_eq!(Session::http1(address).get("app.test", "/").text(), "ok");
    }
    // The socket stays over reloads of whatever else.
    proxy.reload_accepted(&config.replace("\"ok\"", "\"still\""));
    assert_eq!(Session::http1(address).get("app.test", "/").text(), "still");
    let why = proxy.reload_refused(&config.replace("fd:web", "fd:other"));
    assert!(why.contains("other") && why.contains("web"), "{why}");
    assert_eq!(proxy.stop().code(), 0);
}

// === The shell ===

#[test]
fn completions_are_what_bash_can_read() {
    let folder = Folder::new();
    let binary = Setup::binary_path().display().to_string();
    let path = folder.join("completions").display().to_string();
    let script = r#"
        "$1" completions bash > "$2" && bash -n "$2" && source "$2" && complete -p proxy-now || exit 1
        COMP_WORDS=(proxy-now hash) COMP_CWORD=1 COMPREPLY=()
        "$(complete -p proxy-now | sed 's/.*-F \([^ ]*\).*/\1/')" proxy-now hash proxy-now && echo "${COMPREPLY[@]}"
    "#;
    let out = shell(script, &[&binary, &path]).expect_success();
    assert!(out.lines().any(|line| line == "hash-password"), "{out}");
    for name in ["zsh", "fish", "elvish", "powershell"] {
        let told = Setup::new().ask(&["completions", name]).expect_success();
        assert!(told.contains("hash-password"), "{name}: {told}");
    }
}
