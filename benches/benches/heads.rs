//! Cost of a head: parsing one that came, writing one that goes out, for the shortest request there is and for a
//! browser's. `cargo bench -p proxy-now-benches --bench heads`.
#![expect(clippy::expect_used, reason = "input that is not sound has nothing to say")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::{Method, StatusCode};
use pn_http1::{
    Fields, Framing, HeadWriter, Limits, RequestHead, RequestTarget, ResponseHead, parse_request,
    parse_response,
};
use std::hint::black_box;

const SHORT: &str = "GET / HTTP/1.1\r\nHost: app.corp.example\r\n\r\n";
const BROWSER: &str = "GET /static/app.js?v=3 HTTP/1.1\r\nHost: app.corp.example\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Referer: https://app.corp.example/\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef; theme=dark\r\n\
    Sec-Fetch-Dest: script\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Site: same-origin\r\nPriority: u=2\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nServer: upstream\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
    Content-Type: text/javascript\r\nContent-Length: 128\r\nETag: \"0123456789abcdef\"\r\n\
    Cache-Control: max-age=3600\r\n\r\n";
const REQUESTS: [(&str, &str); 2] = [("short", SHORT), ("browser", BROWSER)];

fn request(input: &str, fields: &mut Fields) -> RequestHead {
    let head = parse_request(input.as_bytes(), &Limits::default(), fields);
    head.expect("a request without faults").expect("a whole head")
}

fn response(input: &str, fields: &mut Fields) -> ResponseHead {
    let head = parse_response(input.as_bytes(), &Limits::default(), &Method::GET, fields);
    head.expect("a response without faults").expect("a whole head")
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("heads/parse");
    let mut fields = Fields::new();
    for (name, input) in REQUESTS {
        group.throughput(Throughput::Bytes(input.len() as u64));
        group.bench_with_input(BenchmarkId::new("request", name), input, |bencher, input| {
            bencher.iter(|| black_box(request(black_box(input), &mut fields)));
        });
    }
    group.throughput(Throughput::Bytes(ANSWER.len() as u64));
    group.bench_function("response", |bencher| {
        bencher.iter(|| black_box(response(black_box(ANSWER), &mut fields)));
    });
    group.finish();
}

/// What a proxy writes of what it read: every field that goes further, in order.
fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("heads/write");
    let (mut fields, mut out) = (Fields::new(), Vec::with_capacity(4096));
    for (name, input) in REQUESTS {
        let head = request(input, &mut fields);
        let bytes = input.as_bytes();
        let target = RequestTarget::new(head.target.whole.of(bytes)).expect("a target");
        group.bench_function(BenchmarkId::new("request", name), |bencher| {
            bencher.iter(|| {
                out.clear();
                let mut writer = HeadWriter::request(&mut out, &head.method, target);
                let kept = fields.iter().filter(|field| fields.is_end_to_end(bytes, field, head.connection));
                writer.fields(kept.map(|field| (field.name(bytes), field.value(bytes))));
                writer.finish();
                black_box(out.len())
            });
        });
    }
    let head = response(ANSWER, &mut fields);
    group.bench_function("response", |bencher| {
        bencher.iter(|| {
            out.clear();
            let mut writer = HeadWriter::response(&mut out, black_box(StatusCode::OK));
            let bytes = ANSWER.as_bytes();
            let kept = fields.iter().filter(|field| fields.is_end_to_end(bytes, field, head.connection));
            writer.fields(kept.map(|field| (field.name(bytes), field.value(bytes))));
            writer.framing(black_box(Framing::Length(128)));
            writer.finish();
            black_box(out.len())
        });
    });
    group.finish();
}

criterion_group!(benches, parse, write);
criterion_main!(benches);
