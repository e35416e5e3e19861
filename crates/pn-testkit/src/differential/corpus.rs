//! What is sent: rows written by hand, and connections put together from pieces by a row of choices, so that a seed or a
//! fuzzer can make them.

use super::compare::{Difference, Kind};
use super::known::Known;

/// A connection's bytes, and the difference that they must make.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    /// By its name in [`KNOWN`](super::KNOWN); `None`: both see the same.
    pub differs: Option<&'static str>,
}

/// A connection's bytes, and the differences that they may make.
#[derive(Debug, Clone, Default)]
pub struct Input {
    pub bytes: Vec<u8>,
    pub may: Vec<&'static str>,
    /// A byte stands where no grammar has it. The proxy may then refuse, bring the target into another form, or send trailers
    /// that nothing announces, where the oracle does not; which strictness is wanted there is held by the codec's own tests.
    pub spoilt: bool,
}

impl Input {
    /// Whether a difference is one that is wanted.
    pub fn allows(&self, difference: &Difference) -> bool {
        let spoilt = self.spoilt && matches!(difference.kind, Kind::Stricter | Kind::Target | Kind::Trailers);
        // A Host that is none any more is one that HTTP/1.0 goes without: see `old-without-host`.
        let hostless = self.spoilt
            && matches!(difference.kind, Kind::Laxer | Kind::Request)
            && crate::http1::find(&self.bytes, b" HTTP/1.0").is_some();
        spoilt || hostless || self.may.iter().any(|name| Known::of(name).kind == difference.kind)
    }
}

const H: &str = "Host: a.test\r\n";

fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{H}{fields}\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /len HTTP/1.1\r\n{H}{fields}\r\n{body}")
}

/// What is written by hand.
pub fn rows() -> Vec<Row> {
    let rows = [requests(), bodies(), connections(), responses()].into_iter().flatten();
    let last = |(name, bytes, differs): Text| (name, bytes + LAST, differs);
    let row = |(name, bytes, differs): Text| Row { name, bytes: latin(&bytes), differs };
    rows.map(last).chain(unfinished()).map(row).collect()
}

/// What comes last, so that the connection ends when all is answered.
const LAST: &str = "GET /last HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

type Text = (&'static str, String, Option<&'static str>);

/// Byte for character.
fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|one| u8::try_from(u32::from(one)).unwrap_or(b'?')).collect()
}

