//! Changes of listeners: what is refused, what stays open, what closes.

use super::world::{GET, World, listener, site};
use crate::PlaneOptions;
use pn_model::Listener;
use pn_model::listener::BindAddress;
use pn_testkit::{Authority, RawClient, TlsOptions, free_port, wait_until};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

fn at(name: &str, address: SocketAddr) -> Listener {
    Listener { addresses: vec![BindAddress::Tcp(address)], ..listener(name) }
}

/// An address at which nobody listens, and of which this process has no trace.
fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

fn refused(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}

#[test]
fn a_port_that_is_taken_refuses_the_change() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (other, address) = (free(), taken.local_addr().unwrap());
    let mut world = World::start(2);
    world.publish([listener("web")], []).unwrap();
    let errors = world.publish([listener("web"), at("a", other), at("b", address)], []).unwrap_err();
    let [error] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!(error.at.to_string(), "listeners.b.address");
    assert!(error.message.contains(&address.to_string()), "{error}");
    let help = error.help.as_deref().unwrap();
    assert!(help.contains(&format!("(process {})", std::process::id())), "{help}");
    // All of it is undone, and what ran goes on.
    assert!(refused(other));
    assert_eq!(world.ask("web").status, 200);
}

#[test]
fn a_listener_moves_between_a_wildcard_and_an_address() {
    let port = free().port();
    let [loopback, wide, widest] =
        ["127.0.0.1", "0.0.0.0", "::"].map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
    let mut world = World::start(2);
    for address in [wide, loopback, widest, loopback, wide, widest, wide] {
        world.publish([at("web", address)], []).unwrap();
        assert_eq!(RawClient::ask(loopback, GET).status, 200, "{address}");
    }
    // Both at once, each with its listener.
    world.publish([at("wide", wide), at("web", loopback)], []).unwrap();
    wait_until("the narrower one to be asked", || {
        RawClient::ask(loopback, GET).text().contains("listener=web\n")
    });
}

