//! `forward` and `relay`: all bytes and no more, counted as they are taken, ends passed on, nothing held while idle.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;

use super::party::Party;
use super::suite::receive;
use super::{Backend, Random, TIGHT, eventually, in_use, on_every_backend, roomy};
use crate::passage::Passage;
use crate::pool::Pool;
use crate::stream::{DataStream, EventActions, Relayed};

on_every_backend!(
    a_relay_carries_both_ways_and_passes_ends_on,
    the_other_way_goes_on_after_one_has_ended,
    forwarding_stops_at_its_bound,
    forwarding_stops_at_the_end,
    what_was_read_arrives_without_its_stream,
    an_idle_relay_holds_nothing,
    a_relay_that_is_dropped_leaves_nothing_behind,
    an_error_ends_a_relay,
);

async fn a_relay_carries_both_ways_and_passes_ends_on<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let ((mut front, mut client), (mut back, mut server)) = (backend.pair(&events), backend.pair(&events));
    let messages = [(); 2].map(|()| {
        let length = random.below(B::MUCH / 4);
        random.bytes(length)
    });
    let moved = Relayed::default();
    let peers = Pool::new(roomy());
    let mut randoms = || Random::new(random.next());
    let (to_client, to_server, relayed) = tokio::join!(
        Party::new(&mut client, &peers, &messages[0], randoms()).run(),
        Party::new(&mut server, &peers, &messages[1], randoms()).run(),
        events.relay(&mut front, &mut back, &moved),
    );
    relayed.unwrap();
    assert!([to_server, to_client] == messages);
    assert_eq!([moved.forth.get(), moved.back.get()], messages.map(|message| message.len() as u64));
    drop((client, front, back, server));
    eventually(|| in_use(&pool) == 0).await;
}

async fn the_other_way_goes_on_after_one_has_ended<B: Backend>(backend: &B, _: Random) {
    let events = backend.start(Pool::new(TIGHT));
    let ((mut front, mut client), (mut back, mut server)) = (backend.pair(&events), backend.pair(&events));
    let moved = Relayed::default();
    let conversation = async {
        client.queue_send(b"question".as_slice().into()).unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(receive(&mut server, 8).await, b"question");
        assert!(server.recv(1).await.unwrap().is_none());
        for _ in 0..3 {
            server.queue_send(b"answer".as_slice().into()).unwrap();
            server.flush().await.unwrap();
            assert_eq!(receive(&mut client, 6).await, b"answer");
        }
        server.shutdown().await.unwrap();
        assert!(client.recv(1).await.unwrap().is_none());
    };
    let ((), relayed) = tokio::join!(conversation, events.relay(&mut front, &mut back, &moved));
    relayed.unwrap();
    assert_eq!((moved.forth.get(), moved.back.get()), (8, 18));
}

async fn forwarding_stops_at_its_bound<B: Backend>(backend: &B, mut random: Random) {
    let events = backend.start(Pool::new(roomy()));
    let ((mut back, mut server), (mut front, mut client)) = (backend.pair(&events), backend.pair(&events));
    let head = b"head ".as_slice();
    for length in [0, 1, 1_000 + random.below(B::MUCH / 10), B::MUCH] {
        let body = Bytes::from(random.bytes(length));
        let moved = Cell::new(0);
        front.queue_send(head.into()).unwrap();
        server.queue_send(body.clone().into()).unwrap();
        let has_next = server.queue_send(b"next".as_slice().into()).is_ok();
        let (sent, forwarded, received) = tokio::join!(
            server.flush(),
            events.forward(&mut back, &mut front, length as u64, &moved),
            receive(&mut client, head.len() + length),
        );
        sent.unwrap();
        forwarded.unwrap();
        assert!(received.starts_with(head) && received.ends_with(&body));
        assert_eq!(moved.get(), length as u64);
        if has_next {
            assert_eq!(receive(&mut back, 4).await, b"next");
        }
        assert!(back.is_reusable() && front.is_reusable());
    }
}

