//! What the reactor promises beyond the contract: it sends without waiting, and slow peers do not keep what everybody
//! reads into.

use std::task::{Context, Waker};

use bytes::Bytes;

use super::suite::{receive, receive_until};
use super::{Backend, FILLER, Random, Tcp, Unix, eventually, fill_up, on_sockets, tcp_pair};
use crate::pool::{Pool, PoolConfig, Size};
use crate::reactor::Reactor;
use crate::stream::{DataStream, EventActions};

/// The reactor has seen nothing of a socket that was attached just now, nor will it in this test.
#[test]
fn a_small_message_goes_out_at_once() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _inside = runtime.enter();
    let events = Reactor::new(Pool::new(PoolConfig::default()));
    let (a, b) = tcp_pair();
    let (mut a, b) = (events.attach(a).unwrap(), events.attach(b).unwrap());
    a.queue_send(b"hello, ".as_slice().into()).unwrap();
    a.queue_send(b"world".as_slice().into()).unwrap();
    assert!(a.poll_flush(&mut Context::from_waker(Waker::noop())).is_ready());
    let mut peeked = [std::mem::MaybeUninit::uninit(); 64];
    assert_eq!(socket2::SockRef::from(b.socket()).peek(&mut peeked).unwrap(), 12);
}

#[test]
fn a_slow_peer_holds_no_more_than_it_must() {
    on_sockets(Unix, async |backend, random| slow_peer(backend, random).await);
}

async fn slow_peer(backend: &Unix, mut random: Random) {
    let config = PoolConfig { large_slabs: 4, ..PoolConfig::default() };
    let pool = Pool::new(config);
    let events = backend.start(pool.clone());
    // length of each slow stream's message, large slabs that all of them together may keep
    for (length, kept) in [(config.small_bytes - FILLER, 0), (config.large_bytes - FILLER, 2)] {
        let mut pairs: Vec<_> = (0..4).map(|_| backend.pair(&events)).collect();
        let mut messages = Vec::new();
        for (a, _) in &mut pairs {
            fill_up(a).await;
            let mut buf = pool.take(Size::Large).unwrap();
            let message = random.bytes(length);
            assert_eq!(buf.extend(&message), length);
            messages.push(message);
            a.queue_send(buf.into()).unwrap();
            let mut cx = Context::from_waker(Waker::noop());
            assert!(a.poll_flush(&mut cx).is_pending());
        }
        assert_eq!(pool.in_use(Size::Large), kept);
        for ((a, b), message) in pairs.iter_mut().zip(&messages) {
            let (flushed, ()) = tokio::join!(a.flush(), receive_until(b, message));
            flushed.unwrap();
        }
        eventually(|| pool.in_use(Size::Large) + pool.in_use(Size::Small) == 0).await;
    }
}

#[cfg(target_os = "linux")]
#[test]
fn pipes_are_kept_when_empty_and_closed_when_not() {
    on_sockets(Tcp, async |backend, mut random| {
        let events = backend.start(Pool::new(PoolConfig::default()));
        let ((mut back, mut server), (mut front, mut client)) =
            (backend.pair(&events), backend.pair(&events));
        let body = Bytes::from(random.bytes(1 << 20));
        let moved = std::cell::Cell::new(0);
        server.queue_send(body.clone().into()).unwrap();
        let (sent, forwarded, received) = tokio::join!(
            server.flush(),
            events.forward(&mut back, &mut front, body.len() as u64, &moved),
            receive(&mut client, body.len()),
        );
        sent.unwrap();
        forwarded.unwrap();
        assert!(received == body);
        assert_eq!(events.pipes_made(), 1);
        // Nobody reads: bytes stay in the pipe, and the pipe goes with them.
        let endless = async {
            loop {
                server.queue_send(body.clone().into()).unwrap();
                server.flush().await.unwrap();
            }
        };
        let stuck = async {
            let mut before = u64::MAX;
            while before != moved.get() {
                before = moved.get();
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            biased;
            result = events.forward(&mut back, &mut front, u64::MAX, &moved) => panic!("{result:?}"),
            () = endless => {}
            () = stuck => {}
        }
        assert_eq!(events.pipes_made(), 0);
    });
}