#[test]
fn a_port_shared_by_another_process_refuses_the_move() {
    // Whoever asks for sharing is let in by the kernel, when it is the same user.
    let script = "import socket,sys\ns=socket.socket()\ns.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEPORT,1)\n\
                  s.bind(('127.0.0.1',int(sys.argv[1])))\ns.listen()\nprint('ready',flush=True)\nsys.stdin.read()";
    let port = free().port();
    let [near, wide] = ["127.0.0.2", "0.0.0.0"].map(|ip| SocketAddr::new(ip.parse().unwrap(), port));
    let mut world = World::start(1);
    world.publish([at("web", near)], []).unwrap();
    let mut other = std::process::Command::new("python3")
        .args(["-c", script, &port.to_string()])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(other.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    let errors = world.publish([at("web", wide)], []).unwrap_err();
    drop(other.stdin.take());
    other.wait().unwrap();
    let help = errors[0].help.as_deref().unwrap();
    assert!(help.contains(&format!("(process {})", other.id())), "{help}");
    world.publish([at("web", wide)], []).unwrap();
}

#[test]
fn a_prepared_change_that_is_dropped_leaves_nothing_open() {
    let address = free();
    let mut world = World::start(2);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let errors = world.publish([at("a", address), at("b", other.local_addr().unwrap())], []);
    assert!(errors.is_err());
    assert!(TcpListener::bind(address).is_ok());
}

#[test]
fn a_socket_stays_while_its_address_does() {
    let address = free();
    let mut world = World::start(2);
    world.publish([at("web", address)], []).unwrap();
    let mut client = RawClient::connect(address);
    assert_eq!(client.send(GET).response().status, 200);
    // Another limit, then another name: no connection is refused, and the old one goes on.
    for changed in [at("web", address), at("web", address), at("other", address)] {
        let name = changed.name.as_str().to_owned();
        let mut changed = changed;
        changed.limits.requests_per_connection += 10;
        world.publish([changed], []).unwrap();
        for _ in 0..10 {
            assert_eq!(RawClient::ask(address, GET).status, 200);
        }
        wait_until("the name to change", || {
            RawClient::ask(address, GET).text().contains(&format!("listener={name}\n"))
        });
        if name == "web" {
            assert_eq!(client.send(GET).response().status, 200);
        }
    }
    client.expect_closed();
}

#[test]
fn connections_that_wait_in_the_queue_of_a_removed_listener_are_served() {
    let address = free();
    let mut world = World::start(2);
    world.publish([at("web", address), listener("other")], []).unwrap();
    for _ in 0..3 {
        let mut clients: Vec<_> = (0..40).map(|_| RawClient::connect(address)).collect();
        world.publish([listener("other")], []).unwrap();
        // Whoever was let in is answered.
        for client in &mut clients {
            let (end, bytes) = client.send(GET).end();
            assert!(bytes.starts_with(b"HTTP/1.1 200"), "{end:?} {:?}", String::from_utf8_lossy(&bytes));
            assert_eq!(end, pn_testkit::End::Closed);
        }
        wait_until("the socket to close", || refused(address));
        world.publish([at("web", address), listener("other")], []).unwrap();
        assert_eq!(RawClient::ask(address, GET).status, 200);
    }
}

#[test]
fn requests_of_a_removed_listener_are_finished() {
    let mut world = World::start(1);
    world.publish([listener("web"), listener("other")], []).unwrap();
    let mut busy = world.connect("web");
    busy.send("GET /wait HTTP/1.1\r\nhost: a.test\r\n\r\n");
    let mut idle = world.connect("web");
    assert_eq!(idle.send(GET).response().status, 200);
    world.await_waiting(1);
    world.publish([listener("other")], []).unwrap();
    idle.expect_closed();
    world.release();
    let response = busy.response();
    assert_eq!((response.status, response.header("connection")), (200, "close"));
    busy.expect_closed();
}

#[test]
fn a_removed_listener_waits_only_so_long() {
    let mut world = World::start(1);
    let mut own = listener("web");
    own.timeouts.drain = Duration::from_millis(100);
    world.publish([own], []).unwrap();
    let mut busy = world.connect("web");
    busy.send("GET /wait HTTP/1.1\r\nhost: a.test\r\n\r\n");
    world.await_waiting(1);
    world.publish([], []).unwrap();
    busy.expect_closed();
}

#[test]
fn switching_tls_on_ends_plain_connections() {
    let authority = Authority::new();
    let address = free();
    let mut world = World::start(1);
    world.publish([at("web", address)], []).unwrap();
    let mut client = RawClient::connect(address);
    assert_eq!(client.send(GET).response().status, 200);
    let identity = authority.server(&["a.test"]);
    world
        .publish([Listener { tls: true, ..at("web", address) }], [site("a.test", &["web"], &identity)])
        .unwrap();
    client.expect_closed();
    let options = TlsOptions::trusting(&authority).alpn(&["http/1.1"]);
    let mut client = RawClient::connect_tls(address, "a.test", &options);
    assert_eq!(client.send(GET).response().status, 200);
}

#[test]
fn a_broken_certificate_refuses_the_change() {
    let authority = Authority::new();
    let mut world = World::start(1);
    let identity = authority.server(&["a.test"]);
    std::fs::write(&identity.key, "nonsense").unwrap();
    let own = Listener { tls: true, ..listener("web") };
    let errors = world.publish([own], [site("a.test", &["web"], &identity)]).unwrap_err();
    assert!(errors[0].at.to_string().starts_with("sites.\"a.test\".certificate"), "{errors:?}");
}

#[test]
fn sockets_are_taken_over_by_name() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let sockets = vec![("web".to_owned(), socket.into())];
    let mut world = World::start_with(PlaneOptions { workers: 2, sockets, ..PlaneOptions::default() });
    let fd = |name: &str| Listener { addresses: vec![BindAddress::Fd(name.to_owned())], ..listener("web") };
    let errors = world.publish([fd("wbe")], []).unwrap_err();
    assert!(errors[0].help.as_deref().unwrap().contains("web"), "{errors:?}");
    // Taken, let go, and taken again: the service manager's socket stays.
    for _ in 0..3 {
        world.publish([fd("web")], []).unwrap();
        assert_eq!(RawClient::ask(address, GET).status, 200);
        world.publish([listener("other")], []).unwrap();
    }
}

#[test]
fn a_unix_socket_in_use_or_a_file_refuses_the_change() {
    let folder = pn_testkit::Folder::new();
    let unix = |path| Listener { addresses: vec![BindAddress::Unix(path)], ..listener("web") };
    let [used, stale, file] = ["used.sock", "stale.sock", "data"].map(|name| folder.path().join(name));
    let _used = std::os::unix::net::UnixListener::bind(&used).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    std::fs::write(&file, "precious").unwrap();
    let mut world = World::start(1);
    assert!(world.publish([unix(used)], []).is_err());
    assert!(world.publish([unix(file.clone())], []).is_err());
    assert_eq!(std::fs::read_to_string(file).unwrap(), "precious");
    world.publish([unix(stale.clone())], []).unwrap();
    assert!(std::os::unix::net::UnixStream::connect(stale).is_ok());
}
