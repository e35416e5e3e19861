//! Client certificates made by openssl and shown by curl: each mode, and who of those that are verified comes in.

use std::process::Command;
use std::time::Duration;

use pn_testkit::{Authority, Folder, Peer, Proxy, curl, find_program};

const CONFIG: &str = r#"
[listeners.secure]
address = "127.0.0.1:<port:secure>"
tls = true

[defaults.sites]
listeners = ["secure"]

[tls-policies.people]
min-version = "1.2"
<auth>

[sites."app.test"]
certificate = { cert = "<cert>", key = "<key>" }
tls-policy = "people"
respond = { body = "in" }
"#;

/// Two authorities of openssl, and people certified by each.
struct People {
    folder: Folder,
    servers: Authority,
}

impl People {
    fn new() -> Self {
        let people = Self { folder: Folder::new(), servers: Authority::new() };
        for ca in ["staff", "strangers"] {
            people.openssl(&[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "30",
                "-subj",
                &format!("/O=Corp/CN={ca}"),
                "-keyout",
                &format!("{ca}.key"),
                "-out",
                &format!("{ca}.pem"),
            ]);
        }
        people.certify(
            "staff",
            "alice",
            "/O=Corp/CN=alice",
            "URI:spiffe://corp.example/ns/prod/alice,email:alice@corp.example",
        );
        people.certify("staff", "bob", "/O=Corp/CN=bob", "DNS:bob.clients.corp,IP:10.0.0.7");
        people.certify("strangers", "mallory", "/O=Corp/CN=alice", "URI:spiffe://corp.example/ns/prod/alice");
        people
    }

    fn certify(&self, ca: &str, name: &str, subject: &str, sans: &str) {
        let (key, request, out) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        self.openssl(&[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            subject,
            "-addext",
            &format!("subjectAltName={sans}"),
            "-addext",
            "extendedKeyUsage=clientAuth",
            "-keyout",
            &key,
            "-out",
            &request,
        ]);
        self.openssl(&[
            "x509",
            "-req",
            "-days",
            "30",
            "-in",
            &request,
            "-CA",
            &format!("{ca}.pem"),
            "-CAkey",
            &format!("{ca}.key"),
            "-copy_extensions",
            "copy",
            "-out",
            &out,
        ]);
    }

    fn openssl(&self, arguments: &[&str]) {
        let mut command = Command::new(find_program("openssl"));
        command.args(arguments).current_dir(self.folder.path());
        Peer::run("openssl", &command, Duration::from_secs(60)).expect_success();
    }

    fn config(&self, auth: &str) -> String {
        let roots = self.folder.join("staff.pem").display().to_string();
        CONFIG.replace("<auth>", &auth.replace("<staff>", &roots))
    }

    fn start(&self, auth: &str) -> Proxy {
        let server = self.servers.server(&["app.test"]);
        let setup = Proxy::setup().set("cert", server.certificate.display()).set("key", server.key.display());
        setup.start(&self.config(auth))
    }

    /// Whether somebody with this certificate is let in, by TLS 1.2 and 1.3 alike.
    #[track_caller]
    fn is_let_in(&self, proxy: &Proxy, name: Option<&str>) -> bool {
        let came = ["1.2", "1.3"].map(|version| self.visit(proxy, name, version));
        assert_eq!(came[0], came[1], "{name:?}");
        came[0]
    }

    fn visit(&self, proxy: &Proxy, name: Option<&str>, version: &str) -> bool {
        let port = proxy.addr("secure").port();
        let (root, resolve) =
            (self.servers.root().display().to_string(), format!("app.test:{port}:127.0.0.1"));
        let (only, url) = (format!("--tlsv{version}"), format!("https://app.test:{port}/"));
        let files = name.map(|name| {
            [format!("{name}.pem"), format!("{name}.key")]
                .map(|file| self.folder.join(&file).display().to_string())
        });
        let mut arguments =
            vec!["--cacert", &root, "--resolve", &resolve, &only, "--tls-max", version, "--http1.1"];
        if let Some([cert, key]) = &files {
            arguments.extend(["--cert", cert, "--key", key]);
        }
        arguments.push(&url);
        let came = curl(&arguments);
        assert_eq!(came.status.success(), came.stdout == "in", "{came:?}");
        came.status.success()
    }
}

const VERIFIED: &str = "client-auth = { roots = [\"<staff>\"] }";

#[test]
fn each_mode_lets_in_whom_it_says() {
    let people = People::new();
    let mut proxy = people.start(VERIFIED);
    for (mode, expected) in [
        // Nobody, alice, and who says that she is alice.
        ("", [true, true, true]),
        ("client-auth = { mode = \"request\" }", [true, true, true]),
        ("client-auth = { mode = \"require-any\" }", [false, true, true]),
        ("client-auth = { mode = \"verify-if-given\", roots = [\"<staff>\"] }", [true, true, false]),
        (VERIFIED, [false, true, false]),
    ] {
        proxy.reload_accepted(&people.config(mode));
        let came = [None, Some("alice"), Some("mallory")].map(|name| people.is_let_in(&proxy, name));
        assert_eq!(came, expected, "{mode}");
    }
}

#[test]
fn subjects_and_names_say_who_of_the_verified_comes_in() {
    let people = People::new();
    let mut proxy = people.start(VERIFIED);
    for (only, alice, bob) in [
        ("subjects = [\"CN=alice,O=Corp\"]", true, false),
        ("subjects = [\"O=Corp,CN=alice\"]", false, false),
        ("subjects = [\"CN=alice\"]", false, false),
        ("sans = [\"spiffe://corp.example/ns/prod/*\"]", true, false),
        ("sans = [\"spiffe://corp.example/ns/prod/al\"]", false, false),
        ("sans = [\"alice@corp.example\"]", true, false),
        ("sans = [\"*.clients.corp\"]", false, true),
        ("sans = [\"10.0.0.7\"]", false, true),
        ("subjects = [\"CN=alice,O=Corp\"], sans = [\"bob.clients.corp\"]", true, true),
        ("sans = [\"carol.clients.corp\"]", false, false),
    ] {
        let auth = format!("client-auth = {{ roots = [\"<staff>\"], {only} }}");
        proxy.reload_accepted(&people.config(&auth));
        let came = ["alice", "bob", "mallory"].map(|name| people.is_let_in(&proxy, Some(name)));
        assert_eq!(came, [alice, bob, false], "{only}");
    }
    let unverified = people.config("client-auth = { mode = \"require-any\", sans = [\"bob.clients.corp\"] }");
    let why = proxy.reload_refused(&unverified);
    assert!(why.contains("nobody verifies"), "{why}");
}
