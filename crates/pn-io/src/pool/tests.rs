//! The pool alone: bounds, windows, the way home from every thread. These run under miri, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;

use super::*;
use crate::tests::Random;

const CONFIG: PoolConfig = PoolConfig { small_bytes: 64, small_slabs: 4, large_bytes: 256, large_slabs: 3 };

fn holding(pool: &Pool, size: Size, bytes: &[u8]) -> PoolBuf {
    let mut buf = pool.take(size).unwrap();
    assert_eq!(buf.extend(bytes), bytes.len());
    buf
}

#[test]
fn a_pool_is_bounded_and_gives_the_warmest_first() {
    let pool = Pool::new(CONFIG);
    for (size, bound, room) in [(Size::Small, 4, 64), (Size::Large, 3, 256)] {
        let mut all: Vec<_> = (0..bound).map(|_| pool.take(size).unwrap()).collect();
        assert!(pool.take(size).is_none());
        assert_eq!(pool.in_use(size), bound);
        assert!(all.iter().all(|buf| buf.is_empty() && buf.room() == room && buf.size() == size));
        let last = all.pop().unwrap();
        let address = last.as_ptr();
        drop(last);
        assert_eq!(pool.take(size).unwrap().as_ptr(), address);
        drop(all);
        assert_eq!(pool.in_use(size), 0);
    }
}

#[test]
fn what_a_buffer_can_do() {
    let pool = Pool::new(CONFIG);
    let mut buf = holding(&pool, Size::Large, b"hello world");
    assert!(!buf.prepend(&[0; 65]) && buf.prepend(b"oh, "));
    buf.consume(4);
    assert_eq!(&*buf, b"hello world");
    let front = buf.split_to(6);
    assert_eq!((&*front, front.room(), &*buf), (&b"hello "[..], 0, &b"world"[..]));
    assert!(!buf.prepend(b"x"), "the room in front is the other's");
    buf[0] = b'W';
    buf.spare_mut()[0] = b'!';
    buf.commit(1);
    assert_eq!(&*buf, b"World!");
    buf.truncate(5);
    let (front, mut back) = (front.freeze(), buf.freeze());
    assert_eq!(&*back.split_to(2), b"Wo");
    let bytes = Bytes::from(back.clone());
    assert_eq!((&*bytes, &*back, &*front), (&b"rld"[..], &b"rld"[..], &b"hello "[..]));
    drop((front, back));
    assert_eq!(pool.in_use(Size::Large), 1);
    drop(bytes);
    assert_eq!(pool.in_use(Size::Large), 0);
    // Out of bounds is the bound.
    let mut buf = holding(&pool, Size::Small, &[7; 64]);
    assert_eq!((buf.extend(b"x"), buf.room()), (0, 0));
    buf.commit(1);
    buf.truncate(99);
    assert_eq!(buf.split_to(99).len(), 64);
    buf.consume(1);
    assert!(buf.is_empty());
    assert_eq!(holding(&pool, Size::Small, b"mine").detach(), b"mine"[..]);
}

#[test]
fn waiting_in_a_small_buffer() {
    let pool = Pool::new(CONFIG);
    let buf = holding(&pool, Size::Large, &[3; 64]).compact();
    assert_eq!((buf.size(), &*buf, pool.in_use(Size::Large)), (Size::Small, &[3; 64][..], 0));
    assert_eq!(holding(&pool, Size::Large, &[3; 65]).compact().size(), Size::Large);
    let all: Vec<_> = (0..3).map(|_| pool.take(Size::Small).unwrap()).collect();
    assert_eq!(holding(&pool, Size::Large, b"none left").compact().size(), Size::Large);
    drop(all);
    let large = holding(&pool, Size::Large, b"far away");
    let large = std::thread::spawn(move || large.compact()).join().unwrap();
    assert_eq!((large.size(), &*large), (Size::Large, &b"far away"[..]));
}

/// Any operations on any windows; what each holds is known, so that one that wrote to another's would be found.
#[test]
fn windows_never_touch_each_other() {
    for seed in 0..if cfg!(miri) { 5 } else { 300 } {
        let mut random = Random::new(seed);
        let pool = Pool::new(CONFIG);
        let mut bufs: Vec<(PoolBuf, Vec<u8>)> = Vec::new();
        let mut frozen: Vec<(PoolBytes, Vec<u8>)> = Vec::new();
        for _ in 0..200 {
            let (index, count) = (random.below(bufs.len()), random.below(80));
            match (random.below(9), bufs.get_mut(index)) {
                (0 | 1, _) => {
                    let size = if count < 40 { Size::Small } else { Size::Large };
                    bufs.extend(pool.take(size).map(|buf| (buf, Vec::new())));
                }
                (2, Some((buf, holds))) => {
                    let more = random.bytes(count);
                    holds.extend_from_slice(&more[..buf.extend(&more)]);
                }
                (3, Some((buf, holds))) => {
                    let more = random.bytes(count);
                    if buf.prepend(&more) {
                        holds.splice(..0, more);
                    }
                }
                (4, Some((buf, holds))) => {
                    buf.consume(count);
                    holds.drain(..count.min(holds.len()));
                }
                (5, Some((buf, holds))) => {
                    let (front, rest) = (buf.split_to(count), holds.split_off(count.min(holds.len())));
                    let front_holds = std::mem::replace(holds, rest);
                    bufs.push((front, front_holds));
                }
                (6, Some(_)) => {
                    let (buf, holds) = bufs.swap_remove(index);
                    let bytes = buf.freeze();
                    frozen.extend([(bytes.clone(), holds.clone()), (bytes, holds)]);
                }
                (7, Some(_)) => drop(bufs.swap_remove(index)),
                _ if !frozen.is_empty() => {
                    let index = random.below(frozen.len());
                    let (bytes, holds) = &mut frozen[index];
                    let (front, rest) = (bytes.split_to(count), holds.split_off(count.min(holds.len())));
                    assert!(*front == **holds && **bytes == *rest);
                    frozen.swap_remove(index);
                }
                _ => {}
            }
            assert!(bufs.iter().all(|(buf, holds)| **buf == **holds));
            assert!(frozen.iter().all(|(bytes, holds)| **bytes == **holds));
        }
        drop((bufs, frozen));
        assert_eq!((pool.in_use(Size::Small), pool.in_use(Size::Large)), (0, 0));
    }
}