async fn forwarding_stops_at_the_end<B: Backend>(backend: &B, mut random: Random) {
    let events = backend.start(Pool::new(TIGHT));
    let ((mut back, mut server), (mut front, mut client)) = (backend.pair(&events), backend.pair(&events));
    let body = Bytes::from(random.bytes(B::MUCH / 5));
    server.queue_send(body.clone().into()).unwrap();
    let moved = Cell::new(0);
    let (sent, forwarded, received) = tokio::join!(
        server.shutdown(),
        events.forward(&mut back, &mut front, u64::MAX, &moved),
        receive(&mut client, body.len()),
    );
    sent.unwrap();
    forwarded.unwrap();
    assert!(received == body);
    assert_eq!(moved.get(), body.len() as u64);
    // The end itself is for whoever called to pass on.
    front.queue_send(b"x".as_slice().into()).unwrap();
    front.flush().await.unwrap();
    assert_eq!(receive(&mut client, 1).await, b"x");
}

async fn what_was_read_arrives_without_its_stream<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let ((mut back, mut server), (mut front, mut client)) = (backend.pair(&events), backend.pair(&events));
    let body = Bytes::from(random.bytes(B::MUCH / 5));
    let whole = body.len() as u64;
    server.queue_send(body.clone().into()).unwrap();
    let carried = async {
        let mut passage = events.passage();
        poll_fn(|cx| match passage.poll(cx, &mut back, &mut front, whole) {
            Poll::Pending if passage.progress().read == whole => Poll::Ready(Ok(())),
            polled => polled,
        })
        .await
        .unwrap();
        drop(back);
        poll_fn(|cx| passage.poll_rest(cx, &mut front)).await.unwrap();
        assert_eq!(passage.progress().moved, whole);
    };
    let (sent, (), received) = tokio::join!(server.flush(), carried, receive(&mut client, body.len()));
    sent.unwrap();
    assert!(received == body);
    drop((client, front, server));
    eventually(|| in_use(&pool) == 0).await;
}

async fn an_idle_relay_holds_nothing<B: Backend>(backend: &B, _: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let ((mut front, mut client), (mut back, mut server)) = (backend.pair(&events), backend.pair(&events));
    let moved = Relayed::default();
    let quiet = async {
        client.queue_send(b"hello".as_slice().into()).unwrap();
        client.flush().await.unwrap();
        assert_eq!(receive(&mut server, 5).await, b"hello");
        eventually(|| in_use(&pool) == 0 && moved.forth.get() == 5).await;
    };
    tokio::select! {
        biased;
        result = events.relay(&mut front, &mut back, &moved) => panic!("{result:?}"),
        () = quiet => {}
    }
}

async fn a_relay_that_is_dropped_leaves_nothing_behind<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let ((mut front, mut client), (mut back, mut server)) = (backend.pair(&events), backend.pair(&events));
    let message = Bytes::from(random.bytes(B::MUCH));
    client.queue_send(message.clone().into()).unwrap();
    let moved = Relayed::default();
    let polls = random.below(40);
    let give_up = async {
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
    };
    let taken = Cell::new(0);
    let drain = async {
        loop {
            taken.set(taken.get() + server.recv(5_000).await.unwrap().unwrap().len() as u64);
        }
    };
    tokio::select! {
        biased;
        result = events.relay(&mut front, &mut back, &moved) => panic!("{result:?}"),
        _ = client.flush() => {}
        () = drain => {}
        () = give_up => {}
    }
    assert!(moved.forth.get() <= message.len() as u64);
    drop((client, front, back, server));
    eventually(|| in_use(&pool) == 0).await;
}

async fn an_error_ends_a_relay<B: Backend>(backend: &B, mut random: Random) {
    let pool = Pool::new(TIGHT);
    let events = backend.start(pool.clone());
    let ((mut front, mut client), (mut back, server)) = (backend.pair(&events), backend.pair(&events));
    drop(server);
    client.queue_send(Bytes::from(random.bytes(B::MUCH)).into()).unwrap();
    let moved = Relayed::default();
    let relayed = async {
        let result = events.relay(&mut front, &mut back, &moved).await;
        drop((front, back));
        result
    };
    // The client may be gone before it has sent all.
    let (_, relayed) = tokio::join!(client.flush(), relayed);
    relayed.unwrap_err();
    drop(client);
    eventually(|| in_use(&pool) == 0).await;
}
