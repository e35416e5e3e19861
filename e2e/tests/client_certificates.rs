//! A site that demands client certificates lets nobody in without one: not by another site's connection, not by a route
//! of its own, not over plain HTTP, and not by what was opened before a reload switched the demand on.

use pn_testkit::{
    Authority, End, Origin, PATIENCE, Proxy, RawClient, Session, TlsOptions, request, wait_until,
};

const LISTENERS: &str = concat!(
    proxy_now_e2e::listeners!(),
    r#"
[sites."open.test"]
https = "both"
certificate = { cert = "<cert>", key = "<key>" }
respond = { body = "open" }

[sites."app.test"]
hosts = ["alias.test"]
certificate = { cert = "<cert>", key = "<key>" }
to = "http://<origin>"
"#
);
/// Stands right behind the site's own keys.
const DEMAND: &str = "tls-policy = \"staff\"\n";
const POLICY: &str = "\n[tls-policies.staff]\nclient-auth = { roots = [\"<root>\"] }\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

struct World {
    servers: Authority,
    staff: Authority,
    origin: Origin,
    proxy: Proxy,
}

impl World {
    fn start(config: &str) -> Self {
        let (servers, staff, origin) = (Authority::new(), Authority::named("Staff"), Origin::http1());
        let identity = servers.server(&["app.test", "alias.test", "open.test"]);
        let setup = Proxy::setup()
            .set("origin", origin.addr())
            .set("cert", identity.certificate.display())
            .set("key", identity.key.display())
            .set("root", staff.root().display())
            .set("revoked", staff.revoking(&[]).display());
        let proxy = setup.start(config);
        Self { servers, staff, origin, proxy }
    }

    fn options(&self) -> TlsOptions {
        TlsOptions::trusting(&self.servers)
    }

    fn connect(&self, name: &str, options: &TlsOptions) -> RawClient {
        RawClient::connect_tls(self.proxy.addr("secure"), name, options)
    }

    /// Whether a request on a new connection is answered.
    fn is_open_to(&self, options: &TlsOptions) -> bool {
        let tried = RawClient::try_connect_tls(self.proxy.addr("secure"), "app.test", options);
        let answer = tried.ok().and_then(|mut client| client.send(GET).try_response(PATIENCE));
        answer.is_some_and(|response| response.status == 200)
    }

    /// Nobody gets in with these options, at whichever point that shows (in TLS 1.3 after the handshake).
    #[track_caller]
    fn shut_to(&self, options: &TlsOptions) {
        let before = self.origin.requests().len();
        if let Ok(mut client) = RawClient::try_connect_tls(self.proxy.addr("secure"), "app.test", options) {
            let (end, came) = client.send(GET).end();
            assert_ne!(end, End::Open);
            assert!(!String::from_utf8_lossy(&came).contains("HTTP/1.1 200"), "{came:?}");
        }
        assert_eq!(self.origin.requests().len(), before, "{:?}", self.origin);
    }

    #[track_caller]
    fn open_to(&self, options: &TlsOptions) {
        assert_eq!(self.connect("app.test", options).send(GET).response().status, 200);
    }
}

fn demanding() -> String {
    format!("{LISTENERS}{DEMAND}{POLICY}")
}

#[test]
fn every_way_into_the_site_demands_a_certificate() {
    let rule =
        "\n[routes.side]\nrule = 'Host(`app.test`) && PathPrefix(`/side`)'\nto = \"http://<origin>\"\n";
    let world = World::start(&format!("{}{rule}", demanding()));
    let stranger = Authority::named("Strangers").client("mallory");
    for version in [TlsOptions::only_tls12, TlsOptions::only_tls13] {
        world.shut_to(&version(world.options()));
        world.shut_to(&version(world.options().identity(&stranger)));
        world.open_to(&version(world.options().identity(&world.staff.client("alice"))));
    }
    let asked = world.origin.requests().len();
    // On a connection that another site opened.
    for host in ["app.test", "APP.test.", "alias.test"] {
        let mut client = world.connect("open.test", &world.options());
        for path in ["/", "/side"] {
            let response = client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")).response();
            assert_eq!(response.status, 421, "{host} {path}");
            client.expect_closed();
            client = world.connect("open.test", &world.options());
        }
    }
    // Without TLS, whatever a client claims of it.
    let claims = "X-Forwarded-Proto: https\r\nX-Forwarded-Tls-Client-Cert: staff\r\n";
    let ask = format!("GET /side HTTP/1.1\r\nHost: app.test\r\n{claims}\r\n");
    assert_eq!(RawClient::ask(world.proxy.addr("web"), ask).status, 301);
    assert_eq!(world.origin.requests().len(), asked, "{:?}", world.origin);
}

#[test]
fn one_host_cannot_have_two_policies() {
    let other = "\n[sites.\"other.test\"]\nhosts = [\"app.test\"]\ncertificate = { cert = \"<cert>\", key = \"<key>\" }\nrespond = {}\n";
    let mut world = World::start(&demanding());
    let why = world.proxy.reload_refused(&format!("{}{other}", demanding()));
    assert!(why.contains("app.test"), "{why}");
    world.shut_to(&world.options());
}

