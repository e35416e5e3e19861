//! What clients meet: listeners, sites and their routes, free-form routes, assertions about them.

use super::{Default, Group, Key, Kind, Type, YEAR_MS};
use crate::resolved::Section;

const NETWORKS: Type = Type::OneOrMany(&Type::Network);
const MIDDLEWARES: Type = Type::List(&Type::Ref(Section::Middlewares));

const PROXY_PROTOCOL: &[Key] = &[
    Key::new(
        "trusted",
        NETWORKS,
        "Peers whose PROXY header is read; from any other peer a header is a malformed request.",
    )
    .required(),
    Key::new("required", Type::Bool, "Refuse trusted peers that send none.").or(Default::Bool(false)),
];

const LISTENER_TIMEOUTS: &[Key] = &[
    Key::new("handshake", Type::Duration(1, YEAR_MS), "TLS handshake and PROXY header together.")
        .or(Default::Str("10s")),
    Key::new(
        "header",
        Type::Duration(1, YEAR_MS),
        "From the first byte of a request to the end of its head.",
    )
    .or(Default::Str("10s")),
    Key::new(
        "body-idle",
        Type::Duration(0, YEAR_MS),
        "Longest pause between two pieces of a body, either way; `0s` switches it off.",
    )
    .or(Default::Str("30s")),
    Key::new(
        "keepalive-idle",
        Type::Duration(1, YEAR_MS),
        "Longest silence between two requests of a connection.",
    )
    .or(Default::Str("75s")),
    Key::new(
        "drain",
        Type::Duration(0, YEAR_MS),
        "How long connections may finish when the listener goes or the process is told to stop.",
    )
    .or(Default::Str("30s")),
];

const LISTENER_LIMITS: &[Key] = &[
    Key::new(
        "connections",
        Type::Integer(1, 10_000_000),
        "Open connections; further ones wait in the kernel's queue.",
    )
    .or(Default::Int(100_000)),
    Key::new("header-bytes", Type::Size(1 << 10, 1 << 20), "Size of a request head, 1KiB to 1MiB.")
        .or(Default::Str("64KiB")),
    Key::new("headers", Type::Integer(1, 1024), "Fields of a request head.").or(Default::Int(128)),
    Key::new(
        "requests-per-connection",
        Type::Integer(0, 4_294_967_295),
        "Requests after which a connection is closed; 0 is no limit.",
    )
    .or(Default::Int(0)),
    Key::new("h2-streams", Type::Integer(1, 100_000), "Concurrent streams of an HTTP/2 connection.")
        .or(Default::Int(250)),
    Key::new(
        "body-min-rate",
        Type::Size(0, 1 << 30),
        "Bytes a second below which a request body that keeps dripping is cut off; 0 switches it off.",
    )
    .or(Default::Str("0B")),
];

pub(super) static LISTENERS: Kind = Kind {
    table: "listeners",
    section: Some(Section::Listeners),
    named: true,
    inherits: true,
    doc: "A socket, and what holds for every connection that enters there. `web` (`:80`) and `websecure` (`:443`, TLS) exist; a file may override their keys and add others.",
    keys: &[
        Key::new(
            "address",
            Type::OneOrMany(&Type::Bind),
            "Where to listen: `0.0.0.0:80`, `:80` for every address, `unix:/path`, or `fd:NAME` for a socket that systemd hands over.",
        )
        .required(),
        Key::new("tls", Type::Bool, "Whether connections start with TLS; `true` on `websecure`.").or(Default::Bool(false)),
        Key::new(
            "protocols",
            Type::List(&Type::Choice(&["h1", "h2", "h2c"], &["h3"])),
            "HTTP versions that are spoken; `h2` needs TLS, `h2c` is HTTP/2 without it.",
        )
        .or(Default::None("`h1` and `h2c`; with TLS `h1` and `h2`")),
        Key::new("proxy-protocol", Type::Table(PROXY_PROTOCOL), "PROXY protocol, version 1 and 2, of load balancers in front.")
            .or(Default::None("not read")),
        Key::new("trusted-proxies", NETWORKS, "Peers whose X-Forwarded-* and Forwarded fields are believed; X-Forwarded-For goes before Forwarded. Of anybody else these, X-Real-Ip, Front-End-Https, X-Url-Scheme, X-Scheme, X-Original-Url and X-Rewrite-Url are dropped.")
            .or(Default::Strings(&[])),
        Key::new("use", MIDDLEWARES, "Middlewares for every request that enters here; they run first.")
            .or(Default::Strings(&[])),
        Key::new("timeouts", Type::Table(LISTENER_TIMEOUTS), "How long clients may take.").or(Default::Table),
        Key::new("limits", Type::Table(LISTENER_LIMITS), "How much clients may ask for.").or(Default::Table),
        Key::new(
            "paths",
            Type::Choice(&["normalise", "strict"], &[]),
            "What happens to paths that are not in normal form; `strict` answers 400.",
        )
        .or(Default::Str("normalise")),
    ],
    groups: &[],
    example: "[listeners.internal]\naddress         = \"127.0.0.1:8080\"\ntrusted-proxies = [\"10.0.0.0/8\"]\n",
};

