//! What requests end at: services, and the transports by which servers are spoken to.

use super::edge::{CERTIFICATE, FILES_KEY, REDIRECT_KEY, RESPOND_KEY};
use super::{Default, Group, Key, Kind, Type, YEAR_MS};
use crate::resolved::Section;

const SERVER: &[Key] = &[
    Key::new("url", Type::Server, "`http://`, `https://` or `h2c://`, host and port; or `unix:/path`.")
        .required(),
    Key::new("weight", Type::Integer(0, 1_000_000), "Share of requests; 0 takes no new ones.")
        .or(Default::Int(1)),
];

const HASH: &[Key] = &[Key::new(
    "hash",
    Type::Choice(&["client-ip"], &[]),
    "What is hashed: the same value goes to the same server.",
)
.required()];

const STICKY: &[Key] = &[
    Key::new("cookie", Type::Text, "The cookie's name.").required(),
    Key::new("secure", Type::Bool, "Only over HTTPS; switch off for sites on plain HTTP.")
        .or(Default::Bool(true)),
    Key::new("http-only", Type::Bool, "Hidden from scripts.").or(Default::Bool(true)),
    Key::new("same-site", Type::Choice(&["strict", "lax", "none"], &[]), "The SameSite attribute.")
        .or(Default::Str("lax")),
    Key::new("max-age", Type::Duration(1_000, YEAR_MS), "How long the cookie lives.")
        .or(Default::None("until the browser closes")),
    Key::new("path", Type::Text, "The Path attribute.").or(Default::Str("/")),
    Key::new("domain", Type::Text, "The Domain attribute.").or(Default::None("the host itself")),
];

const HEALTH_CHECK: &[Key] = &[
    Key::new(
        "mode",
        Type::Choice(&["http", "grpc", "tcp"], &[]),
        "What counts as healthy: a response, grpc.health.v1, or a connection that opens.",
    )
    .or(Default::Str("http")),
    Key::new("path", Type::Text, "The path that is asked for.").or(Default::Str("/")),
    Key::new("method", Type::Text, "The method that is used.").or(Default::Str("GET")),
    Key::new("host", Type::Text, "The Host field.").or(Default::None("the server's own")),
    Key::new("headers", Type::Map(&Type::Text), "Further request fields.").or(Default::Table),
    Key::new("status", Type::OneOrMany(&Type::Statuses), "Status codes that count as healthy.")
        .or(Default::Strings(&["200-399"])),
    Key::new(
        "grpc-service",
        Type::Text,
        "The service asked for by mode `grpc`; empty is the server as a whole.",
    )
    .or(Default::Str("")),
    Key::new("port", Type::Integer(1, 65_535), "The port.").or(Default::None("the server's own")),
    Key::new("interval", Type::Duration(100, YEAR_MS), "Between two checks, at least 100ms.")
        .or(Default::Str("10s")),
    Key::new("timeout", Type::Duration(10, YEAR_MS), "How long a check may take, at least 10ms.")
        .or(Default::Str("2s")),
    Key::new("passes", Type::Integer(1, 1_000), "Successes in a row that bring a server back.")
        .or(Default::Int(1)),
    Key::new("fails", Type::Integer(1, 1_000), "Failures in a row that take a server out.")
        .or(Default::Int(1)),
];

const OUTLIER: &[Key] = &[
    Key::new(
        "failures",
        Type::Integer(1, 1_000_000),
        "Failed requests within the window that take a server out.",
    )
    .or(Default::Int(5)),
    Key::new("window", Type::Duration(100, YEAR_MS), "How far back failures count.").or(Default::Str("10s")),
    Key::new("eject", Type::Duration(100, YEAR_MS), "How long the server stays out.").or(Default::Str("30s")),
];

const RETRIES: &[Key] = &[
    Key::new("attempts", Type::Integer(1, 10), "Further attempts after the first.").or(Default::Int(2)),
    Key::new(
        "on",
        Type::List(&Type::Either(&[Type::Choice(&["connect", "reset", "timeout"], &[]), Type::Status])),
        "What is retried: no connection, a connection that broke before a response, a response that took too long, or a status code.",
    )
    .or(Default::Strings(&["connect"])),
    Key::new("budget", Type::Float(0.0, 1.0), "Retries as a share of requests over ten seconds; one a second is always allowed.")
        .or(Default::Float(0.2)),
];

const SERVERS_ONLY: &[&str] = &["servers"];

