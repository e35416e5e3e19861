//! Cost of chunks, taken off and put on, by the size of a chunk. The data itself is not copied, as in the proxy.
//! `cargo bench -p proxy-now-benches --bench framing`.
#![expect(clippy::expect_used, reason = "input that is not sound has nothing to say")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pn_http1::{BodyDecoder, BodyEncoder, Framing};
use std::hint::black_box;

const BODY: usize = 64 * 1024;
/// A chat's, a program's, a proxy's.
const CHUNKS: [usize; 3] = [64, 1024, 16 * 1024];

fn chunked(size: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..BODY / size {
        body.extend_from_slice(format!("{size:x}\r\n").as_bytes());
        body.resize(body.len() + size, b'x');
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

/// Bytes of data in the body.
fn decoded(mut input: &[u8]) -> usize {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    let mut data = 0;
    while !decoder.is_done() {
        let step = decoder.decode(input).expect("chunks without faults");
        data += step.data.len();
        input = &input[step.consumed..];
    }
    data
}

fn encoded(size: usize) -> usize {
    let mut encoder = BodyEncoder::new(Framing::Chunked);
    let pieces = BODY / size;
    let frames =
        (1..=pieces).map(|piece| encoder.frame(black_box(size), piece == pieces).expect("room for it"));
    frames.map(|frame| frame.head().len() + frame.tail().len()).sum()
}

fn chunks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("framing/chunked");
    group.throughput(Throughput::Bytes(BODY as u64));
    for size in CHUNKS {
        let body = chunked(size);
        assert_eq!(decoded(&body), BODY);
        assert_eq!(encoded(size) + BODY, body.len());
        group.bench_with_input(BenchmarkId::new("decode", size), &body, |bencher, body| {
            bencher.iter(|| black_box(decoded(black_box(body))));
        });
        group.bench_with_input(BenchmarkId::new("encode", size), &size, |bencher, size| {
            bencher.iter(|| black_box(encoded(*size)));
        });
    }
    group.finish();
}

criterion_group!(benches, chunks);
criterion_main!(benches);