const RESPOND: &[Key] = &[
    Key::new("status", Type::Status, "The status code.").or(Default::Int(200)),
    Key::new("body", Type::Text, "The body, as it is sent.").or(Default::Str("")),
    Key::new("headers", Type::Map(&Type::Text), "Response fields.").or(Default::Table),
];

const REDIRECT: &[Key] = &[
    Key::new(
        "to",
        Type::Text,
        "The URL; `{scheme}`, `{host}`, `{port}`, `{path}`, `{query}` and `{uri}` are replaced by the request's.",
    )
    .required(),
    Key::new("permanent", Type::Bool, "308 and 301 instead of 307 and 302.").or(Default::Bool(false)),
];

/// Where requests end: the keys that sites, routes and services share.
pub(super) const RESPOND_KEY: Key =
    Key::new("respond", Type::Table(RESPOND), "Answer with a fixed response.");
pub(super) const REDIRECT_KEY: Key = Key::new(
    "redirect",
    Type::Short("to", REDIRECT),
    "Redirect to another URL; a string stands for `{ to = .. }`.",
);
pub(super) const FILES_KEY: Key = Key::later("files", "Serve files of a directory.");

const TARGETS: &[&str] = &["to", "files", "respond", "redirect"];

pub(super) const CERTIFICATE: &[Key] = &[
    Key::new("cert", Type::Pem, "PEM chain, leaf first.").required(),
    Key::new("key", Type::Pem, "PEM private key: PKCS#8, PKCS#1 or SEC1.").required(),
];

const PRIORITY: Key = Key::new(
    "priority",
    Type::Integer(-1_000_000_000, 1_000_000_000),
    "Ranks before everything but the host; higher goes first.",
)
.or(Default::Int(0));

const FALL_THROUGH: Key = Key::new(
    "fall-through",
    Type::Bool,
    "Whether a request that misses a condition may fall to a route that lacks this one's guards.",
)
.or(Default::Bool(false));

const ROUTE_USE: Key =
    Key::new("use", MIDDLEWARES, "Middlewares, after the site's and before the service's.")
        .or(Default::Strings(&[]));

const CONDITION: Type = Type::Map(&Type::Either(&[Type::Bool, Type::Text]));

/// A route of a site: conditions and a target.
pub(crate) static SITE_ROUTE: Kind = Kind {
    table: "routes",
    section: None,
    named: true,
    inherits: false,
    doc: "A route of a site, by its path: `/a` exact, `/a/*` the segment prefix, `~regex`. An array of tables where one path splits by condition.",
    keys: &[
        Key::new(
            "methods",
            Type::OneOrMany(&Type::Text),
            "Only these methods. `GET` covers HEAD unless HEAD has its own entry.",
        )
        .or(Default::None("every method")),
        Key::new(
            "headers",
            CONDITION,
            "Request fields by name: a literal, `\"~regex\"`, `true` for present, `false` for absent.",
        )
        .or(Default::Table),
        Key::new("query", CONDITION, "Query parameters by name, as `headers`.").or(Default::Table),
        Key::new("client-ip", NETWORKS, "Only clients from here, after PROXY protocol and trusted proxies.")
            .or(Default::None("everywhere")),
        Key::new("peer-ip", NETWORKS, "Only sockets from here, after PROXY protocol.")
            .or(Default::None("everywhere")),
        Key::new(
            "tls",
            Type::Either(&[Type::Bool, Type::LaterTable]),
            "Only requests that came over TLS, or only those that did not.",
        )
        .or(Default::None("both")),
        PRIORITY,
        ROUTE_USE,
        Key::new(
            "strip-prefix",
            Type::Bool,
            "Takes the prefix of the path pattern off, after all other middlewares.",
        )
        .or(Default::Bool(false)),
        Key::new("to", Type::Service, "The service: a name, `@built-in`, or an address.")
            .or(Default::None("the site's own target")),
        RESPOND_KEY,
        REDIRECT_KEY,
        FILES_KEY,
        FALL_THROUGH,
        Key::new(
            "unset",
            Type::List(&Type::Text),
            "Inherited keys that do not apply here; `use` drops the site's middlewares.",
        ),
    ],
    groups: &[Group { keys: TARGETS, required: false }],
    example: "[sites.\"app.internal\".routes.\"/api/*\"]\nstrip-prefix = true\nto           = \"http://127.0.0.1:3001\"\n",
};