pub(super) static SERVICES: Kind = Kind {
    table: "services",
    section: Some(Section::Services),
    named: true,
    inherits: true,
    doc: "Where requests end: servers, a split between services, a fixed response or a redirect. A service with retries picks another server each time, and repeats only idempotent requests unless nothing was sent.",
    keys: &[
        Key::new("servers", Type::OneOrMany(&Type::Short("url", SERVER)), "Upstream servers: URLs, or tables with a weight."),
        Key::new("split", Type::RefMap(Section::Services, &Type::Integer(0, 1_000_000)), "Other services and their weights."),
        RESPOND_KEY,
        REDIRECT_KEY,
        Key::later("mirror", "Copies requests to a second service."),
        Key::later("failover", "Services that are tried in order."),
        FILES_KEY,
        Key::later("fastcgi", "A FastCGI application."),
        Key::new("use", Type::List(&Type::Ref(Section::Middlewares)), "Middlewares, after the route's.").or(Default::Strings(&[])),
        Key::new(
            "balance",
            Type::Either(&[Type::Choice(&["round-robin", "least-conn", "p2c"], &["least-time"]), Type::Table(HASH)]),
            "How a server is picked: in weighted turn, the fewest requests in flight, the better of two at random, or by a hash.",
        )
        .or(Default::Str("round-robin"))
        .only(SERVERS_ONLY),
        Key::new("sticky", Type::Table(STICKY), "A cookie that keeps a client at its server, or at its side of a split.")
            .or(Default::None("off"))
            .only(&["servers", "split"]),
        Key::new("health-check", Type::Table(HEALTH_CHECK), "Checks that take servers out and bring them back.")
            .or(Default::None("off"))
            .only(SERVERS_ONLY),
        Key::new("outlier", Type::Table(OUTLIER), "Takes servers out by the failures of real requests.")
            .or(Default::None("off"))
            .only(SERVERS_ONLY),
        Key::new("retries", Type::Table(RETRIES), "Further attempts at other servers.").or(Default::None("off")).only(SERVERS_ONLY),
        Key::new("host-header", Type::Text, "The Host field that servers get: `preserve` the client's, `server` the URL's, or a literal name.")
            .or(Default::Str("preserve"))
            .only(SERVERS_ONLY),
        Key::new(
            "transport",
            Type::Either(&[Type::Ref(Section::Transports), Type::Inline(&TRANSPORTS)]),
            "How servers are spoken to: the name of a transport, or its keys inline.",
        )
        .or(Default::None("the built-in one"))
        .only(SERVERS_ONLY),
    ],
    groups: &[Group {
        keys: &["servers", "split", "respond", "redirect", "mirror", "failover", "files", "fastcgi"],
        required: true,
    }],
    example: "[sites.\"app.localhost\"]\nto = \"app\"\n\n[services.app]\nservers      = [\"http://127.0.0.1:3000\", { url = \"http://127.0.0.1:3001\", weight = 3 }]\nhealth-check = { path = \"/healthz\" }\n",
};

const TRANSPORT_TIMEOUTS: &[Key] = &[
    Key::new("connect", Type::Duration(1, YEAR_MS), "Name, TCP and TLS together.").or(Default::Str("5s")),
    Key::new(
        "response-header",
        Type::Duration(0, YEAR_MS),
        "From the end of the request's head to the head of the response; `0s` waits for ever.",
    )
    .or(Default::Str("60s")),
    Key::new(
        "body-idle",
        Type::Duration(0, YEAR_MS),
        "Longest pause between two pieces of a response body; `0s` waits for ever.",
    )
    .or(Default::Str("5m")),
    Key::new("idle", Type::Duration(1, YEAR_MS), "How long an unused connection is kept.")
        .or(Default::Str("90s")),
];

const POOL: &[Key] = &[
    Key::new(
        "idle-per-server",
        Type::Integer(0, 1_000_000),
        "Unused connections that are kept for longer than a second or two; `0` keeps none.",
    )
    .or(Default::Int(200)),
    Key::new("connections-per-server", Type::Integer(0, 1_000_000), "Connections at once; 0 is no limit.")
        .or(Default::Int(0)),
];

pub(super) static TRANSPORTS: Kind = Kind {
    table: "transports",
    section: Some(Section::Transports),
    named: true,
    inherits: true,
    doc: "How upstream servers are spoken to.",
    keys: &[
        Key::new(
            "protocol",
            Type::Choice(&["auto", "h1", "h2", "h2c"], &["h3"]),
            "The HTTP version; `auto` goes by the URL's scheme, and by ALPN where it is TLS.",
        )
        .or(Default::Str("auto")),
        Key::new("server-name", Type::Text, "The name sent by SNI and checked against the certificate.")
            .or(Default::None("the host of the server's URL")),
        Key::new("roots", Type::OneOrMany(&Type::Pem), "PEM roots that are trusted.")
            .or(Default::None("the system's")),
        Key::new(
            "insecure-skip-verify",
            Type::Bool,
            "Takes any certificate. Anybody on the way can read and alter everything.",
        )
        .or(Default::Bool(false)),
        Key::new("client-certificate", Type::Table(CERTIFICATE), "The certificate shown to servers.")
            .or(Default::None("none")),
        Key::new(
            "proxy-protocol",
            Type::Choice(&["v1", "v2"], &[]),
            "A PROXY header sent first on each connection.",
        )
        .or(Default::None("none")),
        Key::new("timeouts", Type::Table(TRANSPORT_TIMEOUTS), "How long servers may take.")
            .or(Default::Table),
        Key::new("pool", Type::Table(POOL), "Connections, for the whole process.").or(Default::Table),
    ],
    groups: &[],
    example: "[transports.internal-tls]\nserver-name = \"app.internal\"\ntimeouts    = { connect = \"2s\" }\n",
};
