//! The end of the process, as the clients of the real binary see it: who is served to the end, who is told to go, who is
//! cut off, and what the exit code says.

use std::net::TcpStream;
use std::time::Duration;

use pn_testkit::h2::{
    END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, frame, greeting, read_frame, read_frame_of,
    request_block,
};
use pn_testkit::{End, Origin, Proxy, RawClient, Signal, TlsOptions, wait_until};
use proxy_now_e2e::{Front, Held, LISTENERS};

const SITE: &str = "\n[sites.\"app.test\"]\nto = \"http://<origin>\"\n";
const HELD: &str = "GET /held HTTP/1.1\r\nHost: app.test\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
const TUNNEL: &str = "GET /tunnel HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

fn start(held: &Held, listeners: &str) -> (Front, Proxy) {
    let front = Front::new();
    let setup = front.setup(&["app.test"]).set("origin", held.addr());
    let proxy = setup.start(&format!("{listeners}{SITE}"));
    (front, proxy)
}

/// Every connection on both listeners: what waits for its answer, and what waits for a request.
struct Clients {
    busy: Vec<RawClient>,
    idle: Vec<RawClient>,
    busy_h2: Vec<RawClient>,
    idle_h2: Vec<RawClient>,
}

impl Clients {
    fn connect(front: &Front, proxy: &Proxy, held: &Held) -> Self {
        let plain = |_: &TlsOptions| RawClient::connect(proxy.addr("web"));
        let secure = |options: &TlsOptions| RawClient::connect_tls(proxy.addr("secure"), "app.test", options);
        let both = |alpn: &str| {
            let options = front.tls(&[alpn]);
            vec![plain(&options), secure(&options)]
        };
        let mut clients =
            Self { busy: both("http/1.1"), idle: both("http/1.1"), busy_h2: both("h2"), idle_h2: both("h2") };
        for idle in &mut clients.idle {
            assert_eq!(idle.send(GET).response().status, 200);
        }
        for h2 in &mut clients.idle_h2 {
            ask_h2(h2, "/");
            assert_eq!(read_frame_of(h2, HEADERS).stream, 1);
        }
        for busy in &mut clients.busy {
            busy.send(HELD);
        }
        for h2 in &mut clients.busy_h2 {
            ask_h2(h2, "/held");
        }
        held.wait_for(4);
        clients
    }
}

fn ask_h2(client: &mut RawClient, path: &str) {
    client.send(greeting());
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, request_block("GET", "app.test", path)));
}

#[test]
fn what_runs_is_finished_and_everybody_else_is_told_to_go() {
    for signal in [Signal::TERM, Signal::INT] {
        let held = Held::new("ok");
        let (front, proxy) = start(&held, LISTENERS);
        let mut clients = Clients::connect(&front, &proxy, &held);
        proxy.peer().signal(signal);
        clients.idle.iter_mut().for_each(RawClient::expect_closed);
        for h2 in clients.idle_h2.iter_mut().chain(&mut clients.busy_h2) {
            assert_eq!(read_frame_of(h2, GOAWAY).error_code(), Some(0), "{signal:?}");
        }
        for listener in ["web", "secure"] {
            let address = proxy.addr(listener);
            wait_until("new connections to be refused", || TcpStream::connect(address).is_err());
        }
        assert_eq!(proxy.ask_admin("GET", "/ping").status, 503);
        assert_eq!(proxy.status()["draining"], true);
        assert!(proxy.peer().is_running());
        held.release();
        for busy in &mut clients.busy {
            let response = busy.response();
            assert_eq!((response.status, response.header("connection")), (200, "close"));
            busy.expect_closed();
        }
        for h2 in &mut clients.busy_h2 {
            assert_eq!(read_frame_of(h2, HEADERS).stream, 1);
        }
        assert_eq!(proxy.ended().code(), 0, "{signal:?}");
    }
}

#[test]
fn bodies_under_way_are_finished_in_both_directions() {
    let origin = Origin::http1();
    let config = format!("{LISTENERS}{SITE}");
    let front = Front::new();
    let proxy = front.setup(&["app.test"]).set("origin", origin.addr()).start(&config);
    let mut upload = RawClient::connect(proxy.addr("web"));
    upload.send("POST /up HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhello");
    let mut events = RawClient::connect(proxy.addr("web"));
    events.send("GET /sse/100 HTTP/1.1\r\nHost: app.test\r\n\r\n").read_until("event 0");
    proxy.peer().signal(Signal::TERM);
    proxy.peer().wait_for_log("no new connections");
    events.read_until("event 99");
    let answer = upload.send("world").response();
    assert_eq!((answer.status, answer.json()["body_length"].as_u64()), (200, Some(10)));
    assert_eq!(proxy.ended().code(), 0);
}

