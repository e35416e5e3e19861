//! The end of the process: who is served to the end, who is told to go, who is cut off.

use super::world::{GET, World, listener};
use pn_testkit::h2::{
    END_HEADERS, END_STREAM, GOAWAY, HEADERS, frame, greeting, read_frame_of, request_block,
};
use pn_testkit::{RawClient, wait_until};
use std::net::TcpStream;
use std::time::Duration;

const WAIT: &str = "GET /wait HTTP/1.1\r\nhost: a.test\r\n\r\n";
const LONG: Duration = Duration::from_secs(30);

#[test]
fn requests_are_finished_and_nothing_new_is_taken() {
    let mut world = World::start(2);
    world.publish([listener("web")], []).unwrap();
    let address = world.address("web");
    let (mut busy, mut idle, mut fresh) = (world.connect("web"), world.connect("web"), world.connect("web"));
    busy.send(WAIT);
    assert_eq!(idle.send(GET).response().status, 200);
    let mut h2 = RawClient::connect(address);
    h2.send(greeting());
    h2.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, request_block("GET", "a.test", "/wait")));
    world.await_waiting(2);
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| world.drain(LONG));
        idle.expect_closed();
        fresh.expect_closed();
        assert_eq!(read_frame_of(&mut h2, GOAWAY).error_code(), Some(0));
        wait_until("the sockets to close", || TcpStream::connect(address).is_err());
        assert!(!drained.is_finished());
        world.release();
        let response = busy.response();
        assert_eq!((response.status, response.header("connection")), (200, "close"));
        assert_eq!(read_frame_of(&mut h2, HEADERS).stream, 1);
        drop(h2);
        assert_eq!(drained.join().unwrap(), 0);
    });
}

#[test]
fn whoever_takes_too_long_is_cut_off() {
    let mut world = World::start(2);
    let (mut short, long) = (listener("short"), listener("long"));
    short.timeouts.drain = Duration::from_millis(50);
    world.publish([short, long], []).unwrap();
    let mut clients = [world.connect("short"), world.connect("long")];
    clients.iter_mut().for_each(|client| {
        client.send(WAIT);
    });
    world.await_waiting(2);
    std::thread::scope(|scope| {
        let drained = scope.spawn(|| world.drain(LONG));
        let [short, long] = &mut clients;
        short.expect_closed();
        assert!(long.try_response(Duration::from_millis(200)).is_none());
        world.release();
        assert_eq!(long.response().status, 200);
        assert_eq!(drained.join().unwrap(), 1);
    });
}

#[test]
fn a_drain_can_be_shortened() {
    let world = World::serving([listener("web")]);
    let mut client = world.connect("web");
    client.send(WAIT);
    world.await_waiting(1);
    assert_eq!(world.drain(Duration::from_millis(50)), 1);
    client.expect_closed();
    assert_eq!(world.drain(Duration::ZERO), 0, "a second drain has nothing to do");
}

#[test]
fn a_plane_that_is_dropped_closes_everything() {
    let world = World::serving([listener("web")]);
    let address = world.address("web");
    let mut client = world.connect("web");
    assert_eq!(client.send(GET).response().status, 200);
    drop(world);
    client.expect_closed();
    assert!(TcpStream::connect(address).is_err());
}