/// Parts of the same slabs are dropped by several threads at once, while the pool goes on.
#[test]
fn buffers_come_home_from_every_thread() {
    let pool = Pool::new(CONFIG);
    for round in 0..if cfg!(miri) { 10 } else { 2_000u32 } {
        let number = round.to_le_bytes();
        let parts: Vec<PoolBytes> = (0..4)
            .filter_map(|_| pool.take(Size::Small))
            .map(|mut buf| (buf.extend(&number), buf.freeze()).1)
            .collect();
        assert_eq!(parts.len(), 4);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let parts = parts.clone();
                scope.spawn(move || parts.into_iter().for_each(|part| assert_eq!(*part, number)));
            }
            drop(parts);
            // Some are back, some are not.
            drop(pool.take(Size::Small));
        });
        assert_eq!(pool.in_use(Size::Small), 0);
    }
}

#[test]
fn buffers_outlive_their_pool() {
    let pool = Pool::new(CONFIG);
    let (here, there) =
        (holding(&pool, Size::Small, b"here"), holding(&pool, Size::Small, b"there").freeze());
    let returned = pool.take(Size::Large).unwrap();
    std::thread::spawn(move || drop(returned)).join().unwrap();
    drop(pool.take(Size::Large));
    let other = there.clone();
    let thread = std::thread::spawn(move || assert_eq!(&*other, b"there"));
    drop(pool);
    assert_eq!((&*here, &*there), (&b"here"[..], &b"there"[..]));
    drop((here.compact(), there));
    thread.join().unwrap();
}

/// Pool and last buffers vanish on two threads at the same time.
#[test]
fn a_pool_closes_while_buffers_come_back() {
    for _ in 0..if cfg!(miri) { 20 } else { 2_000 } {
        let pool = Pool::new(CONFIG);
        let buffers: Vec<_> = (0..4).filter_map(|_| pool.take(Size::Small)).collect();
        let thread = std::thread::spawn(move || drop(buffers));
        drop(pool);
        thread.join().unwrap();
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn who_waits_is_woken_once_by_a_return_from_anywhere() {
    let pool = Pool::new(CONFIG);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    let (mut seat, mut gone) = (pool.seat(), pool.seat());
    for (round, elsewhere) in [false, true].into_iter().enumerate() {
        let mut all: Vec<_> = (0..3).map(|_| pool.take(Size::Large).unwrap()).collect();
        for _ in 0..5 {
            assert!(seat.poll_take(&mut cx, Size::Large).is_pending());
            assert!(gone.poll_take(&mut cx, Size::Large).is_pending());
        }
        gone = pool.seat();
        let back = all.pop().unwrap();
        if elsewhere {
            std::thread::spawn(move || drop(back)).join().unwrap();
        } else {
            drop(back);
        }
        assert_eq!(count.0.load(Ordering::SeqCst), round + 1);
        assert!(seat.poll_take(&mut cx, Size::Large).is_ready());
    }
    assert_eq!(Arc::strong_count(&count), 2, "nobody keeps a waker");
}

/// The return and the wait happen at the same time: one of the two sees the other.
#[test]
fn no_return_is_missed() {
    let pool = Pool::new(PoolConfig { small_slabs: 1, ..CONFIG });
    for _ in 0..if cfg!(miri) { 20 } else { 2_000 } {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut seat = pool.seat();
        let only = pool.take(Size::Small).unwrap();
        let thread = std::thread::spawn(move || drop(only));
        let found = seat.poll_take(&mut Context::from_waker(&waker), Size::Small);
        thread.join().unwrap();
        match found {
            Poll::Ready(_) => {}
            Poll::Pending => assert_eq!(count.0.load(Ordering::SeqCst), 1),
        }
    }
}

#[test]
fn trimming_frees_what_nobody_needed() {
    let pool = Pool::new(CONFIG);
    let all: Vec<_> = (0..4).map(|_| pool.take(Size::Small).unwrap()).collect();
    drop(all);
    pool.trim();
    assert_eq!(pool.home().made(Size::Small), 4, "all were in use since the last time");
    drop([pool.take(Size::Small), pool.take(Size::Small)]);
    let warm = pool.take(Size::Small).map(|buf| buf.as_ptr());
    pool.trim();
    assert_eq!(pool.home().made(Size::Small), 2);
    assert_eq!(pool.take(Size::Small).map(|buf| buf.as_ptr()), warm);
    pool.trim();
    pool.trim();
    assert_eq!(pool.home().made(Size::Small), 0);
    assert!(pool.take(Size::Small).is_some());
}