#[test]
fn tunnels_and_slow_requests_are_cut_at_the_limit_of_their_listener() {
    let held = Held::new("ok");
    let timeouts = "tls = true\ntimeouts = { drain = \"1s\" }";
    let listeners = LISTENERS.replace("tls = true", timeouts).replacen(
        "<port:web>\"",
        "<port:web>\"\ntimeouts = { drain = \"1s\" }",
        1,
    );
    let (front, proxy) = start(&held, &listeners);
    let options = front.tls(&["http/1.1"]);
    let secure = || RawClient::connect_tls(proxy.addr("secure"), "app.test", &options);
    let mut tunnels = [RawClient::connect(proxy.addr("web")), secure()];
    for tunnel in &mut tunnels {
        assert_eq!(tunnel.send(TUNNEL).response().status, 101);
    }
    let mut slow = RawClient::connect(proxy.addr("web"));
    slow.send(HELD);
    let mut slow_h2 = RawClient::connect(proxy.addr("web"));
    ask_h2(&mut slow_h2, "/held");
    held.wait_for(2);
    proxy.peer().signal(Signal::TERM);
    proxy.peer().wait_for_log("no new connections");
    for tunnel in &mut tunnels {
        assert_eq!(tunnel.send("x").read(1), b"x", "a tunnel works until then");
    }
    for tunnel in &mut tunnels {
        assert_ne!(tunnel.end().0, End::Open);
    }
    slow.expect_closed();
    wait_until("the h2 connection to end", || slow_h2.end_within(Duration::from_millis(100)).0 != End::Open);
    let ended = proxy.ended();
    assert_eq!(ended.code(), 0, "{ended:?}");
    assert!(ended.stderr.contains("\"cut\":4"), "{}", ended.stderr);
}

#[test]
fn a_second_signal_ends_at_once_and_says_so_by_the_exit_code() {
    for (first, second) in
        [(Signal::TERM, Signal::TERM), (Signal::TERM, Signal::INT), (Signal::INT, Signal::TERM)]
    {
        let held = Held::new("ok");
        let (_front, proxy) = start(&held, LISTENERS);
        let mut busy = RawClient::connect(proxy.addr("web"));
        busy.send(HELD);
        held.wait_for(1);
        proxy.peer().signal(first);
        proxy.peer().wait_for_log("no new connections");
        assert!(busy.try_response(Duration::from_millis(100)).is_none());
        proxy.peer().signal(second);
        assert_eq!(proxy.ended().code(), 1, "{first:?}, {second:?}");
        assert_ne!(busy.end().0, End::Open);
    }
}

#[test]
fn new_streams_of_a_draining_connection_are_refused_in_a_way_that_is_safe_to_repeat() {
    let held = Held::new("ok");
    let (_front, proxy) = start(&held, LISTENERS);
    let mut h2 = RawClient::connect(proxy.addr("web"));
    ask_h2(&mut h2, "/held");
    held.wait_for(1);
    proxy.peer().signal(Signal::TERM);
    let mut last = frame_until_goaway(&mut h2);
    // The first GOAWAY may name the highest stream there is; the one that counts names what was taken.
    if last > 1 {
        last = frame_until_goaway(&mut h2);
    }
    assert_eq!(last, 1, "the stream that was taken is the last one");
    h2.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, request_block("GET", "app.test", "/")));
    held.release();
    loop {
        let frame = read_frame(&mut h2);
        assert!(frame.stream != 3 || frame.kind == RST_STREAM, "{frame:?}");
        if frame.stream == 1 && frame.flags & END_STREAM != 0 {
            break;
        }
    }
    assert_eq!(proxy.ended().code(), 0);
}

/// The last stream that the next GOAWAY names; pings are answered on the way.
fn frame_until_goaway(client: &mut RawClient) -> u32 {
    use pn_testkit::h2::{ACK, PING};
    loop {
        let came = read_frame(client);
        if came.kind == PING && came.flags & ACK == 0 {
            client.send(frame(PING, ACK, 0, came.payload));
        } else if came.kind == GOAWAY {
            return u32::from_be_bytes([
                came.payload[0] & 0x7f,
                came.payload[1],
                came.payload[2],
                came.payload[3],
            ]);
        }
    }
}
