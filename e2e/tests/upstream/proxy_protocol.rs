//! The PROXY protocol with real programs on the other side: haproxy, nginx and curl, and two of ours in a row. What a
//! header may look like, byte by byte, is a table of the conformance suite.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use pn_testkit::{
    Authority, End, Folder, Nginx, Origin, Peer, Proxy, RawClient, TlsOptions, curl, find_program, free_port,
};

use crate::rig::{self, HOST};

const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 1, 2, 3));
const V1: &str = "PROXY TCP4 192.0.2.9 127.0.0.1 4711 80\r\n";

/// Asks from [`CLIENT`]; returns the body, and the client's port.
fn ask(address: SocketAddr) -> (String, u16) {
    let mut client = RawClient::connect_from(CLIENT, address);
    let port = client.local_addr().port();
    let response = client.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).response();
    assert_eq!(response.status, 200, "{response:?}");
    (response.text(), port)
}

#[test]
fn nginx_learns_the_client_from_the_header_that_is_sent() {
    let nginx = Nginx::start(
        "server { listen 127.0.0.1:<port> proxy_protocol; location / { \
         return 200 \"$proxy_protocol_addr:$proxy_protocol_port>$proxy_protocol_server_port\"; } }",
    );
    for version in ["v1", "v2"] {
        let url = format!("http://{}", nginx.addr());
        let proxy =
            rig::start(&format!("servers = [{url:?}]\ntransport = {{ proxy-protocol = {version:?} }}"));
        for _ in 0..2 {
            // A connection is one client's: the next client's request takes another.
            let (told, port) = ask(proxy.addr("web"));
            assert_eq!(told, format!("{CLIENT}:{port}>{}", proxy.addr("web").port()), "{version}");
        }
        let mut client = RawClient::connect_from(CLIENT, proxy.addr("web"));
        let port = client.local_addr().port();
        for _ in 0..2 {
            let response = client.send(format!("GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).response();
            assert!(response.text().starts_with(&format!("{CLIENT}:{port}>")), "{version}: {response:?}");
        }
    }
}

#[test]
fn a_tls_server_gets_the_header_before_the_handshake() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let identity = authority.server(&["127.0.0.1"]);
    folder.write("cert.pem", &identity.certificate_pem);
    folder.write("key.pem", &identity.key_pem);
    let nginx = Nginx::start_in(
        folder,
        "server { listen 127.0.0.1:<port> ssl proxy_protocol; ssl_certificate <dir>/cert.pem; \
         ssl_certificate_key <dir>/key.pem; location / { return 200 \"$proxy_protocol_addr\"; } }",
    );
    for version in ["v1", "v2"] {
        let proxy = rig::start(&format!(
            "servers = [\"https://{}\"]\ntransport = {{ proxy-protocol = {version:?}, roots = [{:?}] }}",
            nginx.addr(),
            authority.root().display().to_string()
        ));
        assert_eq!(ask(proxy.addr("web")).0, CLIENT.to_string(), "{version}");
    }
}

/// Listeners that trust this machine, demand a header of it, and trust somebody else.
fn receiving(origin: &Origin) -> (Authority, Proxy) {
    let authority = Authority::new();
    let identity = authority.server(&[HOST]);
    let setup = Proxy::setup()
        .set("cert", identity.certificate.display())
        .set("key", identity.key.display())
        .set("origin", origin.addr());
    let proxy = setup.start(
        r#"
        [listeners.web]
        address = "127.0.0.1:<port:web>"
        proxy-protocol = { trusted = ["127.0.0.0/8"], required = true }

        [listeners.secure]
        address = "127.0.0.1:<port:secure>"
        tls = true
        proxy-protocol = { trusted = ["127.0.0.0/8"], required = true }

        [listeners.wary]
        address = "127.0.0.1:<port:wary>"
        proxy-protocol = { trusted = ["10.0.0.0/8"], required = true }

        [listeners.wary-secure]
        address = "127.0.0.1:<port:wary-secure>"
        tls = true
        proxy-protocol = { trusted = ["10.0.0.0/8"], required = true }

        [sites."app.test"]
        listeners = ["web", "secure", "wary", "wary-secure"]
        https = "both"
        certificate = { cert = "<cert>", key = "<key>" }
        to = "http://<origin>"
        routes."/staff/*" = { use = ["staff"], to = "http://<origin>" }

        [middlewares.staff]
        ip-allow = { ranges = ["127.1.2.3", "192.0.2.9"] }
        "#,
    );
    (authority, proxy)
}

/// haproxy in front of these ports, in TCP mode; its own ports.
fn haproxy(lines: &[(&str, SocketAddr)]) -> (Peer, Folder, Vec<SocketAddr>) {
    let mut text =
        String::from("defaults\n mode tcp\n timeout connect 10s\n timeout client 20s\n timeout server 20s\n");
    let mut ports = Vec::new();
    for (number, (send, to)) in lines.iter().enumerate() {
        let port = SocketAddr::from(([127, 0, 0, 1], free_port()));
        text += &format!("listen l{number}\n bind {port}\n server s {to} {send}\n");
        ports.push(port);
    }
    let folder = Folder::new();
    let file = folder.write("haproxy.cfg", text);
    let peer =
        Peer::start("haproxy", Command::new(find_program("haproxy")).args(["-db", "-q", "-f"]).arg(file));
    ports.iter().for_each(|port| peer.wait_for_port(*port));
    (peer, folder, ports)
}

#[test]
fn haproxy_names_the_client_to_those_that_trust_it() {
    let origin = Origin::http1();
    let (authority, proxy) = receiving(&origin);
    let (web, secure) = (proxy.addr("web"), proxy.addr("secure"));
    let lines =
        [("send-proxy", web), ("send-proxy-v2", web), ("send-proxy", secure), ("send-proxy-v2", secure)];
    let (_haproxy, _folder, ports) = haproxy(&lines);
    for (port, (send, to)) in ports.iter().zip(lines) {
        let before = origin.requests().len();
        let head = format!("GET /staff/x HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        if to == web {
            let mut client = RawClient::connect_from(CLIENT, *port);
            assert_eq!(client.send(head).response().status, 200, "{send}");
            // Its client is nobody of the staff.
            let stranger = RawClient::ask(*port, format!("GET /staff/x HTTP/1.1\r\nHost: {HOST}\r\n\r\n"));
            assert_eq!(stranger.status, 403, "{send}");
        } else {
            let options = TlsOptions::trusting(&authority);
            let mut client = RawClient::connect_tls(*port, HOST, &options);
            assert_eq!(client.send(head.replace("/staff/x", "/")).response().status, 200, "{send}");
        }
        let seen = origin.last();
        assert_eq!(origin.requests().len(), before + 1);
        let expected = if to == web { CLIENT.to_string() } else { "127.0.0.1".to_owned() };
        assert_eq!(seen.header("x-forwarded-for"), expected, "{send}");
    }
}

#[test]
fn curl_names_another_client() {
    let origin = Origin::http1();
    let (authority, proxy) = receiving(&origin);
    let root = authority.root().display().to_string();
    for (scheme, listener) in [("http", "web"), ("https", "secure")] {
        for version in ["--http1.1", "--http2"] {
            let address = proxy.addr(listener);
            let resolve = format!("{HOST}:{}:127.0.0.1", address.port());
            let url = format!("{scheme}://{HOST}:{}/staff/", address.port());
            let told =
                curl(&["--haproxy-protocol", "-f", version, "--cacert", &root, "--resolve", &resolve, &url]);
            // It names itself, who is nobody of the staff.
            assert_eq!(told.code(), 22, "{scheme} {version}: {told:?}");
            let open = url.replace("/staff/", "/");
            curl(&["--haproxy-protocol", "-f", version, "--cacert", &root, "--resolve", &resolve, &open])
                .expect_success();
            assert_eq!(origin.last().header("x-forwarded-for"), "127.0.0.1");
            // Without a header nobody gets in.
            let bare = curl(&["-f", version, "--cacert", &root, "--resolve", &resolve, &open]);
            assert!(![0, 22].contains(&bare.code()), "{scheme} {version}: {bare:?}");
        }
    }
    assert_eq!(origin.requests().len(), 4);
}

#[test]
fn a_peer_that_is_not_trusted_names_nobody() {
    let origin = Origin::http1();
    let (authority, proxy) = receiving(&origin);
    let (_haproxy, _folder, ports) =
        haproxy(&[("send-proxy", proxy.addr("wary")), ("send-proxy-v2", proxy.addr("wary"))]);
    for address in [proxy.addr("wary"), ports[0], ports[1]] {
        let own = if address == proxy.addr("wary") { V1 } else { "" };
        let mut client = RawClient::connect(address);
        let (end, came) = client.send(format!("{own}GET /staff/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).end();
        let came = String::from_utf8_lossy(&came).into_owned();
        assert!(end != End::Open && (came.is_empty() || came.starts_with("HTTP/1.1 400 ")), "{end:?} {came}");
    }
    // Over TLS a header is no handshake.
    let mut client = RawClient::connect(proxy.addr("wary-secure"));
    let (end, came) = client.send(V1).end();
    assert!(end != End::Open && !String::from_utf8_lossy(&came).contains("HTTP/"), "{end:?} {came:?}");
    assert_eq!(origin.requests().len(), 0);
    // Without one it is served as who it is.
    let mut client = RawClient::connect_from(CLIENT, proxy.addr("wary"));
    assert_eq!(client.send(format!("GET /staff/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).response().status, 200);
    let mut client =
        RawClient::connect_tls(proxy.addr("wary-secure"), HOST, &TlsOptions::trusting(&authority));
    assert_eq!(client.send(format!("GET /staff/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).response().status, 403);
}

#[test]
fn two_proxies_in_a_row_keep_the_client() {
    let origin = Origin::http1();
    let (authority, inner) = receiving(&origin);
    let root = authority.root().display().to_string();
    for version in ["v1", "v2"] {
        for (scheme, listener) in [("http", "web"), ("h2c", "web"), ("https", "secure")] {
            let outer = rig::start(&format!(
                "servers = [\"{scheme}://{}\"]\ntransport = {{ proxy-protocol = {version:?}, roots = [{root:?}], \
                 server-name = \"app.test\" }}",
                inner.addr(listener)
            ));
            let mut client = RawClient::connect_from(CLIENT, outer.addr("web"));
            let response = client.send(format!("GET /staff/ HTTP/1.1\r\nHost: {HOST}\r\n\r\n")).response();
            assert_eq!(response.status, 200, "{version} {scheme}");
            assert_eq!(origin.last().header("x-forwarded-for"), CLIENT.to_string(), "{version} {scheme}");
        }
    }
}
