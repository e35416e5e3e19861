//! Cost of heads and framing. `cargo bench -p pn-http1`.
#![expect(clippy::expect_used, reason = "a benchmark of input with faults has nothing to say")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::{Method, StatusCode};
use pn_http1::{
    BodyDecoder, Fields, Framing, HeadWriter, Limits, RequestTarget, parse_request, parse_response,
};
use std::hint::black_box;

/// As a load generator sends it.
const SMALL: &[u8] = b"GET /hello HTTP/1.1\r\nHost: app.example.com\r\n\r\n";
/// As a browser sends it.
const BROWSER: &[u8] = b"GET /static/app.js?v=3 HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux \
    x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, \
    deflate, br, zstd\r\nReferer: https://app.example.com/\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef; theme=dark\r\n\
    Sec-Fetch-Dest: script\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\nServer: x\r\nContent-Type: text/plain\r\n\
    Content-Length: 128\r\nETag: \"0123456789\"\r\n\r\n";

fn heads(criterion: &mut Criterion) {
    let limits = Limits::default();
    let mut fields = Fields::new();
    for (name, input) in [("small", SMALL), ("browser", BROWSER)] {
        criterion.bench_function(&format!("head/parse/request/{name}"), |bencher| {
            bencher.iter(|| black_box(parse_request(black_box(input), &limits, &mut fields)));
        });
        let head = parse_request(input, &limits, &mut fields).expect("sound").expect("whole");
        let mut out = Vec::with_capacity(4_096);
        criterion.bench_function(&format!("head/write/request/{name}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                let target = RequestTarget::new(head.target.whole.of(input)).expect("sound");
                let mut writer = HeadWriter::request(&mut out, &head.method, target);
                let kept = fields.iter().filter(|field| fields.is_end_to_end(input, field, head.connection));
                writer.fields(kept.map(|field| (field.name(input), field.value(input))));
                writer.finish();
                black_box(out.len())
            });
        });
    }
    criterion.bench_function("head/parse/response", |bencher| {
        bencher.iter(|| black_box(parse_response(black_box(RESPONSE), &limits, &Method::GET, &mut fields)));
    });
    let mut out = Vec::with_capacity(4_096);
    criterion.bench_function("head/write/response", |bencher| {
        bencher.iter(|| {
            out.clear();
            let mut writer = HeadWriter::response(&mut out, StatusCode::OK);
            writer.fields(fields.iter().map(|field| (field.name(RESPONSE), field.value(RESPONSE))));
            writer.finish();
            black_box(out.len())
        });
    });
}

fn chunks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("body/chunked");
    for size in [16, 1_024, 16_384] {
        let chunk = [format!("{size:x}\r\n").into_bytes(), vec![b'a'; size], b"\r\n".to_vec()].concat();
        let input = [chunk.repeat(65_536 / size), b"0\r\n\r\n".to_vec()].concat();
        group.throughput(Throughput::Bytes(65_536));
        group.bench_function(format!("64KiB in chunks of {size}"), |bencher| {
            bencher.iter(|| {
                let mut decoder = BodyDecoder::new(Framing::Chunked);
                let mut rest = black_box(&input[..]);
                while !decoder.is_done() {
                    let step = decoder.decode(rest).expect("sound");
                    rest = rest.get(step.consumed..).unwrap_or_default();
                }
                black_box(rest.len())
            });
        });
    }
    group.finish();
}

criterion_group!(benches, heads, chunks);
criterion_main!(benches);
