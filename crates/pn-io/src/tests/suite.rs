//! What every backend promises: bytes arrive in order and once, buffers have one owner and come back, waiting holds
//! none, and a pool that is exhausted recovers.

use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::party::Party;
use super::{Backend, Random, TIGHT, eventually, fill_up, in_use, on_every_backend, roomy};
use crate::pool::{Pool, PoolBytes, PoolConfig, Size};
use crate::queue::{HIGH_WATER, QUEUE_CHUNKS};
use crate::stream::DataStream;

on_every_backend!(
    bytes_arrive_in_order_and_once,
    the_end_stays_the_end,
    a_full_queue_gives_the_chunk_back,
    an_idle_stream_holds_no_buffer,
    dropped_streams_give_all_buffers_back,
    an_exhausted_pool_recovers,
    slow_peers_leave_others_memory_to_read_into,
    what_was_left_over_goes_in_front,
    a_chunk_is_held_until_it_is_sent,
    idle_connections_are_reusable_until_something_comes,
    a_peer_that_is_gone_is_an_error_and_no_buffer_is_lost,
);

const MESSAGE: usize = if cfg!(miri) { 1_000 } else { 40_000 };

async fn bytes_arrive_in_order_and_once<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let (mut a, mut b) = backend.pair(&events);
    let (mut c, mut d) = backend.pair(&events);
    let peers = Pool::new(roomy());
    let messages = [(); 4].map(|()| {
        let length = random.below(MESSAGE);
        random.bytes(length)
    });
    let mut randoms = || Random::new(random.next());
    let (to_a, to_b, to_c, to_d) = tokio::join!(
        Party::new(&mut a, &pool, &messages[0], randoms()).run(),
        Party::new(&mut b, &peers, &messages[1], randoms()).run(),
        Party::new(&mut c, &pool, &messages[2], randoms()).run(),
        Party::new(&mut d, &peers, &messages[3], randoms()).run(),
    );
    assert!([to_b, to_a, to_d, to_c] == messages);
    eventually(|| in_use(&pool) == 0).await;
}

async fn the_end_stays_the_end<B: Backend>(backend: &B, _: Random) {
    let events = backend.start(Pool::new(TIGHT));
    let (mut a, mut b) = backend.pair(&events);
    a.queue_send(b"last".as_slice().into()).unwrap();
    a.shutdown().await.unwrap();
    a.shutdown().await.unwrap();
    assert_eq!(receive(&mut b, 4).await, b"last");
    for _ in 0..3 {
        assert!(b.recv(100).await.unwrap().is_none());
    }
    b.queue_send(b"answer".as_slice().into()).unwrap();
    b.flush().await.unwrap();
    assert_eq!(receive(&mut a, 6).await, b"answer");
}

async fn a_full_queue_gives_the_chunk_back<B: Backend>(backend: &B, mut random: Random) {
    if cfg!(miri) {
        return; // the bound is too many bytes for it
    }
    let events = backend.start(Pool::new(TIGHT));
    let (mut a, mut b) = backend.pair(&events);
    let large = Bytes::from(random.bytes(HIGH_WATER + 1));
    a.queue_send(large.clone().into()).unwrap();
    assert_eq!(a.queued(), large.len());
    let back = a.queue_send(b"x".as_slice().into()).unwrap_err();
    assert_eq!(&*back, b"x");
    let (flushed, received) = tokio::join!(a.flush(), receive(&mut b, large.len()));
    flushed.unwrap();
    assert!(received == large);
    for _ in 0..QUEUE_CHUNKS {
        a.queue_send(b"x".as_slice().into()).unwrap();
    }
    a.queue_send(Bytes::new().into()).unwrap();
    a.queue_send(back).unwrap_err();
    a.flush().await.unwrap();
    assert_eq!(receive(&mut b, QUEUE_CHUNKS).await, vec![b'x'; QUEUE_CHUNKS]);
}