pub(super) static SITES: Kind = Kind {
    table: "sites",
    section: Some(Section::Sites),
    named: true,
    inherits: true,
    doc: "One host and what is under it: the certificate, the TLS policy, the routes. The name is a host, `*.host` (one label), `**.host` (any depth) or `*` (everything else), in quotes.",
    keys: &[
        Key::new("hosts", Type::OneOrMany(&Type::Host), "Aliases. Never inherited.")
            .or(Default::Strings(&[])),
        Key::new("listeners", Type::OneOrMany(&Type::Ref(Section::Listeners)), "Where the site is served.")
            .or(Default::Strings(&["web", "websecure"])),
        Key::new(
            "https",
            Type::Choice(&["redirect", "both", "off"], &[]),
            "What plain HTTP does: redirect to HTTPS, serve both, or no TLS for this site at all.",
        )
        .or(Default::Str("redirect")),
        Key::new("issuer", Type::Ref(Section::Issuers), "Where the certificate comes from.").or(
            Default::None(
                "the issuer `main`, or the only one; without any, local names use the built-in internal CA",
            ),
        ),
        Key::new(
            "certificate",
            Type::OneOrMany(&Type::Table(CERTIFICATE)),
            "Certificate files: one pair, or several (say ECDSA and RSA).",
        ),
        Key::new(
            "san-group",
            Type::Text,
            "Sites of one group share a certificate; empty is a certificate of its own.",
        )
        .or(Default::Str("")),
        Key::new("tls-policy", Type::Ref(Section::TlsPolicies), "What is demanded of a client's TLS.")
            .or(Default::None("TLS 1.2 and 1.3, no client certificates")),
        Key::new("use", MIDDLEWARES, "Middlewares for every route of the site.").or(Default::Strings(&[])),
        Key::new(
            "to",
            Type::Service,
            "Where requests go that no route takes: a service, `@built-in`, or an address.",
        ),
        RESPOND_KEY,
        REDIRECT_KEY,
        FILES_KEY,
        Key::new("routes", Type::Routes, "Routes by path.").or(Default::Table),
    ],
    groups: &[
        Group { keys: TARGETS, required: false },
        Group { keys: &["issuer", "certificate"], required: false },
    ],
    example: "[sites.\"app.localhost\"]\nto = \"http://127.0.0.1:3000\"\n",
};

pub(super) static ROUTES: Kind = Kind {
    table: "routes",
    section: Some(Section::Routes),
    named: true,
    inherits: true,
    doc: "A free-form route, by a rule in the language of Traefik v3. Its branches belong to the sites of their hosts.",
    keys: &[
        Key::new("rule", Type::Rule, "The rule: ``Host(`a`) && PathPrefix(`/b`)``.").required(),
        PRIORITY,
        ROUTE_USE,
        Key::new("to", Type::Service, "The service: a name, `@built-in`, or an address."),
        RESPOND_KEY,
        REDIRECT_KEY,
        FILES_KEY,
        FALL_THROUGH,
    ],
    groups: &[Group { keys: TARGETS, required: true }],
    example: "[routes.legacy]\nrule = \"Host(`old.internal`) && PathPrefix(`/v1`)\"\nto   = \"http://127.0.0.1:3000\"\n",
};

pub(super) static STREAMS: Kind =
    Kind::later("streams", true, "TCP, TLS passed through or terminated, and UDP.");

pub(super) static ASSERTS: Kind = Kind {
    table: "asserts",
    section: Some(Section::Asserts),
    named: true,
    inherits: false,
    doc: "A policy that `check` proves of every route, so that a later edit cannot open what must stay guarded.",
    keys: &[
        Key::new(
            "sites",
            Type::OneOrMany(&Type::Host),
            "The sites that it holds for; `*` and `**` labels as in site names.",
        )
        .required(),
        Key::new("must-use", MIDDLEWARES, "Middlewares that each of their routes must run.").required(),
    ],
    groups: &[],
    example: "[sites.\"ops.internal\"]\nuse = [\"ops-only\"]\nto  = \"http://127.0.0.1:3000\"\n\n[middlewares.ops-only]\nip-allow = { ranges = [\"10.0.0.0/8\"] }\n\n[asserts.ops-are-guarded]\nsites    = \"*.internal\"\nmust-use = [\"ops-only\"]\n",
};
