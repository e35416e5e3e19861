//! What a client may claim of itself, and what upstreams are told: RFC 7239, X-Forwarded-*, the PROXY protocol.

use crate::case::{Case, GET, case};

const SPOOFED: &str = "GET / HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Host: evil.example\r\n\
    X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /evil\r\nX-Real-Ip: 6.6.6.6\r\n\
    Forwarded: for=6.6.6.6;proto=https;host=evil.example\r\nX-Forwarded-Tls-Client-Cert: evil\r\n\r\n";

pub(crate) fn cases() -> Vec<Case> {
    [untrusted(), trusted(), proxy_v1(), proxy_v2(), proxy_refused()].into_iter().flatten().collect()
}

fn untrusted() -> Vec<Case> {
    let spoofed = |id, section, behaviour| case(id, section, behaviour).send(SPOOFED).gets(200).upstream(1);
    vec![
        spoofed("spoofed-for", "RFC 7239 §8.1", "X-Forwarded-For and X-Real-Ip of an untrusted client are dropped")
            .never("6.6.6.6")
            .sees("x-forwarded-for: 127.0.0.1\r\n")
            .sees("x-real-ip: 127.0.0.1\r\n"),
        spoofed("spoofed-forwarded", "RFC 7239 §4", "Forwarded of an untrusted client is replaced by our own element")
            .sees("forwarded: for=127.0.0.1;host={host};proto=http\r\n"),
        spoofed("spoofed-proto", "RFC 7239 §5.4", "X-Forwarded-Proto of an untrusted client is replaced")
            .sees("x-forwarded-proto: http\r\n")
            .never("proto: https")
            .never("proto=https"),
        spoofed("spoofed-host", "RFC 7239 §5.3", "X-Forwarded-Host of an untrusted client is replaced")
            .sees("x-forwarded-host: {host}\r\n")
            .never("evil.example"),
        spoofed("spoofed-certificate", "RFC 9440 §2.1", "Claims of a client certificate, and of prefixes, are dropped")
            .never("evil"),
        case("spoofed-twice", "RFC 7239 §4", "Several lines of a claim are all dropped")
            .send("GET / HTTP/1.1\r\nHost: {host}\r\nForwarded: for=6.6.6.6\r\nFORWARDED: for=6.6.6.7\r\nx-forwarded-FOR: 6.6.6.8\r\n\r\n")
            .gets(200)
            .upstream(1)
            .never("6.6.6."),
    ]
}

fn trusted() -> Vec<Case> {
    let sends = |id, section, behaviour, fields: &'static str| {
        case(id, section, behaviour)
            .listener("trusting")
            .step(move |play| {
                play.send(format!("GET / HTTP/1.1\r\nHost: {{host}}\r\n{fields}\r\n").as_bytes())
            })
            .gets(200)
            .upstream(1)
    };
    vec![
        sends(
            "trusted-for",
            "RFC 7239 §7.4",
            "A trusted proxy's X-Forwarded-For is continued",
            "X-Forwarded-For: 1.2.3.4\r\n",
        )
        .sees("x-forwarded-for: 1.2.3.4, 127.0.0.1\r\n")
        .sees("x-real-ip: 1.2.3.4\r\n"),
        sends(
            "trusted-forwarded",
            "RFC 7239 §4",
            "A trusted proxy's Forwarded is continued",
            "Forwarded: for=1.2.3.4;proto=https\r\n",
        )
        .sees("forwarded: for=1.2.3.4;proto=https, for=127.0.0.1"),
        sends(
            "trusted-proto",
            "RFC 7239 §5.4",
            "A trusted proxy's X-Forwarded-Proto is believed",
            "X-Forwarded-Proto: https\r\nX-Forwarded-Host: outside.example\r\n",
        )
        .sees("x-forwarded-proto: https\r\n")
        .sees("x-forwarded-host: outside.example\r\n"),
        sends(
            "trusted-for-spoofed",
            "RFC 7239 §8.1",
            "Of a list, the last address that no trusted proxy has is the client",
            "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 127.0.0.9\r\n",
        )
        .sees("x-real-ip: 1.2.3.4\r\n"),
        sends(
            "trusted-for-garbled",
            "RFC 7239 §6",
            "A word that is no address ends the search for the client",
            "X-Forwarded-For: 6.6.6.6, <script>\r\n",
        )
        .sees("x-real-ip: 127.0.0.1\r\n"),
        sends(
            "trusted-proto-garbled",
            "RFC 7239 §5.4",
            "A scheme that is neither http nor https is not believed",
            "X-Forwarded-Proto: javascript\r\n",
        )
        .sees("x-forwarded-proto: http\r\n")
        .never("javascript"),
    ]
}

fn proxied(id: &'static str, section: &'static str, behaviour: &'static str, header: &'static [u8]) -> Case {
    case(id, section, behaviour).listener("balanced").step(move |play| {
        play.send(header);
        play.send(GET.as_bytes());
    })
}