async fn an_idle_stream_holds_no_buffer<B: Backend>(backend: &B, _: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let mut pairs: Vec<_> = (0..20).map(|_| backend.pair(&events)).collect();
    for (b, a) in &mut pairs {
        a.queue_send(b"hello".as_slice().into()).unwrap();
        a.flush().await.unwrap();
        assert_eq!(receive(b, 5).await, b"hello");
    }
    for (b, _) in &mut pairs {
        assert!(b.poll_recv(&mut Context::from_waker(Waker::noop()), 100).is_pending());
    }
    tokio::task::yield_now().await;
    assert_eq!(in_use(&pool), 0);
}

async fn dropped_streams_give_all_buffers_back<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    for _ in 0..10 {
        let (mut a, mut b) = backend.pair(&events);
        for _ in 0..random.below(5) {
            let Some(mut buf) = pool.take(Size::Small) else { break };
            let length = random.below(1_000);
            buf.extend(&random.bytes(length));
            drop(a.queue_send(buf.into()));
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..random.below(3) {
                drop((a.poll_flush(&mut cx), b.poll_recv(&mut cx, 100)));
                tokio::task::yield_now().await;
            }
        }
    }
    eventually(|| in_use(&pool) == 0).await;
}

/// Waiting streams go on when a buffer comes back, from this thread or another.
async fn an_exhausted_pool_recovers<B: Backend>(backend: &B, _: Random) {
    let pool = Pool::new(PoolConfig { large_slabs: 1, ..TIGHT });
    let events = backend.start(pool.clone());
    let mut pairs: Vec<_> = (0..4).map(|_| backend.pair(&events)).collect();
    for elsewhere in [false, true] {
        let only = pool.take(Size::Large).unwrap();
        for (_, a) in &mut pairs {
            a.queue_send(b"hello".as_slice().into()).unwrap();
            a.flush().await.unwrap();
        }
        for (b, _) in &mut pairs {
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..20 {
                assert!(b.poll_recv(&mut cx, 100).is_pending());
                tokio::task::yield_now().await;
            }
        }
        let mut only = Some(only);
        let [first, second, third, fourth] = &mut pairs[..] else { unreachable!() };
        let give_back = async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            let only = only.take();
            if elsewhere {
                std::thread::spawn(move || drop(only)).join().unwrap();
            }
        };
        let (a, b, c, d, ()) = tokio::join!(
            receive(&mut first.0, 5),
            receive(&mut second.0, 5),
            receive(&mut third.0, 5),
            receive(&mut fourth.0, 5),
            give_back,
        );
        assert_eq!([a, b, c, d], [b"hello"; 4]);
    }
}

/// More of them than there are large slabs. Half of them take nothing from the beginning, half stop when much of what
/// is sent to them is in the kernel's hands.
async fn slow_peers_leave_others_memory_to_read_into<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let mut slow: Vec<_> = (0..12).map(|_| backend.pair(&events)).collect();
    let messages = [(); 3].map(|()| random.bytes(TIGHT.large_bytes));
    for (index, (a, _)) in slow.iter_mut().enumerate() {
        let takes_some = index % 2 == 1;
        if !takes_some {
            fill_up(a).await;
        }
        for message in messages.iter().skip(if takes_some { 0 } else { 2 }) {
            let mut buf = pool.take(Size::Large).unwrap();
            buf.extend(message);
            a.queue_send(buf.into()).unwrap();
        }
        for _ in 0..40 {
            drop(a.poll_flush(&mut Context::from_waker(Waker::noop())));
            tokio::task::yield_now().await;
        }
    }
    let (mut b, mut a) = backend.pair(&events);
    a.queue_send(b"hello".as_slice().into()).unwrap();
    a.flush().await.unwrap();
    assert_eq!(receive(&mut b, 5).await, b"hello");
    for (a, b) in &mut slow {
        let (flushed, ()) = tokio::join!(a.flush(), receive_until(b, &messages[2]));
        flushed.unwrap();
    }
    eventually(|| in_use(&pool) == 0).await;
}