fn requests() -> Vec<Text> {
    let line = |line: &str, fields: &str| format!("{line}\r\n{fields}\r\n");
    vec![
        ("get", get("/len", ""), None),
        ("head", line("HEAD /len HTTP/1.1", H), None),
        ("options", line("OPTIONS * HTTP/1.1", H), None),
        ("unknown-method", line("BREW /len HTTP/1.1", H), None),
        ("method-case", line("get /len HTTP/1.1", H), None),
        ("absolute", line("GET http://a.test/len?b HTTP/1.1", H), None),
        ("absolute-without-path", line("GET http://a.test HTTP/1.1", H), None),
        ("absolute-of-another-host", line("GET http://b.test/len HTTP/1.1", H), Some("host-differs")),
        ("query", get("/len?a=b&c=%20?/", ""), None),
        ("fields", get("/len", "X-A: 1\r\nx-a:2 \r\nX-B: \t\r\nx_c: \u{e9}\r\n"), None),
        ("cookies", get("/len", "Cookie: a=1\r\nCookie: b=2\r\n"), None),
        (
            "hop-by-hop",
            get("/len", "Connection: x-a, keep-alive\r\nX-A: 1\r\nX-B: 2\r\nKeep-Alive: 5\r\nTE: gzip\r\n"),
            None,
        ),
        ("spoofed", get("/len", "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"), None),
        ("old", line("GET /len HTTP/1.0", H), None),
        ("old-without-host", line("GET /len HTTP/1.0", ""), Some("old-without-host")),
        ("old-chunked-answer", line("GET /chunked HTTP/1.0", H), None),
        (
            "old-with-coding",
            line("POST /len HTTP/1.0", &format!("{H}Transfer-Encoding: chunked\r\n")) + "0\r\n\r\n",
            None,
        ),
        ("no-host", line("GET /len HTTP/1.1", ""), Some("no-host")),
        ("two-hosts", line("GET /len HTTP/1.1", &H.repeat(2)), Some("many-hosts")),
        ("bad-host", line("GET /len HTTP/1.1", "Host: a/b\r\n"), Some("bad-host")),
        ("version-2", line("GET /len HTTP/2.0", H), None),
        ("version-0.9", "GET /len\r\n\r\n".to_owned(), None),
        ("bare-lf", "GET /len HTTP/1.1\nHost: a.test\n\n".to_owned(), Some("line-end")),
        ("obs-fold", get("/len", "X-A: 1\r\n 2\r\n"), None),
        ("space-before-colon", get("/len", "X-A : 1\r\n"), None),
        ("bare-cr", get("/len", "X-A: 1\r2\r\n"), None),
        ("nul", get("/len", "X-A: \0\r\n"), None),
        ("empty-lines", format!("{}{}", "\r\n".repeat(5), get("/len", "")), Some("empty-lines")),
        ("empty-line", format!("\r\n{}", get("/len", "")), None),
        ("fragment", get("/len#a", ""), Some("fragment")),
        ("asterisk-of-get", get("*", ""), Some("target-form")),
        ("path-with-dots", get("/a/../len", ""), Some("path")),
        ("path-encoded", get("/%6cen", ""), Some("path")),
        ("path-bad-percent", get("/%zz", ""), Some("percent")),
        ("path-not-ascii", get("/\u{e9}", ""), None),
        ("unknown-expectation", get("/len", "Expect: x\r\n"), Some("expectation")),
        ("connect", line("CONNECT a.test:80 HTTP/1.1", H), None),
        ("trace", line("TRACE /len HTTP/1.1", H), None),
    ]
}

