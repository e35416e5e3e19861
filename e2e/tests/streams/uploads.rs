//! An origin that takes an upload slowly: what the proxy takes meanwhile is bounded.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pn_testkit::{PATIENCE, Peer, RawOrigin, Wire, find_program, wait_for};

use crate::front;

/// More than every buffer on the way holds, of four sockets and the proxy.
const UPLOAD: u64 = 96 << 20;
/// How much a proxy that buffers nothing may grow by.
const GROWTH_KIB: u64 = 16 << 10;

/// Bytes that a process has read so far, from whatever.
fn bytes_read(peer: &Peer) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{}/io", peer.pid())).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap_or("0");
    line.trim().parse().expect("a number")
}

/// Waits until the client has been slowed to a halt, and returns how far it came.
#[track_caller]
fn halted(client: &Peer) -> u64 {
    const STILL: Duration = Duration::from_millis(500);
    let (mut before, mut since) = (0, Instant::now());
    wait_for("the upload to halt", || {
        assert!(client.is_running(), "{client:?}");
        let now = bytes_read(client);
        if now != before {
            (before, since) = (now, Instant::now());
        }
        (now > 1 << 20 && since.elapsed() > STILL).then_some(now)
    })
}

/// Takes an upload only once it is told to, and counts it.
fn slow_taker(length: u64) -> (RawOrigin, Arc<AtomicBool>) {
    let taking = Arc::new(AtomicBool::new(false));
    let gate = Arc::clone(&taking);
    let origin = RawOrigin::start(move |wire: &mut Wire| {
        wire.read_head()?;
        while !gate.load(Ordering::SeqCst) {
            wire.pause(Duration::from_millis(5));
        }
        let mut left = length;
        while left > 0 {
            let step = left.min(1 << 20);
            wire.read(usize::try_from(step).expect("a MiB at most"))?;
            left -= step;
        }
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ntaken")
    });
    (origin, taking)
}

#[test]
fn an_upload_that_the_origin_does_not_take_is_not_gathered() {
    for (listener, arguments) in
        [("web", &["--http1.1"][..]), ("web", &["--http2-prior-knowledge"]), ("secure", &["--http2"])]
    {
        let (origin, taking) = slow_taker(UPLOAD);
        let (front, proxy) = front("up.test", &format!("to = \"http://{}\"", origin.addr()));
        let file = proxy.folder().write("large", []);
        let large = std::fs::File::create(&file).expect("a file");
        large.set_len(UPLOAD).expect("a length");
        let before = proxy.peer().resident_kib();
        let mut command = Command::new(find_program("curl"));
        command.args(["-q", "-sS", "--max-time", "60", "-H", "Expect:", "-T"]).arg(&file).args(arguments);
        let client = Peer::start("curl", command.args(front.curl(&proxy, listener, "up.test", "/")));
        origin.wait_for("\r\n\r\n");
        let taken = halted(&client);
        let grown = proxy.peer().resident_kib().saturating_sub(before);
        assert!(taken < UPLOAD, "{arguments:?}: all {taken} bytes were taken");
        assert!(grown < GROWTH_KIB, "{arguments:?}: the proxy grew by {grown} KiB");
        taking.store(true, Ordering::SeqCst);
        let done = client.finish(PATIENCE * 2);
        assert_eq!((done.code(), done.stdout.as_str()), (0, "taken"), "{arguments:?}: {done:?}");
    }
}