/// A message in two parts becomes one piece without copying the second.
async fn what_was_left_over_goes_in_front<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let (mut b, mut a) = backend.pair(&events);
    let message = random.bytes(TIGHT.small_bytes * 2);
    a.queue_send(Bytes::from(message.clone()).into()).unwrap();
    let sent = async { a.shutdown().await.unwrap() };
    let whole = async {
        let mut kept = b.recv(TIGHT.small_bytes).await.unwrap().unwrap().compact();
        while let Some(mut next) = b.recv(usize::MAX).await.unwrap() {
            assert_eq!(kept.size(), Size::Small);
            assert!(next.prepend(&kept));
            let rest = next.len().min(TIGHT.small_bytes);
            let done = next.split_to(next.len() - rest);
            assert!(message.windows(done.len().max(1)).any(|window| done.is_empty() || window == &*done));
            kept = next.compact();
        }
        kept
    };
    let ((), last) = tokio::join!(sent, whole);
    assert!(message.ends_with(&last));
    drop(last);
    assert_eq!(in_use(&pool), 0);
}

/// The kernel may read it until then, and the pool must not give it to anybody.
async fn a_chunk_is_held_until_it_is_sent<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let (mut a, mut b) = backend.pair(&events);
    let message = random.bytes(900);
    let mut buf = pool.take(Size::Small).unwrap();
    buf.extend(&message);
    let shared: PoolBytes = buf.freeze();
    a.queue_send(shared.clone().into()).unwrap();
    drop(shared);
    assert_eq!(pool.in_use(Size::Small), 1);
    poll_fn(|cx| {
        let flushed = a.poll_flush(cx);
        let taken = usize::from(a.queued() > 0);
        assert_eq!(pool.in_use(Size::Small), taken);
        assert_eq!(flushed.is_ready(), taken == 0);
        flushed
    })
    .await
    .unwrap();
    assert_eq!(receive(&mut b, 900).await, message);
}

async fn idle_connections_are_reusable_until_something_comes<B: Backend>(backend: &B, _: Random) {
    let events = backend.start(Pool::new(TIGHT));
    for case in ["quiet", "unsent", "garbage", "closed", "shut", "dropped"] {
        let (mut a, b) = backend.pair(&events);
        let mut b = Some(b);
        let peer = b.as_mut().unwrap();
        a.queue_send(b"request".as_slice().into()).unwrap();
        a.flush().await.unwrap();
        receive(peer, 7).await;
        peer.queue_send(b"answer".as_slice().into()).unwrap();
        peer.flush().await.unwrap();
        receive(&mut a, 6).await;
        assert!(a.is_reusable(), "{case}");
        match case {
            "unsent" => a.queue_send(b"x".as_slice().into()).unwrap(),
            "garbage" => {
                peer.queue_send(b"x".as_slice().into()).unwrap();
                peer.flush().await.unwrap();
            }
            "closed" => peer.shutdown().await.unwrap(),
            "shut" => a.shutdown().await.unwrap(),
            "dropped" => b = None,
            _ => {}
        }
        if case != "quiet" {
            eventually(|| !a.is_reusable()).await;
        }
        assert_eq!(a.is_reusable(), case == "quiet", "{case}");
        drop(b);
    }
}

async fn a_peer_that_is_gone_is_an_error_and_no_buffer_is_lost<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let (mut a, b) = backend.pair(&events);
    drop(b);
    let failed = async {
        loop {
            if let Some(mut buf) = pool.take(Size::Small) {
                buf.extend(&random.bytes(500));
                drop(a.queue_send(buf.into()));
            }
            if let Err(error) = a.flush().await {
                return error.kind();
            }
            tokio::task::yield_now().await;
        }
    };
    let kind = failed.await;
    assert!(matches!(kind, std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset), "{kind:?}");
    eventually(|| in_use(&pool) == 0).await;
}

/// Exactly so many bytes, in however many pieces.
pub(super) async fn receive(stream: &mut impl DataStream, count: usize) -> Vec<u8> {
    let mut all = Vec::new();
    while all.len() < count {
        let buf = poll_fn(|cx| match stream.poll_recv(cx, count - all.len()) {
            Poll::Ready(result) => Poll::Ready(result.unwrap()),
            Poll::Pending => Poll::Pending,
        });
        all.extend_from_slice(&buf.await.expect("more was to come"));
    }
    all
}

/// Whatever comes, until it ends with this.
pub(super) async fn receive_until(stream: &mut impl DataStream, last: &[u8]) {
    let mut all = Vec::new();
    while !all.ends_with(last) {
        all.extend_from_slice(&stream.recv(usize::MAX).await.unwrap().expect("more was to come"));
    }
}