fn bodies() -> Vec<Text> {
    let chunk = "2\r\nok\r\n0\r\n\r\n";
    let coding = "Transfer-Encoding: chunked\r\n";
    let after = get("/len?after", "");
    vec![
        ("length", post("Content-Length: 5\r\n", "hello") + &after, None),
        ("length-of-0", post("Content-Length: 0\r\n", "") + &after, None),
        ("no-length", post("", "") + &after, None),
        ("chunks", post(coding, "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n") + &after, None),
        ("chunked-in-capitals", post("Transfer-Encoding: CHUNKED\r\n", chunk) + &after, None),
        ("chunk-extension", post(coding, "2;a=\"b\"\r\nok\r\n0;c\r\n\r\n") + &after, None),
        ("chunk-extension-control", post(coding, "2;\0\r\nok\r\n0\r\n\r\n"), Some("chunk-extension")),
        ("chunk-zeros", post(coding, "00000000000000002\r\nok\r\n0\r\n\r\n"), Some("chunk-size")),
        ("chunk-lf", post(coding, "2\nok\n0\n\n"), None),
        ("chunk-not-hex", post(coding, "zz\r\nok\r\n0\r\n\r\n"), None),
        ("chunk-too-long", post(coding, "2\r\nokay\r\n0\r\n\r\n"), None),
        ("chunk-sign", post(coding, "+2\r\nok\r\n0\r\n\r\n"), None),
        (
            "trailers",
            post(
                "TE: trailers\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n",
                "2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n",
            ) + &after,
            None,
        ),
        ("trailers-undeclared", post(coding, "2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n") + &after, Some("trailers")),
        (
            "trailers-barred",
            post(
                "Trailer: Host, X-Sum\r\nTransfer-Encoding: chunked\r\n",
                "2\r\nok\r\n0\r\nHost: b\r\nX-Sum: 7\r\n\r\n",
            ) + &after,
            None,
        ),
        ("length-twice", post("Content-Length: 2\r\nContent-Length: 2\r\n", "ok"), Some("length-repeated")),
        ("lengths-differ", post("Content-Length: 2\r\nContent-Length: 3\r\n", "ok"), None),
        ("length-list", post("Content-Length: 2, 2\r\n", "ok"), None),
        ("length-sign", post("Content-Length: +2\r\n", "ok"), None),
        ("length-space", post("Content-Length: 2 \r\n", "ok") + &after, None),
        ("length-too-large", post("Content-Length: 9223372036854775808\r\n", ""), None),
        (
            "length-and-coding",
            post(&format!("Content-Length: 9\r\n{coding}"), chunk),
            Some("length-and-coding"),
        ),
        (
            "coding-and-length",
            post(&format!("{coding}Content-Length: 9\r\n"), chunk),
            Some("length-and-coding"),
        ),
        ("gzip-chunked", post("Transfer-Encoding: gzip, chunked\r\n", chunk), Some("coding")),
        ("chunked-gzip", post("Transfer-Encoding: chunked, gzip\r\n", chunk), None),
        ("chunked-twice", post(&coding.repeat(2), chunk), Some("coding")),
        ("identity", post("Transfer-Encoding: identity\r\n", ""), None),
        ("xchunked", post("Transfer-Encoding: xchunked\r\n", chunk), None),
        ("body-of-get", get("/len", "Content-Length: 5\r\n") + "hello" + &after, None),
        ("expect", post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello") + &after, None),
        ("expect-chunked", post(&format!("Expect: 100-Continue\r\n{coding}"), chunk) + &after, None),
        ("expect-without-body", get("/len", "Expect: 100-continue\r\n") + &after, None),
    ]
}

fn connections() -> Vec<Text> {
    let one = get("/len", "");
    let echo = "Connection: upgrade\r\nUpgrade: echo\r\n";
    vec![
        ("pipelined", one.repeat(5), None),
        ("pipelined-and-garbage", format!("{one}\u{1}\u{2}\r\n\r\n"), None),
        ("close", get("/len", "Connection: close\r\n") + &one, None),
        ("close-in-list", get("/len", "Connection: x, Close\r\n") + &one, None),
        ("old-and-more", format!("GET /len HTTP/1.0\r\n{H}\r\n{one}"), None),
        ("old-kept", format!("GET /len HTTP/1.0\r\n{H}Connection: keep-alive\r\n\r\n{one}"), None),
        ("tls", "\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n".to_owned(), None),
        ("upgrade-refused", get("/len", echo) + &one, None),
        ("upgrade-of-old", format!("GET /switch HTTP/1.0\r\n{H}{echo}\r\n"), None),
        ("upgrade-unlisted", get("/switch", "Upgrade: echo\r\n") + &one, None),
        ("upgrade-to-http", get("/len", "Connection: upgrade\r\nUpgrade: h2c\r\n"), Some("upgrade-to-http")),
    ]
}

/// What does not end with a whole request.
fn unfinished() -> Vec<Text> {
    let coding = "Transfer-Encoding: chunked\r\n";
    let one = get("/len", "");
    let echo = "Connection: upgrade\r\nUpgrade: echo\r\n";
    vec![
        (
            "max-forwards",
            format!("OPTIONS /len HTTP/1.1\r\n{H}Max-Forwards: 0\r\n\r\n"),
            Some("max-forwards"),
        ),
        ("body-too-short", post("Content-Length: 5\r\n", "hel"), None),
        ("chunks-without-end", post(coding, "5\r\nhello\r\n"), None),
        ("nothing", String::new(), None),
        ("half-a-head", "GET /len HTTP/1.1\r\nHost:".to_owned(), None),
        ("pipelined-and-half", format!("{one}GET /"), None),
        ("upgrade", get("/switch", echo) + "ping", None),
    ]
}

fn responses() -> Vec<Text> {
    let of = |path: &str| get(path, "") + &get("/len?after", "");
    let head = |path: &str| format!("HEAD {path} HTTP/1.1\r\n{H}\r\n") + &get("/len?after", "");
    vec![
        ("answer-chunked", of("/chunked"), None),
        ("answer-extension", of("/extension"), None),
        ("answer-trailers", get("/trailers", "TE: trailers\r\n") + &get("/len?after", ""), None),
        ("answer-trailers-unasked", of("/trailers"), None),
        ("answer-204", of("/none"), None),
        ("answer-304", of("/same"), None),
        ("answer-until-close", of("/until-close"), None),
        ("answer-old", of("/old"), None),
        ("answer-without-reason", of("/no-reason"), None),
        ("answer-fields", of("/fields"), None),
        ("answer-connection", of("/connection"), None),
        ("answer-last", of("/last"), None),
        ("answer-length-twice", of("/twice"), None),
        ("answer-lengths-differ", of("/differ"), None),
        ("answer-length-and-coding", of("/both"), Some("answer-length-and-coding")),
        ("answer-gzip", of("/gzip"), Some("answer-coding")),
        ("answer-fold", of("/fold"), None),
        ("answer-space", of("/space"), None),
        ("answer-short", of("/short"), None),
        ("answer-short-chunk", of("/short-chunk"), None),
        ("answer-bad-chunk", of("/bad-chunk"), None),
        ("answer-bad-chunk-to-old", format!("GET /bad-chunk HTTP/1.0\r\n{H}\r\n"), Some("old-cut")),
        ("answer-bad-length", of("/bad-length"), None),
        ("answer-garbage", of("/garbage"), None),
        ("answer-lf", of("/lf"), None),
        ("answer-hints", of("/hints"), Some("interim")),
        ("answer-progress", of("/progress"), Some("interim")),
        ("head-chunked", head("/chunked"), None),
        ("head-304", head("/same"), None),
        ("head-until-close", head("/until-close"), None),
        ("head-length-and-coding", head("/both"), Some("answer-length-and-coding")),
        ("head-lengths-differ", head("/differ"), Some("head-lengths-differ")),
        ("head-twice", head("/twice"), None),
    ]
}

/// A piece, and the difference that it may make.
type Piece = (&'static str, Option<&'static str>);

const METHODS: [&str; 8] = ["GET", "POST", "HEAD", "GET", "PUT", "OPTIONS", "DELETE", "X"];
const TARGETS: &[Piece] = &[
    ("/len", None),
    ("/len?a=b", None),
    ("/chunked", None),
    ("/extension", None),
    ("/trailers", None),
    ("/none", None),
    ("/same", None),
    ("/until-close", None),
    ("/old", None),
    ("/fields", None),
    ("/connection", None),
    ("/last", None),
    ("/twice", None),
    ("/differ", None),
    ("/both", Some("answer-length-and-coding")),
    ("/gzip", Some("answer-coding")),
    ("/short", None),
    ("/bad-chunk", None),
    ("/hints", Some("interim")),
    ("http://a.test/len", None),
    ("http://b.test/len", Some("host-differs")),
    ("/len#a", Some("fragment")),
];
const VERSIONS: [&str; 8] =
    ["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0"];
const HOSTS: &[Piece] = &[
    (H, None),
    (H, None),
    (H, None),
    (H, None),
    (H, None),
    ("host: A.test\r\n", None),
    ("", Some("no-host")),
    ("Host: a.test\r\nHost: a.test\r\n", Some("many-hosts")),
];
const FIELDS: &[Piece] = &[
    ("", None),
    ("", None),
    ("X-A: 1\r\n", None),
    ("x-a:2\r\n", None),
    ("X-B: \t b \r\n", None),
    ("Connection: close\r\n", None),
    ("Connection: keep-alive\r\n", None),
    ("Connection: x-a, x-c\r\n", None),
    ("Keep-Alive: timeout=3\r\n", None),
    ("TE: trailers\r\n", None),
    ("Cookie: a=1\r\n", None),
    ("Expect: 100-continue\r\n", None),
    ("Expect: x\r\n", Some("expectation")),
    ("X-F: 1\r\n 2\r\n", None),
    ("X-S : 1\r\n", None),
    ("X-LF: 1\n", Some("line-end")),
];
/// Fields, body.
const BODIES: &[(&str, &str, Option<&str>)] = &[
    ("", "", None),
    ("", "", None),
    ("Content-Length: 5\r\n", "hello", None),
    ("Content-Length: 0\r\n", "", None),
    ("Content-Length: 5\r\n", "hel", None),
    ("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n", None),
    ("Transfer-Encoding: Chunked\r\n", "3;x=y\r\nabc\r\n000\r\n\r\n", None),
    ("Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n", None),
    ("Transfer-Encoding: chunked\r\n", "2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n", Some("trailers")),
    ("Transfer-Encoding: chunked\r\n", "5\r\nhello", None),
    ("Transfer-Encoding: chunked\r\n", "zz\r\nhello\r\n", None),
    ("Content-Length: 2\r\nContent-Length: 2\r\n", "ok", Some("length-repeated")),
    ("Content-Length: 2\r\nContent-Length: 3\r\n", "ok", None),
    (
        "Content-Length: 9\r\nTransfer-Encoding: chunked\r\n",
        "2\r\nok\r\n0\r\n\r\n",
        Some("length-and-coding"),
    ),
    ("Transfer-Encoding: gzip, chunked\r\n", "2\r\nok\r\n0\r\n\r\n", Some("coding")),
    ("Transfer-Encoding: chunked, gzip\r\n", "2\r\nok\r\n0\r\n\r\n", None),
];

/// A connection of one to three requests, put together by these choices; equal choices make equal bytes.
pub fn choose(choices: &[u8]) -> Input {
    let mut choices = Choices(choices.iter());
    let mut input = Input::default();
    for _ in 0..=choices.below(3) {
        push_request(&mut input, &mut choices);
    }
    input.bytes.extend(LAST.as_bytes());
    if choices.below(8) == 7 {
        let at = choices.below(256) * 256 + choices.below(256);
        let at = at.checked_rem(input.bytes.len()).unwrap_or_default();
        let byte = u8::try_from(choices.below(256)).unwrap_or_default();
        input.bytes.insert(at, byte);
        input.spoilt = true;
    }
    input
}

fn push_request(input: &mut Input, choices: &mut Choices<'_>) {
    let method = choices.of(&METHODS);
    let (target, may) = *choices.of(TARGETS);
    input.may.extend(may);
    let version = choices.of(&VERSIONS);
    let mut text = format!("{method} {target} {version}\r\n");
    for from in [HOSTS, FIELDS, FIELDS, FIELDS] {
        let (field, may) = match *choices.of(from) {
            // HTTP/1.0 may go without, and is sent on with one: the rows have that.
            (_, Some("no-host")) if *version == "HTTP/1.0" => (H, None),
            piece => piece,
        };
        input.may.extend(may);
        text.push_str(field);
    }
    if *version == "HTTP/1.0" && target == "/bad-chunk" {
        input.may.push("old-cut");
    }
    if *method == "HEAD" && target == "/differ" {
        input.may.push("head-lengths-differ");
    }
    let (framing, body, may) = *choices.of(BODIES);
    input.may.extend(may);
    text.push_str(&[framing, "\r\n", body].concat());
    input.bytes.extend(latin(&text));
}

/// Choices that are taken one after the other; when none is left, the first of whatever there is.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()).checked_rem(count).unwrap_or_default()
    }

    #[track_caller]
    fn of<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        let at = self.below(from.len());
        from.get(at).unwrap_or_else(|| panic!("nothing to choose from"))
    }
}
