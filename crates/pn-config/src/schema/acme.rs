//! Issuers that speak ACME.

use super::{DAY_MS, Default, Key, Type};
use crate::resolved::Section;

const EAB: &[Key] = &[
    Key::new("kid", Type::Text, "The key's id, as the CA gave it.").required(),
    Key::new("hmac", Type::Text, "The key itself in base64url, as the CA gave it.").required().secret(),
];

const TSIG: &[Key] = &[
    Key::new("name", Type::Text, "The key's name, as the name server knows it.").required(),
    Key::new(
        "algorithm",
        Type::Choice(&["hmac-sha256", "hmac-sha384", "hmac-sha512"], &[]),
        "The key's algorithm.",
    )
    .or(Default::Str("hmac-sha256")),
    Key::new("secret", Type::Text, "The key itself in base64, as `tsig-keygen` prints it.")
        .required()
        .secret(),
];

const PROPAGATION: &[Key] = &[
    Key::new(
        "check",
        Type::Bool,
        "Whether the records are looked up before the CA is told; otherwise `interval` is waited for, once.",
    )
    .or(Default::Bool(true)),
    Key::new("timeout", Type::Duration(1_000, DAY_MS), "How long the records may take to show, 1s to 1d.")
        .or(Default::Str("2m")),
    Key::new("interval", Type::Duration(100, 3_600_000), "Between two looks, 100ms to 1h.")
        .or(Default::Str("2s")),
    Key::new(
        "resolvers",
        Type::OneOrMany(&Type::Text),
        "Who is asked, `host` or `host:port`; empty is the zone's own name servers.",
    )
    .or(Default::Strings(&[])),
];

const DNS: &[Key] = &[
    Key::new(
        "provider",
        Type::Text,
        "`rfc2136` (dynamic updates), `exec` (a program, as lego runs it), `httpreq` (lego's protocol), or the name of a provider of the library.",
    )
    .required(),
    Key::new("server", Type::Text, "Of `rfc2136`: the primary name server, `host` or `host:port`.")
        .or(Default::None("none; required by `rfc2136`")),
    Key::new("tsig", Type::Table(TSIG), "Of `rfc2136`: the key that signs updates.")
        .or(Default::None("unsigned updates")),
    Key::new("program", Type::File, "Of `exec`: run as `PROGRAM ARGS.. present|cleanup FQDN VALUE`.")
        .or(Default::None("none; required by `exec`")),
    Key::new("args", Type::List(&Type::Text), "Of `exec`: arguments before `present` or `cleanup`.")
        .or(Default::Strings(&[])),
    Key::new("url", Type::Text, "Of `httpreq`: `/present` and `/cleanup` are posted to below it.")
        .or(Default::None("none; required by `httpreq`")),
    Key::new("username", Type::Text, "Of `httpreq`: for basic authentication.").or(Default::None("none")),
    Key::new("password", Type::Text, "Of `httpreq`: for basic authentication.")
        .or(Default::None("none"))
        .secret(),
    Key::new(
        "mode",
        Type::Choice(&["record", "raw"], &[]),
        "Of `exec` and `httpreq`: whether name and value of the record are handed over, or what they are computed from (lego's mode RAW).",
    )
    .or(Default::Str("record")),
    Key::new("settings", Type::Map(&Type::Text), "Of a provider of the library: its credentials.")
        .or(Default::Table)
        .secret(),
    Key::new("ttl", Type::Duration(1_000, DAY_MS), "Of the records, 1s to 1d.").or(Default::Str("60s")),
    Key::new(
        "propagation",
        Type::Table(PROPAGATION),
        "How it is found out that the records can be seen by everybody.",
    )
    .or(Default::Table),
];

const ON_DEMAND: &[Key] = &[
    Key::new(
        "ask",
        Type::Text,
        "A URL that is asked with `?domain=NAME` before a name gets a certificate, and before it is renewed; any 2xx allows it. \
         By https, or http on this machine.",
    )
    .or(Default::None("nobody is asked")),
    Key::new(
        "allow",
        Type::OneOrMany(&Type::Host),
        "Names that are allowed without asking, `*.host` and `**.host` too.",
    )
    .or(Default::Strings(&[])),
];

const THROTTLE: &[Key] = &[
    Key::new("orders", Type::Integer(1, 100_000), "How many orders.").or(Default::Int(10)),
    Key::new("per", Type::Duration(1_000, 365 * DAY_MS), "In how long, 1s to 365d.").or(Default::Str("10s")),
];

pub(super) const ACME: &[Key] = &[
    Key::new("email", Type::Text, "Where the CA writes to about the account.").or(Default::None("none")),
    Key::new(
        "directory",
        Type::Text,
        "The CA: `letsencrypt`, `letsencrypt-staging`, `zerossl`, `google`, `google-staging`, or the URL of a directory.",
    )
    .or(Default::Str("letsencrypt")),
    Key::new(
        "staging",
        Type::Text,
        "Where an order that failed is tried again, so that failures do not use up the limits of the real CA: a name or URL as of `directory`, or `off`.",
    )
    .or(Default::None("`letsencrypt-staging` for Let's Encrypt, else `off`")),
    Key::new("roots", Type::OneOrMany(&Type::Pem), "PEM roots that the directory's own certificate must lead to.")
        .or(Default::None("the system's")),
    Key::new(
        "challenges",
        Type::OneOrMany(&Type::Choice(&["tls-alpn-01", "http-01", "dns-01", "dns-persist-01"], &[])),
        "How names are proven, in the order of preference.",
    )
    .or(Default::None("`tls-alpn-01`, then `http-01`; with `dns`, `dns-01` alone")),
    Key::new(
        "key-type",
        Type::Choice(&["p256", "p384", "rsa2048", "rsa3072", "rsa4096"], &[]),
        "Of certificates; each has a key of its own.",
    )
    .or(Default::Str("p256")),
    Key::new("profile", Type::Text, "A profile of the CA, such as `shortlived`.")
        .or(Default::None("the CA's choice")),
    Key::new(
        "preferred-chain",
        Type::Text,
        "The common name of the topmost issuer of the chain that is wanted, where the CA offers several.",
    )
    .or(Default::None("the CA's default")),
    Key::new("eab", Type::Table(EAB), "Binds the account to one at the CA (external account binding).")
        .or(Default::None("none; `zerossl` and `google` need it")),
    Key::new("dns", Type::Table(DNS), "How `dns-01` writes its records.").or(Default::None("none")),
    Key::new(
        "fallback",
        Type::OneOrMany(&Type::Ref(Section::Issuers)),
        "Other ACME issuers that are tried in this order when this one fails.",
    )
    .or(Default::Strings(&[])),
    Key::new(
        "until-issued",
        Type::Choice(&["internal-ca", "unavailable"], &[]),
        "What a site answers with before its first certificate is there: itself under a certificate of the internal CA, or 503 under a self-signed one.",
    )
    .or(Default::Str("internal-ca")),
    Key::new(
        "on-demand",
        Type::Table(ON_DEMAND),
        "Certificates for names that are only known once a client asks, under `*` and `**.host`: `ask` or `allow` is needed.",
    )
    .or(Default::None("off")),
    Key::new("throttle", Type::Table(THROTTLE), "At most so many orders for the account.").or(Default::Table),
];
