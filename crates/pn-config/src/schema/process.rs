//! Process-wide settings: runtime, admin, logs, metrics, providers.

use super::{Default, Key, Kind, Type, YEAR_MS};
use crate::resolved::Section;

pub(super) static RUNTIME: Kind = Kind {
    table: "runtime",
    section: Some(Section::Runtime),
    named: false,
    inherits: false,
    doc: "How the process runs. `workers`, `state-dir` and `certificate-store` wait for a restart; the rest applies live.",
    keys: &[
        Key::new("workers", Type::Integer(0, 1024), "Worker threads; 0 is one a core.").or(Default::Int(0)),
        Key::new("io", Type::Choice(&["auto", "epoll"], &["io-uring"]), "How sockets are driven.")
            .or(Default::Str("auto")),
        Key::new(
            "router",
            Type::Choice(&["auto", "compiled", "sequential"], &[]),
            "The matcher; `auto` picks by the measured number of routes at which the compiled one wins.",
        )
        .or(Default::Str("auto")),
        Key::new(
            "rule-priority",
            Type::Choice(&["specificity", "length"], &[]),
            "`length` ranks free-form rules by the length of their text, as Traefik does, for migrated files.",
        )
        .or(Default::Str("specificity")),
        Key::new("state-dir", Type::File, "Where certificates, the internal CA and the history are kept.")
            .or(Default::None("`/var/lib/proxy-now` for root, else by XDG")),
        Key::new(
            "certificate-store",
            Type::File,
            "The directory of ACME accounts and certificates; several processes may share one.",
        )
        .or(Default::None("`certificates` in the state directory")),
        Key::new("history", Type::Integer(1, 100), "How many accepted graphs are kept for a rollback.")
            .or(Default::Int(10)),
    ],
    groups: &[],
    example: "[runtime]\nworkers = 4\nrouter  = \"auto\"\n",
};

pub(super) static ADMIN: Kind = Kind {
    table: "admin",
    section: Some(Section::Admin),
    named: false,
    inherits: false,
    doc: "The admin API: status, reload, metrics.",
    keys: &[Key::new(
        "address",
        Type::Bind,
        "Where it listens: an address and port, `unix:/path`, or `off`. It has no authentication of its own.",
    )
    .or(Default::Str("127.0.0.1:8079"))],
    groups: &[],
    example: "[admin]\naddress = \"unix:/run/proxy-now.sock\"\n",
};

const ACCESS: &[Key] = &[
    Key::new("file", Type::File, "Where access is logged.").or(Default::None("standard output")),
    Key::new(
        "status",
        Type::OneOrMany(&Type::Statuses),
        "Only responses with these status codes; empty is all.",
    )
    .or(Default::Strings(&[])),
    Key::new("min-duration", Type::Duration(0, YEAR_MS), "Only requests that took at least this long.")
        .or(Default::Str("0s")),
    Key::new("headers", Type::List(&Type::Text), "Request fields that are logged by name.")
        .or(Default::Strings(&[])),
];

pub(super) static LOGS: Kind = Kind {
    table: "logs",
    section: Some(Section::Logs),
    named: false,
    inherits: false,
    doc: "The process's own log, and the access log.",
    keys: &[
        Key::new(
            "level",
            Type::Choice(&["error", "warn", "info", "debug", "trace"], &[]),
            "The least severe level.",
        )
        .or(Default::Str("info")),
        Key::new(
            "format",
            Type::Choice(&["auto", "text", "json"], &[]),
            "`auto` is coloured text on a terminal and JSON elsewhere.",
        )
        .or(Default::Str("auto")),
        Key::new(
            "access",
            Type::Either(&[Type::Bool, Type::Table(ACCESS)]),
            "The access log, JSON, one object a line; `true` logs every request to standard output.",
        )
        .or(Default::None("no access log")),
    ],
    groups: &[],
    example: "[logs]\nlevel  = \"warn\"\naccess = { file = \"/var/log/proxy-now/access.json\", status = [\"400-599\"] }\n",
};

pub(super) static METRICS: Kind = Kind {
    table: "metrics",
    section: Some(Section::Metrics),
    named: false,
    inherits: false,
    doc: "Prometheus metrics, served by the admin API and by the built-in service `@metrics`.",
    keys: &[
        Key::new(
            "buckets",
            Type::List(&Type::Float(0.000_001, 86_400.0)),
            "Upper bounds of the duration histograms in seconds, ascending.",
        )
        .or(Default::Floats(pn_model::limits::DURATION_BUCKETS)),
        Key::new("route-labels", Type::Bool, "Whether requests are counted by route as well (more series).")
            .or(Default::Bool(false)),
    ],
    groups: &[],
    example: "[metrics]\nbuckets      = [0.01, 0.1, 1.0]\nroute-labels = true\n",
};

const FILE_PROVIDER: &[Key] = &[
    Key::new("watch", Type::Bool, "Whether changes of the files are taken live.").or(Default::Bool(true)),
    Key::new(
        "debounce",
        Type::Duration(1, 60_000),
        "How long changes are gathered before the files are read, 1ms to 1m.",
    )
    .or(Default::Str("100ms")),
];

pub(super) static PROVIDERS: Kind = Kind {
    table: "providers",
    section: Some(Section::Providers),
    named: false,
    inherits: false,
    doc: "Where configuration comes from.",
    keys: &[
        Key::new(
            "file",
            Type::Table(FILE_PROVIDER),
            "The files named on the command line and what they include.",
        )
        .or(Default::Table),
        Key::later("docker", "Containers and their labels."),
        Key::later("kubernetes", "Ingress and Gateway API objects."),
        Key::later("etcd", "Keys of an etcd cluster."),
        Key::later("consul", "Consul's catalogue."),
        Key::later("http", "A document fetched by HTTP."),
    ],
    groups: &[],
    example: "[providers]\nfile = { watch = true, debounce = \"250ms\" }\n",
};

pub(super) static TRACING: Kind = Kind::later("tracing", false, "Traces of requests, by OpenTelemetry.");

pub(super) static CLUSTER: Kind =
    Kind::later("cluster", false, "Several nodes that share certificates and limits.");
