//! Floods over HTTP/2, each cheap for a client: RFC 9113 section 10.5.

use pn_testkit::h2::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, frame};

use crate::case::{Case, case};
use crate::h2::{
    ENHANCE_YOUR_CALM, GET, NO_ERROR, POST, PROTOCOL_ERROR, REFUSED_STREAM, WHOLE, continuation, flood,
    settings, status, window_update,
};

pub(crate) fn cases() -> Vec<Case> {
    [resets(), heads(), cheap_frames(), limits()].into_iter().flatten().collect()
}

fn resets() -> Vec<Case> {
    vec![
        case(
            "rapid-reset",
            "RFC 9113 §10.5",
            "Streams that are reset as fast as they are opened end the connection",
        )
        .h2()
        .step(|play| {
            let block = play.block(GET);
            flood(play.client(), 2_000, |number| {
                let stream = 2 * number as u32 + 1;
                [frame(HEADERS, WHOLE, stream, &block), frame(RST_STREAM, 0, stream, [0, 0, 0, 8])].concat()
            });
        })
        .goaway(&[ENHANCE_YOUR_CALM]),
        case(
            "made-you-reset",
            "RFC 9113 §10.5",
            "Streams that the client makes the server reset end the connection",
        )
        .h2()
        .step(|play| {
            let block = play.block(GET);
            flood(play.client(), 5_000, |number| {
                let stream = 2 * number as u32 + 1;
                [frame(HEADERS, WHOLE, stream, &block), window_update(stream, 0)].concat()
            });
        })
        .goaway(&[ENHANCE_YOUR_CALM, PROTOCOL_ERROR]),
    ]
}

fn heads() -> Vec<Case> {
    vec![
        case("continuation-flood", "RFC 9113 §10.5", "CONTINUATION without end ends the connection")
            .h2()
            .step(|play| {
                let block = play.block(&[("x-a", "0123456789012345678901234567890123456789")]);
                play.send_frame(HEADERS, END_STREAM, 1, &block);
                flood(play.client(), 20_000, |_| continuation(1, &block));
            })
            .goaway(&[ENHANCE_YOUR_CALM, PROTOCOL_ERROR])
            .upstream(0),
        case(
            "empty-continuation-flood",
            "RFC 9113 §10.5",
            "Empty CONTINUATION frames without end end the connection",
        )
        .h2()
        .step(|play| {
            let block = play.block(&GET[..2]);
            play.send_frame(HEADERS, END_STREAM, 1, &block);
            flood(play.client(), 20_000, |_| continuation(1, b""));
        })
        .goaway(&[ENHANCE_YOUR_CALM, PROTOCOL_ERROR])
        .upstream(0),
    ]
}

fn cheap_frames() -> Vec<Case> {
    vec![
        case("settings-flood", "RFC 9113 §10.5", "A flood of SETTINGS starves no other connection")
            .h2()
            .step(|play| {
                flood(play.client(), 20_000, |_| settings(&[(3, 100)]));
                play.others_are_served();
            }),
        case(
            "ping-flood",
            "RFC 9113 §10.5",
            "A flood of PING that reads no answer starves no other connection",
        )
        .h2()
        .step(|play| {
            let ping = frame(PING, 0, 0, b"12345678").repeat(100);
            flood(play.client(), 200, |_| ping.clone());
            play.others_are_served();
        }),
        case("empty-data-flood", "RFC 9113 §10.5", "A flood of empty DATA starves no other connection")
            .h2()
            .headers(END_HEADERS, 1, POST)
            .step(|play| {
                let data = frame(DATA, 0, 1, []).repeat(100);
                flood(play.client(), 200, |_| data.clone());
                play.others_are_served();
            })
            .nothing_whole(),
    ]
}

fn limits() -> Vec<Case> {
    vec![
        case(
            "too-many-streams",
            "RFC 9113 §5.1.2",
            "Streams beyond MAX_CONCURRENT_STREAMS are refused, the others served",
        )
        .listener("small")
        .origin(|wire| wire.stall())
        .h2()
        .step(|play| {
            let block = play.block(GET);
            for stream in [1, 3, 5, 7, 9] {
                play.send_frame(HEADERS, WHOLE, stream, &block);
            }
            let objection = play.objection();
            assert!(matches!(objection, Some(REFUSED_STREAM | PROTOCOL_ERROR)), "{objection:?}");
        }),
        case(
            "header-list-too-large",
            "RFC 9113 §10.5.1",
            "A head larger than the limit is refused and goes nowhere",
        )
        .h2()
        .step(|play| {
            let long = "a".repeat(15_000);
            let block = play.block(GET);
            play.send_frame(HEADERS, END_STREAM, 1, &block);
            for number in 0..8 {
                let more = play.block(&[("x-a", &long)]);
                play.client().send(frame(9, if number == 7 { END_HEADERS } else { 0 }, 1, more));
            }
            let refused = play.frame_of_any(&[HEADERS, RST_STREAM, GOAWAY]);
            match refused.kind {
                HEADERS => assert_eq!(status(&refused.payload), Some(431), "{refused:?}"),
                _ => assert_ne!(refused.error_code(), Some(NO_ERROR), "{refused:?}"),
            }
        })
        .upstream(0),
    ]
}