#[test]
fn a_policy_switched_on_by_a_reload_holds_for_connections_opened_before() {
    let mut world = World::start(&format!("{LISTENERS}{POLICY}"));
    let h2 = world.options().alpn(&["h2"]);
    let mut old_h1 = world.connect("app.test", &world.options());
    let mut other_h1 = world.connect("open.test", &world.options());
    let mut old_h2 = Session::tls(world.proxy.addr("secure"), "app.test", &h2);
    assert_eq!(old_h1.send(GET).response().status, 200);
    assert_eq!(old_h2.get("app.test", "/").status, 200);
    let asked = world.origin.requests().len();

    world.proxy.reload_accepted(&demanding());

    assert_eq!(old_h1.send(GET).response().status, 421);
    old_h1.expect_closed();
    assert_eq!(old_h2.send(request("GET", "app.test", "/")).status, 421);
    wait_until("the old connection of HTTP/2 to close", || old_h2.is_closed());
    world.shut_to(&world.options());
    assert_eq!(world.origin.requests().len(), asked, "{:?}", world.origin);

    // Sites whose policy is what it was keep their connections.
    let kept = other_h1.send("GET / HTTP/1.1\r\nHost: open.test\r\n\r\n").response();
    assert_eq!((kept.status, kept.text().as_str()), (200, "open"));
    world.open_to(&world.options().identity(&world.staff.client("alice")));
}

#[test]
fn a_ticket_of_before_the_reload_lets_nobody_in() {
    for version in [TlsOptions::only_tls12, TlsOptions::only_tls13] {
        let mut world = World::start(&format!("{LISTENERS}{POLICY}"));
        let options = version(world.options()).resuming();
        // The second connection shows that the ticket of the first is taken.
        for expected in ["Some(Full)", "Some(Resumed)"] {
            let mut client = world.connect("app.test", &options);
            assert_eq!(client.send(GET).response().status, 200);
            assert_eq!(kind(&client), expected);
        }
        world.proxy.reload_accepted(&demanding());
        world.shut_to(&options);
        // Nor does one of another site.
        let mut client = world.connect("open.test", &options);
        assert_eq!(client.send(GET).response().status, 421);
    }
}

/// The list is watched as the configuration is. Neither a ticket nor a connection of before lets her in.
#[test]
fn who_is_revoked_by_a_list_that_is_rewritten_is_let_in_no_more() {
    let revoking = POLICY.replace("[\"<root>\"]", "[\"<root>\"], crls = [\"<revoked>\"]");
    for version in [TlsOptions::only_tls12, TlsOptions::only_tls13] {
        let world = World::start(&format!("{LISTENERS}{DEMAND}{revoking}"));
        let [alice, bob] = ["alice", "bob"].map(|name| world.staff.client(name));
        let as_alice = version(world.options().identity(&alice));
        let resuming = as_alice.clone().resuming();
        let mut other = world.connect("open.test", &version(world.options()));
        let mut old = world.connect("app.test", &resuming);
        assert_eq!(old.send(GET).response().status, 200);
        let mut again = world.connect("app.test", &resuming);
        assert_eq!((again.send(GET).response().status, kind(&again).as_str()), (200, "Some(Resumed)"));

        world.staff.revoking(&[&alice]);
        wait_until("her to be revoked", || !world.is_open_to(&as_alice));

        world.shut_to(&as_alice);
        world.shut_to(&resuming);
        let asked = world.origin.requests().len();
        assert_eq!(old.send(GET).response().status, 421);
        assert_eq!(world.origin.requests().len(), asked, "{:?}", world.origin);
        let kept = other.send("GET / HTTP/1.1\r\nHost: open.test\r\n\r\n").response();
        assert_eq!((kept.status, kept.text().as_str()), (200, "open"));
        world.open_to(&version(world.options().identity(&bob)));

        // A list that is none leaves that in force which was.
        let list = world.staff.revoking(&[&alice]);
        std::fs::write(&list, "nothing of the kind").expect("written");
        let refused = || world.proxy.metrics().value("config_reloads_total", &[("result", "refused")]) > 0.0;
        wait_until("the list to be refused", refused);
        world.shut_to(&as_alice);
        world.open_to(&version(world.options().identity(&bob)));
    }
}

fn kind(client: &RawClient) -> String {
    format!("{:?}", client.tls().and_then(|tls| tls.handshake_kind()))
}

/// By the certificate that was verified, whatever the client says of itself.
#[test]
fn the_service_is_told_who_the_client_is() {
    let who = "use = [\"who\"]\n";
    let pass = "\n[middlewares.who]\npass-client-cert = { info = true }\n";
    let world = World::start(&format!("{LISTENERS}{DEMAND}{who}{POLICY}{pass}"));
    let alice = world.staff.client("alice");
    let claims =
        "Client-Cert: :claimed:\r\nClient_Cert: :claimed:\r\nX-Forwarded-Tls-Client-Cert: claimed\r\n";
    let asked = format!("GET / HTTP/1.1\r\nHost: app.test\r\n{claims}\r\n");
    let mut client = world.connect("app.test", &world.options().identity(&alice));
    assert_eq!(client.send(asked).response().status, 200);
    let request = world.origin.last();
    let pem = alice.certificate_pem.lines().take_while(|line| !line.starts_with("-----END"));
    let der: String = pem.skip(1).collect();
    assert_eq!(request.header("client-cert"), format!(":{der}:"));
    assert!(request.header("x-forwarded-tls-client-cert-info").contains("alice"));
    assert_eq!(request.headers.iter().filter(|(_, value)| value.contains("claimed")).count(), 0);
}
