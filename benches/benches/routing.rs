//! Cost of a lookup by number of routes, for both matchers. `cargo bench -p proxy-now-benches --bench routing`.
#![expect(clippy::expect_used, reason = "a benchmark of a graph with faults has nothing to say")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use pn_model::process::RouterChoice;
use proxy_now_benches::routing::{COUNTS, Requests, SHAPES, TARGETS, router};
use std::hint::black_box;

fn lookup(criterion: &mut Criterion) {
    for shape in SHAPES {
        for (name, choice) in [("sequential", RouterChoice::Sequential), ("compiled", RouterChoice::Compiled)]
        {
            let mut group = criterion.benchmark_group(format!("routing/{}/{name}", shape.name()));
            for count in COUNTS {
                let router = router(shape, count, choice).expect("a graph without faults");
                for target in TARGETS {
                    let mut requests = Requests::new(shape, count, target);
                    group.bench_function(BenchmarkId::new(target.name(), count), |bencher| {
                        bencher.iter(|| black_box(router.lookup(&requests.take())));
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group!(benches, lookup);
criterion_main!(benches);
