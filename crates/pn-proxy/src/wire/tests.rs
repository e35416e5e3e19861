//! Messages over a backend of completions: what holds for sockets holds for one that keeps buffers, is late, splits,
//! and has none left. What reads and writes HTTP/1.1 here is what both sides of the proxy do it with.

use super::{Input, Out};
use bytes::Bytes;
use http::{Method, StatusCode};
use pn_http1::{BodyDecoder, BodyEncoder, Fields, Framing, HeadWriter, Limits, Name, Value, parse_response};
use pn_io::sim::{Sim, SimConfig, SimStream};
use pn_io::{Chunk, DataStream, EventActions, Pool, PoolConfig, Size};
use std::future::poll_fn;
use std::time::Duration;

const SEEDS: u64 = 60;
/// Few and small, so that bounds are met.
const TIGHT: PoolConfig =
    PoolConfig { small_bytes: 1 << 10, small_slabs: 32, large_bytes: 4 << 10, large_slabs: 4 };
const LIMITS: Limits = Limits { head_bytes: 64 << 10, fields: 128, target_bytes: 0, line_bytes: 64 << 10 };

/// A response, in the pieces in which its body is given.
struct Message {
    chunked: bool,
    /// Bytes of its head beyond the usual.
    head: usize,
    pieces: Vec<Vec<u8>>,
}

#[test]
fn messages_arrive_whole_over_a_backend_of_completions() {
    for seed in 0..SEEDS {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(exchange(seed));
    }
}

async fn exchange(seed: u64) {
    let (ours, theirs) = (Pool::new(TIGHT), Pool::new(TIGHT));
    // Prints the seed of a run that fails.
    let sim = Sim::new(SimConfig::new(seed), ours.clone());
    let (a, b) = sim.pair();
    let mut a = sim.attach(a).unwrap();
    let mut b = sim.elsewhere(theirs.clone()).attach(b).unwrap();
    let messages = messages(seed);
    // Time goes on only when nothing else can.
    let both = async { tokio::join!(send(&mut a, &ours, &messages), receive(&mut b, &messages)) };
    tokio::select! {
        () = sim.drive() => unreachable!("it never ends"),
        done = tokio::time::timeout(Duration::from_secs(1), both) => drop(done.expect("nothing goes on")),
    }
    drop((a, b));
    sim.settle();
    for pool in [ours, theirs] {
        assert_eq!(pool.in_use(Size::Large) + pool.in_use(Size::Small), 0);
    }
}

fn messages(seed: u64) -> Vec<Message> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut below = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % bound as u64).unwrap()
    };
    (0..6)
        .map(|_| {
            let (chunked, head) = (below(2) == 0, [0, 0, 900, 6_000][below(4)]);
            let mut piece = || {
                let most = [10, 300, 5_000, 40_000][below(4)];
                let length = 1 + below(most);
                (0..length).map(|_| u8::try_from(below(256)).unwrap()).collect()
            };
            let pieces = [(); 4].map(|()| piece()).to_vec();
            Message { chunked, head, pieces }
        })
        .collect()
}

async fn send(stream: &mut SimStream, pool: &Pool, messages: &[Message]) {
    let mut out = Out::default();
    for message in messages {
        let length = message.pieces.iter().map(Vec::len).sum::<usize>() as u64;
        let framing = if message.chunked { Framing::Chunked } else { Framing::Length(length) };
        let mut head = HeadWriter::response(out.begin(), StatusCode::OK);
        let long = "x".repeat(message.head);
        head.field(Name::from_static("x-long"), Value::new(long.as_bytes()).unwrap());
        head.framing(framing);
        head.finish();
        assert!(!out.began());
        let mut encoder = BodyEncoder::new(framing);
        for (at, piece) in message.pieces.iter().enumerate() {
            while !out.takes_more() {
                poll_fn(|cx| out.poll_write(stream, cx)).await.unwrap();
            }
            let frame = encoder.frame(piece.len(), at + 1 == message.pieces.len()).unwrap();
            out.push(&frame, chunk(piece, pool));
        }
        poll_fn(|cx| out.poll_write(stream, cx)).await.unwrap();
        assert!(out.began() && encoder.is_done() && stream.queued() == 0);
        out.release();
    }
    stream.shutdown().await.unwrap();
}

/// As it comes from a socket, where there is a buffer for it.
fn chunk(piece: &[u8], pool: &Pool) -> Chunk {
    if let Some(mut buf) = pool.take(Size::Large)
        && buf.extend(piece) == piece.len()
    {
        return buf.into();
    }
    Bytes::copy_from_slice(piece).into()
}

async fn receive(stream: &mut SimStream, messages: &[Message]) {
    let (mut input, mut fields) = (Input::default(), Fields::new());
    for message in messages {
        let head = loop {
            match parse_response(&input, &LIMITS, &Method::GET, &mut fields).unwrap() {
                Some(head) => break head,
                None => assert!(poll_fn(|cx| input.poll_fill(stream, usize::MAX, cx)).await.unwrap()),
            }
        };
        input.advance(head.len);
        let (mut decoder, mut body) = (BodyDecoder::new(head.framing), Vec::new());
        while !decoder.is_done() {
            let step = decoder.decode(&input).unwrap();
            match step.consumed {
                0 => assert!(poll_fn(|cx| input.poll_fill(stream, usize::MAX, cx)).await.unwrap()),
                count => body.extend_from_slice(&input.take(count, step.data)),
            }
        }
        assert!(body == message.pieces.concat());
    }
    assert!(input.is_empty() && !poll_fn(|cx| input.poll_fill(stream, usize::MAX, cx)).await.unwrap());
}
