//! Middlewares: one kind key each.

use super::{Default, Group, Key, Kind, Type};
use crate::resolved::Section;

const EDITS: &[Key] = &[
    Key::new("set", Type::Map(&Type::Text), "Fields that replace all of their name.").or(Default::Table),
    Key::new("add", Type::Map(&Type::OneOrMany(&Type::Text)), "Fields that come beside those of their name.")
        .or(Default::Table),
    Key::new("remove", Type::OneOrMany(&Type::Text), "Names of fields that go; this happens first.")
        .or(Default::Strings(&[])),
];

const HEADERS: &[Key] = &[
    Key::new("request", Type::Table(EDITS), "Fields on their way to the service.").or(Default::Table),
    Key::new("response", Type::Table(EDITS), "Fields on their way back.").or(Default::Table),
];

const REPLACE: &[Key] = &[
    Key::new("regex", Type::Regex, "What is searched for in the path.").required(),
    Key::new("replacement", Type::Text, "What takes its place; `$1` and `${name}` stand for groups.")
        .required(),
];

const PERMANENT: Key =
    Key::new("permanent", Type::Bool, "308 and 301 instead of 307 and 302.").or(Default::Bool(false));

const REDIRECT_SCHEME: &[Key] = &[
    Key::new("scheme", Type::Choice(&["https", "http"], &[]), "The scheme of the new URL.")
        .or(Default::Str("https")),
    Key::new("port", Type::Integer(1, 65_535), "The port of the new URL.")
        .or(Default::None("the scheme's own")),
    PERMANENT,
];

const REDIRECT_REGEX: &[Key] = &[
    Key::new("regex", Type::Regex, "What the whole URL must match.").required(),
    Key::new("replacement", Type::Text, "The new URL; `$1` and `${name}` stand for groups.").required(),
    PERMANENT,
];

const BASIC_AUTH: &[Key] = &[
    Key::new("users", Type::OneOrMany(&Type::Text), "`name:hash` as in htpasswd: bcrypt, apr1 or SHA1.")
        .or(Default::Strings(&[]))
        .secret(),
    Key::new("users-file", Type::File, "A file of such lines.").or(Default::None("none")),
    Key::new("realm", Type::Text, "The realm shown to people.").or(Default::Str("proxy-now")),
    Key::new("remove-header", Type::Bool, "Whether the service is spared the Authorization field.")
        .or(Default::Bool(false)),
    Key::new("header-field", Type::Text, "A request field that tells the service the user's name.")
        .or(Default::None("none")),
];

const IP_ALLOW: &[Key] = &[
    Key::new("ranges", Type::OneOrMany(&Type::Network), "Addresses and networks that may pass.").required(),
    Key::new(
        "depth",
        Type::Integer(0, 64),
        "0 is `client-ip`; N is the Nth address of X-Forwarded-For from the right, the peer's not counted.",
    )
    .or(Default::Int(0)),
    Key::new("status", Type::Status, "What everybody else is answered.").or(Default::Int(403)),
];

const BY_HEADER: &[Key] =
    &[Key::new("header", Type::Text, "The request field; requests without it share one count.").required()];

const BY: Key = Key::new(
    "by",
    Type::Either(&[Type::Choice(&["client-ip", "peer-ip", "host", "all"], &[]), Type::Table(BY_HEADER)]),
    "What is counted as one client (IPv6 by /64), or `all` requests together.",
)
.or(Default::Str("client-ip"));

const RATE_LIMIT: &[Key] = &[
    Key::new("rate", Type::Rate, "Requests in a period.").required(),
    Key::new("burst", Type::Integer(1, 1_000_000_000), "Requests that may come at once.")
        .or(Default::None("the number of the rate")),
    BY,
];

const IN_FLIGHT: &[Key] =
    &[Key::new("amount", Type::Integer(1, 1_000_000_000), "Requests at the same time.").required(), BY];

const COMPRESS: &[Key] = &[
    Key::new(
        "encodings",
        Type::List(&Type::Choice(&["zstd", "br", "gzip"], &[])),
        "In the order of preference.",
    )
    .or(Default::Strings(&["zstd", "br", "gzip"])),
    Key::new("min-size", Type::Size(0, 1 << 40), "Responses below this stay as they are.")
        .or(Default::Str("1KiB")),
    Key::new("types", Type::List(&Type::Text), "Media types, `type/*` allowed.")
        .or(Default::None("text, JSON, JavaScript, XML, SVG, WASM, fonts")),
    Key::new("exclude", Type::List(&Type::Text), "Media types that are never compressed.")
        .or(Default::Strings(&[])),
];

