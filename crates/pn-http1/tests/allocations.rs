//! What a request costs in allocations: parsing, analysing and writing a common GET and its response cost none.
#![expect(clippy::unwrap_used, reason = "input that is not sound is a failed test")]

use allocation_counter::measure;
use http::{Method, StatusCode};
use pn_http1::{
    BodyDecoder, BodyEncoder, ClientState, Fields, Framing, HeadWriter, Known, Limits, Name, Received,
    RequestTarget, ServerState, Turn, Value, parse_request, parse_response,
};

const REQUEST: &[u8] = b"GET /static/app.js?v=3 HTTP/1.1\r\nHost: app.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux \
    x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\nAccept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, \
    deflate, br, zstd\r\nReferer: https://app.example.com/\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef; theme=dark\r\n\
    X-Forwarded-For: 10.0.0.1\r\nSec-Fetch-Mode: no-cors\r\n\r\n";
const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\nContent-Type: text/javascript\r\n\
    Transfer-Encoding: chunked\r\nETag: \"a\"\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
/// More fields than fit the first room that the parser takes.
const MANY: usize = 100;

/// What a worker holds from request to request.
struct Worker {
    fields: Fields,
    out: Vec<u8>,
    client: ServerState,
    upstream: ClientState,
}

impl Worker {
    fn request(&mut self, input: &[u8]) {
        let head = parse_request(input, &Limits::default(), &mut self.fields).unwrap().unwrap();
        self.client.begin(&head);
        self.client.request_over();
        self.upstream.begin(&head.method, head.upgrade.is_some());
        self.out.clear();
        let target = RequestTarget::new(head.target.whole.of(input)).unwrap();
        let mut writer = HeadWriter::request(&mut self.out, &head.method, target);
        let fields = &self.fields;
        let end_to_end = fields.iter().filter(|field| fields.is_end_to_end(input, field, head.connection));
        let kept = end_to_end.filter(|field| !field.known.is_claim());
        writer.fields(kept.map(|field| (field.name(input), field.value(input))));
        let before = fields.all(Known::XForwardedFor).map(|field| field.value(input));
        let own = Value::from_static("192.0.2.1");
        writer.joined(Name::from_static("x-forwarded-for"), before.chain([own]), Value::from_static(", "));
        writer.finish();
        self.upstream.request_over();
    }

    fn response(&mut self, input: &[u8]) {
        let head =
            parse_response(input, &Limits::default(), &Method::GET, &mut self.fields).unwrap().unwrap();
        assert_eq!(self.upstream.received(&head), Ok(Received::Final));
        let step = BodyDecoder::new(head.framing).decode(&input[head.len..]).unwrap();
        assert!(step.done);
        self.upstream.response_over();
        self.out.clear();
        let reply = self.client.respond(StatusCode::OK, None);
        let mut writer = HeadWriter::response(&mut self.out, head.status);
        writer.framing(reply.framing);
        writer.finish();
        let frame = BodyEncoder::new(Framing::Chunked).frame(step.data.len(), true).unwrap();
        for part in [frame.head(), &input[head.len..][step.data], frame.tail()] {
            self.out.extend_from_slice(part);
        }
        self.client.response_over();
    }
}

#[test]
fn a_common_exchange_allocates_nothing() {
    let mut worker = Worker {
        fields: Fields::new(),
        out: Vec::with_capacity(4_096),
        client: ServerState::new(0),
        upstream: ClientState::new(),
    };
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-A: 1\r\n".repeat(MANY));
    // The first one buys the memory.
    worker.request(many.as_bytes());
    worker.response(RESPONSE);
    for input in [REQUEST, many.as_bytes()] {
        let counted = measure(|| {
            worker.request(input);
            worker.response(RESPONSE);
        });
        assert_eq!((counted.count_total, counted.bytes_total), (0, 0), "{counted:?}");
        assert_eq!((worker.client.turn(), worker.upstream.is_reusable()), (Turn::Head, true));
    }
}
