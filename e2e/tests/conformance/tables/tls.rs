//! TLS before any request: RFC 8446, RFC 6066 (server names), RFC 7301 (ALPN), RFC 9110 section 15.5.20 (421).

use pn_testkit::{End, RawClient, Session, TlsOptions, request};

use crate::case::{Case, case};
use crate::play::Play;

pub(crate) fn cases() -> Vec<Case> {
    [handshakes(), broken_handshakes(), names(), protocols(), misdirected(), no_tls()]
        .into_iter()
        .flatten()
        .collect()
}

fn secure(id: &'static str, section: &'static str, behaviour: &'static str) -> Case {
    case(id, section, behaviour).listener("secure")
}

fn trusting(play: &Play<'_>) -> TlsOptions {
    TlsOptions::trusting(&play.stage.authority)
}

fn opened(play: &mut Play<'_>, name: &str, options: &TlsOptions) {
    play.connect_tls(name, options);
}

/// Why the handshake failed.
fn refused(play: &Play<'_>, name: &str, options: &TlsOptions) -> String {
    let address = play.stage.address(play.case.listener);
    let tried = RawClient::try_connect_tls(address, &play.fill_text(name), options);
    tried.err().map_or_else(|| panic!("the handshake went through"), |error| error.to_string())
}

const POLICY_1_3: &str = "tls-policy = \"only-1-3\"\nto = \"http://{origin}\"";
const POLICY_1_2: &str = "tls-policy = \"only-1-2\"\nto = \"http://{origin}\"";

fn handshakes() -> Vec<Case> {
    vec![
        secure("tls-1.3", "RFC 8446 §4.2.1", "TLS 1.3 is agreed on with whoever speaks it")
            .step(|play| {
                let options = trusting(play);
                opened(play, "{host}", &options);
                let version = play.client().tls().and_then(|tls| tls.protocol_version());
                assert_eq!(version.map(|version| format!("{version:?}")).as_deref(), Some("TLSv1_3"));
            })
            .get()
            .gets(200)
            .sees("x-forwarded-proto: https\r\n"),
        secure("tls-1.2", "RFC 5246 §7.4.1", "TLS 1.2 is still spoken")
            .step(|play| {
                let options = trusting(play).only_tls12();
                opened(play, "{host}", &options);
            })
            .get()
            .gets(200),
        secure(
            "tls-1.2-refused",
            "RFC 8446 §4.2.1",
            "A policy of TLS 1.3 refuses TLS 1.2 by protocol_version",
        )
        .site(POLICY_1_3)
        .step(|play| {
            let why = refused(play, "{host}", &trusting(play).only_tls12());
            assert!(why.contains("ProtocolVersion"), "{why}");
        })
        .upstream(0),
        secure(
            "tls-1.3-refused",
            "RFC 8446 §4.2.1",
            "A policy of TLS 1.2 refuses TLS 1.3 by protocol_version",
        )
        .site(POLICY_1_2)
        .step(|play| {
            let why = refused(play, "{host}", &trusting(play).only_tls13());
            assert!(why.contains("ProtocolVersion"), "{why}");
        })
        .upstream(0),
    ]
}

fn broken_handshakes() -> Vec<Case> {
    vec![
        secure("tls-1.0", "RFC 8996 §4", "A ClientHello of TLS 1.0 is refused by a fatal alert")
            .step(|play| {
                play.send(&client_hello(&[3, 1]));
                // A fatal alert: handshake_failure or protocol_version, by what is looked at first.
                let alert = play.client().read(7);
                assert!(matches!(alert[..], [21, _, _, 0, 2, 2, 40 | 70]), "{alert:?}");
            })
            .closed(),
        secure("tls-garbage", "RFC 8446 §5.1", "Garbage for a ClientHello closes the connection")
            .step(|play| play.send(&[0x80; 300]))
            .step(|play| assert_ne!(play.client().end().0, End::Open)),
        secure("tls-plain-http", "RFC 8446 §5.1", "HTTP without TLS on a port of TLS reaches no site")
            .get()
            .step(|play| {
                let (end, bytes) = play.client().end();
                assert_ne!(end, End::Open);
                assert!(!bytes.starts_with(b"HTTP/1.1 200"), "{bytes:?}");
            })
            .upstream(0),
        secure(
            "tls-record-too-long",
            "RFC 8446 §5.1",
            "A record longer than 2^14 bytes closes the connection",
        )
        .step(|play| play.send(&[&[22, 3, 1, 0xff, 0xff][..], &[1; 40_000]].concat()))
        .step(|play| assert_ne!(play.client().end().0, End::Open)),
        secure("tls-hello-too-long", "RFC 8446 §4", "A ClientHello of 16 MiB is not gathered")
            .step(|play| {
                let record = [&[22, 3, 1, 0x40, 0][..], &[1, 0xff, 0xff, 0xff], &[0; 0x4000 - 4]].concat();
                let more = [&[22, 3, 1, 0x40, 0][..], &[0; 0x4000]].concat();
                play.send(&record);
                for _ in 0..20 {
                    play.send(&more);
                }
            })
            .step(|play| assert_ne!(play.client().end().0, End::Open)),
    ]
}

