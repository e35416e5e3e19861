//! Nothing is allocated for a small message that is read, cut, frozen and sent, once the buffers are there. In a file
//! of its own because it counts every allocation of its thread.

use std::task::{Context, Poll, Waker};

use pn_io::{DataStream, EventActions, Pool, PoolConfig, Reactor, Size};

#[test]
fn a_message_that_passes_through_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = Pool::new(PoolConfig::default());
        let events = Reactor::new(pool.clone());
        let [(mut client, mut front), (mut back, mut server)] = [(); 2].map(|()| {
            let (a, b) = tokio::net::UnixStream::pair().unwrap();
            (events.attach(a.into()).unwrap(), events.attach(b.into()).unwrap())
        });
        let mut counts = Vec::new();
        for _ in 0..20 {
            client.queue_send(b"head body".as_slice().into()).unwrap();
            client.flush().await.unwrap();
            readable(&mut front).await;
            counts.push(
                allocation_counter::measure(|| {
                    pass(&pool, &mut front, &mut back).expect("it is readable and fits")
                })
                .count_total,
            );
            let received = server.recv(100).await.unwrap().unwrap();
            assert_eq!(&*received, b"HEAD body");
        }
        assert_eq!(counts.split_off(2), [0; 18], "{counts:?} while buffers were made");
    });
}

/// As a proxy does: the head is written anew, the body goes on as it came.
fn pass(pool: &Pool, from: &mut impl DataStream, to: &mut impl DataStream) -> Option<()> {
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(Some(mut message))) = from.poll_recv(&mut cx, usize::MAX) else { return None };
    let mut head = pool.take(Size::Small)?;
    head.extend(b"HEAD ");
    message.consume(5);
    let body = message.split_to(4).freeze();
    to.queue_send(head.into()).ok()?;
    to.queue_send(body.clone().into()).ok()?;
    to.poll_flush(&mut cx).is_ready().then_some(())
}

/// Until there is something to read, without reading it.
async fn readable(stream: &mut impl DataStream) {
    while stream.is_reusable() {
        tokio::task::yield_now().await;
    }
}