fn proxy_v1() -> Vec<Case> {
    vec![
        proxied(
            "proxy-v1",
            "PROXY protocol §2.1",
            "A header of version 1 names the client",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n",
        )
        .gets(200)
        .kept()
        .upstream(1)
        .sees("x-forwarded-for: 192.0.2.7\r\n")
        .never("PROXY TCP4"),
        proxied(
            "proxy-v1-ipv6",
            "PROXY protocol §2.1",
            "A header of version 1 with IPv6 names the client",
            b"PROXY TCP6 2001:db8::7 2001:db8::1 4711 80\r\n",
        )
        .gets(200)
        .sees("x-forwarded-for: 2001:db8::7\r\n")
        .sees("for=\"[2001:db8::7]\""),
        proxied(
            "proxy-v1-unknown",
            "PROXY protocol §2.1",
            "UNKNOWN leaves the peer as the client",
            b"PROXY UNKNOWN 1.2.3.4 5.6.7.8 1 2\r\n",
        )
        .gets(200)
        .sees("x-forwarded-for: 127.0.0.1\r\n"),
        case("proxy-v1-in-pieces", "PROXY protocol §2.1", "A header may come in pieces")
            .listener("balanced")
            .step(|play| {
                for piece in ["PRO", "XY TCP4 192.0.2.7 ", "192.0.2.1 4711 80\r", "\n"] {
                    play.send(piece.as_bytes());
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            })
            .get()
            .gets(200)
            .sees("x-forwarded-for: 192.0.2.7\r\n"),
        proxied(
            "proxy-and-claims",
            "PROXY protocol §5",
            "Behind a PROXY header the client's own claims are still dropped",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n",
        )
        .gets(200)
        .send(SPOOFED)
        .gets(200)
        .never("6.6.6.6"),
    ]
}

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn proxy_v2() -> Vec<Case> {
    vec![
        proxied(
            "proxy-v2",
            "PROXY protocol §2.2",
            "A header of version 2 names the client",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\x12\x67\0\x50",
        )
        .gets(200)
        .kept()
        .upstream(1)
        .sees("x-forwarded-for: 192.0.2.7\r\n"),
        proxied(
            "proxy-v2-local",
            "PROXY protocol §2.2",
            "LOCAL leaves the peer as the client",
            b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
        )
        .gets(200)
        .sees("x-forwarded-for: 127.0.0.1\r\n"),
        proxied(
            "proxy-v2-extensions",
            "PROXY protocol §2.2",
            "Extensions of a version 2 header are passed over",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x12\xc0\0\x02\x07\xc0\0\x02\x01\x12\x67\0\x50\x04\0\x03abc",
        )
        .gets(200)
        .sees("x-forwarded-for: 192.0.2.7\r\n")
        .never("abc"),
        proxied(
            "proxy-optional",
            "PROXY protocol §2",
            "Where it is not required, a trusted peer may send no header",
            b"",
        )
        .listener("mixed")
        .gets(200)
        .sees("x-forwarded-for: 127.0.0.1\r\n"),
    ]
}

fn proxy_refused() -> Vec<Case> {
    let refused = |id, behaviour, header: &'static [u8]| {
        proxied(id, "PROXY protocol §2", behaviour, header).closed().upstream(0)
    };
    vec![
        refused("proxy-missing", "Where it is required, a connection without a header is closed", b""),
        refused(
            "proxy-v1-garbled",
            "A malformed header of version 1 closes the connection",
            b"PROXY TCP4 a b c d\r\n",
        ),
        refused(
            "proxy-v1-mixed",
            "Addresses of another family close the connection",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
        ),
        refused(
            "proxy-v1-port",
            "A port beyond 65535 closes the connection",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        ),
        case(
            "proxy-v1-endless",
            "PROXY protocol §2.1",
            "A header of version 1 without end closes the connection",
        )
        .listener("balanced")
        .step(|play| play.send(format!("PROXY TCP4 {}", "1".repeat(5_000)).as_bytes()))
        .closed(),
        refused(
            "proxy-v2-version",
            "Another version in a binary header closes the connection",
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\x12\x67\0\x50",
        ),
        refused(
            "proxy-v2-datagram",
            "A header of a datagram closes the connection",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\xc0\0\x02\x07\xc0\0\x02\x01\x12\x67\0\x50",
        ),
        refused(
            "proxy-v2-short",
            "Addresses that are cut short close the connection",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x04\xc0\0\x02\x07",
        ),
        case(
            "proxy-v2-endless",
            "PROXY protocol §2.2",
            "A binary header of the largest length closes the connection",
        )
        .listener("balanced")
        .step(|play| play.send(&[V2, b"\x21\x11\xff\xff", &[0xc0; 60_000]].concat()))
        .closed(),
        case("proxy-untrusted", "PROXY protocol §5", "A header of an untrusted peer is a malformed request")
            .listener("wary")
            .send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n")
            .send(GET)
            .refused(400),
        case(
            "proxy-unwanted",
            "PROXY protocol §5",
            "A header on a listener that reads none is a malformed request",
        )
        .send("PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n")
        .send(GET)
        .refused(400),
    ]
}