/// A ClientHello of an old version, with one cipher suite and no extensions.
fn client_hello(version: &[u8; 2]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0xc0, 0x09, 1, 0]);
    let length = u8::try_from(body.len()).expect("a short hello");
    [&[22, version[0], version[1], 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

fn names() -> Vec<Case> {
    vec![
        secure("sni", "RFC 6066 §3", "The certificate is that of the name asked for").step(|play| {
            let options = trusting(play);
            opened(play, "a.{host}", &options);
        }),
        secure("sni-unknown", "RFC 6066 §3", "A name that no site has is refused by unrecognized_name").step(
            |play| {
                let why = refused(play, "nobody.example", &TlsOptions::trusting_anyone());
                assert!(why.contains("UnrecognisedName") || why.contains("UnrecognizedName"), "{why}");
            },
        ),
        secure(
            "sni-missing",
            "RFC 6066 §3",
            "A client without a name, where no site is for such, is refused",
        )
        .step(|play| {
            let why = refused(play, "127.0.0.1", &TlsOptions::trusting_anyone());
            assert!(!why.is_empty());
        }),
        secure("sni-case", "RFC 6066 §3", "Names are compared without regard to case").step(|play| {
            let options = trusting(play);
            let name = play.fill_text("A.{host}").to_uppercase();
            opened(play, &name, &options);
        }),
    ]
}

fn protocols() -> Vec<Case> {
    let agreed = |id, behaviour, offered: &'static [&'static str], expected: Option<&'static str>| {
        secure(id, "RFC 7301 §3.2", behaviour).step(move |play| {
            let options = trusting(play).alpn(offered);
            opened(play, "{host}", &options);
            assert_eq!(play.client().alpn().as_deref(), expected);
        })
    };
    vec![
        agreed("alpn-h2", "h2 is preferred where both are offered", &["http/1.1", "h2"], Some("h2")),
        agreed("alpn-h1", "http/1.1 alone is agreed on", &["http/1.1"], Some("http/1.1")),
        agreed("alpn-none", "A client without ALPN is served, in HTTP/1.1", &[], None).get().gets(200),
        secure(
            "alpn-unknown",
            "RFC 7301 §3.2",
            "A client that offers nothing known is refused by no_application_protocol",
        )
        .step(|play| {
            let why = refused(play, "{host}", &trusting(play).alpn(&["smtp"]));
            assert!(why.contains("NoApplicationProtocol"), "{why}");
        }),
        secure(
            "alpn-h2-spoken-as-h1",
            "RFC 9113 §3.2",
            "HTTP/1.1 on a connection agreed to be h2 is no request",
        )
        .step(|play| {
            let options = trusting(play).alpn(&["h2"]);
            opened(play, "{host}", &options);
        })
        .get()
        .step(|play| assert_ne!(play.client().end().0, End::Open))
        .upstream(0),
        secure(
            "alpn-h1-spoken-as-h2",
            "RFC 9113 §3.2",
            "HTTP/2 on a connection agreed to be http/1.1 is no request",
        )
        .step(|play| {
            let options = trusting(play).alpn(&["http/1.1"]);
            opened(play, "{host}", &options);
        })
        .h2()
        .asks(1)
        .step(|play| {
            let (end, bytes) = play.client().end();
            assert!(end != End::Open && !bytes.starts_with(b"HTTP/1.1 200"), "{end:?} {bytes:?}");
        })
        .upstream(0),
    ]
}

fn misdirected() -> Vec<Case> {
    vec![
        secure(
            "misdirected",
            "RFC 9110 §15.5.20",
            "A host of another TLS policy than the connection's gets 421, and the connection closes",
        )
        .site(POLICY_1_3)
        .step(|play| {
            let options = trusting(play);
            opened(play, "probe.test", &options);
        })
        .get()
        .gets(421)
        .closed()
        .upstream(0),
        secure("misdirected-h2", "RFC 9113 §9.1.2", "The same over HTTP/2")
            .site(POLICY_1_3)
            .step(|play| {
                let options = trusting(play).alpn(&["h2"]);
                let mut session = Session::tls(play.stage.address("secure"), "probe.test", &options);
                assert_eq!(session.send(request("GET", &play.host(), "/")).status, 421);
            })
            .upstream(0),
        secure("directed", "RFC 9113 §9.1.1", "A host of the same TLS policy may share the connection")
            .step(|play| {
                let options = trusting(play);
                opened(play, "probe.test", &options);
            })
            .get()
            .gets(200)
            .upstream(1),
    ]
}

fn no_tls() -> Vec<Case> {
    vec![
        case("tls-on-plain", "RFC 8446 §5.1", "A ClientHello on a plain listener is a malformed request")
            .step(|play| play.send(&client_hello(&[3, 3])))
            .step(|play| {
                let (end, bytes) = play.client().end_within(std::time::Duration::from_secs(15));
                assert!(end != End::Open && !bytes.starts_with(b"HTTP/1.1 200"), "{end:?} {bytes:?}");
            })
            .upstream(0),
        case(
            "redirect-to-https",
            "RFC 9110 §15.4.9",
            "A site of TLS redirects plain requests, the method kept",
        )
        .site("listeners = [\"web\", \"secure\"]\nhttps = \"redirect\"\nto = \"http://{origin}\"")
        .send("POST /a%2Fb?c HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n")
        .gets(308)
        .step(|play| {
            let port = play.stage.address("secure").port();
            let expected = format!("https://{}:{port}/a%2Fb?c", play.host());
            assert_eq!(play.last().header("location"), expected);
        })
        .upstream(0),
        case("redirect-of-unknown-host", "RFC 9110 §7.4", "An unknown host is not redirected")
            .send("GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n")
            .gets(404)
            .without("location"),
    ]
}