const ERRORS: &[Key] = &[
    Key::new("status", Type::OneOrMany(&Type::Statuses), "Which responses are replaced.").required(),
    Key::new("service", Type::Service, "Where the page comes from.").required(),
    Key::new("path", Type::Text, "What is asked for; `{status}` and `{url}` are replaced.").required(),
];

const PASS_CLIENT_CERT: &[Key] = &[
    Key::new(
        "certificate",
        Type::Choice(&["client-cert", "x-forwarded-tls-client-cert", "off"], &[]),
        "The field of the certificate itself: `Client-Cert` (RFC 9440), or the one of Traefik.",
    )
    .or(Default::Str("client-cert")),
    Key::new(
        "info",
        Type::Bool,
        "Whether X-Forwarded-Tls-Client-Cert-Info tells subject, issuer, serial number and alternative names.",
    )
    .or(Default::Bool(false)),
    Key::new(
        "unverified",
        Type::Bool,
        "Whether certificates are passed on that the TLS policy did not verify: what they say is a claim.",
    )
    .or(Default::Bool(false)),
];

pub(super) static MIDDLEWARES: Kind = Kind {
    table: "middlewares",
    section: Some(Section::Middlewares),
    named: true,
    inherits: true,
    doc: "What happens to a request on its way to a service, and to the response on its way back: exactly one kind key.",
    keys: KINDS,
    groups: &[Group { keys: NAMES, required: true }],
    example: "[sites.\"app.localhost\"]\nuse = [\"limit\"]\nto  = \"http://127.0.0.1:3000\"\n\n[middlewares.limit]\nrate-limit = { rate = \"100/s\", burst = 200 }\n",
};

const KINDS: &[Key; 28] = &[
    Key::new("headers", Type::Table(HEADERS), "Sets, adds and removes fields."),
    Key::new("strip-prefix", Type::OneOrMany(&Type::Text), "Takes the first prefix that fits off the path."),
    Key::new(
        "strip-prefix-regex",
        Type::OneOrMany(&Type::Regex),
        "The same by regex, at the start of the path.",
    ),
    Key::new("add-prefix", Type::Text, "Puts a prefix before the path."),
    Key::new("replace-path", Type::Text, "Replaces the path."),
    Key::new("replace-path-regex", Type::Table(REPLACE), "Replaces in the path."),
    Key::new("redirect-scheme", Type::Table(REDIRECT_SCHEME), "Redirects to the same URL of another scheme."),
    Key::new("redirect-regex", Type::Table(REDIRECT_REGEX), "Redirects by the whole URL."),
    Key::new("basic-auth", Type::Table(BASIC_AUTH), "Lets in who knows a password."),
    Key::new("ip-allow", Type::Table(IP_ALLOW), "Lets in by address."),
    Key::new("rate-limit", Type::Table(RATE_LIMIT), "Answers 429 to clients that ask too often."),
    Key::new(
        "in-flight",
        Type::Table(IN_FLIGHT),
        "Answers 429 to clients with too many requests at the same time.",
    ),
    Key::new("body-limit", Type::Size(0, 1 << 50), "Answers 413 to request bodies beyond this size."),
    Key::new("compress", Type::Table(COMPRESS), "Compresses responses."),
    Key::new("errors", Type::Table(ERRORS), "Replaces error responses by a service's pages."),
    Key::new(
        "pass-client-cert",
        Type::Table(PASS_CLIENT_CERT),
        "Tells the service about the client's certificate. What clients themselves send in these fields is removed.",
    ),
    Key::new("chain", Type::List(&Type::Ref(Section::Middlewares)), "Other middlewares, in order."),
    Key::later("forward-auth", "Asks a service whether the request may pass."),
    Key::later("buffering", "Holds whole bodies."),
    Key::later("circuit-breaker", "Stops asking a failing service."),
    Key::later("cors", "Cross-origin resource sharing."),
    Key::later("security-headers", "Response fields that browsers heed."),
    Key::later("content-type", "Detects the Content-Type of responses."),
    Key::later("cache", "Keeps responses."),
    Key::later("jwt", "Lets in who shows a signed token."),
    Key::later("oidc", "Lets in by OpenID Connect."),
    Key::later("api-key", "Lets in who shows a key."),
    Key::later("plugin", "Runs a plugin."),
];

const NAMES: &[&str] = &names(KINDS);

const fn names<const N: usize>(keys: &[Key; N]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut i = 0;
    while i < N {
        names[i] = keys[i].name;
        i += 1;
    }
    names
}

pub(super) static PLUGINS: Kind = Kind::later("plugins", true, "A WASM module.");
