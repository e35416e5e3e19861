//! Cost of a buffer: taken and given back on its own thread, with many in use, and given back from another thread.
//! `cargo bench -p proxy-now-benches --bench pool`.
#![expect(clippy::expect_used, reason = "a pool that gives nothing has nothing to say")]

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use pn_io::{Pool, PoolBuf, PoolConfig, Size};
use std::hint::black_box;
use std::sync::mpsc::sync_channel;
use std::thread;

const SIZES: [(&str, Size); 2] = [("small", Size::Small), ("large", Size::Large)];
/// As many as one worker reads at the same time when it is busy.
const HELD: usize = 48;

fn take(pool: &Pool, size: Size) -> PoolBuf {
    pool.take(size).expect("fewer than the bound")
}

fn own_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool");
    for (name, size) in SIZES {
        let pool = Pool::new(PoolConfig::default());
        group.bench_function(BenchmarkId::new("take and give", name), |bencher| {
            bencher.iter(|| drop(black_box(take(&pool, size))));
        });
        group.bench_function(BenchmarkId::new("take, share, give", name), |bencher| {
            bencher.iter(|| {
                let mut buffer = take(&pool, size);
                buffer.extend(b"head and body");
                let mut bytes = buffer.freeze();
                drop(black_box((bytes.split_to(4), bytes)));
            });
        });
        group.bench_function(BenchmarkId::new("with 48 in use", name), |bencher| {
            let held: Vec<_> = (0..HELD).map(|_| take(&pool, size)).collect();
            bencher.iter(|| drop(black_box(take(&pool, size))));
            drop(held);
        });
    }
    group.finish();
}

/// What the owner pays for buffers that come back from elsewhere.
fn other_thread(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pool/other thread");
    let pool = Pool::new(PoolConfig::default());
    let (sender, buffers) = sync_channel::<Vec<PoolBuf>>(0);
    let (done, ended) = sync_channel::<()>(0);
    let other = thread::spawn(move || {
        for batch in buffers {
            drop(batch);
            done.send(()).ok();
        }
    });
    group.bench_function("take 48 that came back", |bencher| {
        let return_all = || {
            sender.send((0..HELD).map(|_| take(&pool, Size::Small)).collect()).ok();
            ended.recv().ok();
        };
        let take_all = |()| -> Vec<_> { (0..HELD).map(|_| take(&pool, Size::Small)).collect() };
        bencher.iter_batched(return_all, take_all, BatchSize::PerIteration);
    });
    drop(sender);
    other.join().expect("a thread that only drops");
    group.finish();
}

criterion_group!(benches, own_thread, other_thread);
criterion_main!(benches);
