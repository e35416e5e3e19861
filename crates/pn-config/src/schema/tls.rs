//! Issuers and TLS policies.

use super::{DAY_MS, Default, Group, Key, Kind, Type};
use crate::resolved::Section;

const INTERNAL_CA: &[Key] = &[Key::new(
    "lifetime",
    Type::Duration(3_600_000, 825 * DAY_MS),
    "How long a certificate is valid, 1h to 825d; it is renewed at two thirds.",
)
.or(Default::Str("7d"))];

pub(super) static ISSUERS: Kind = Kind {
    table: "issuers",
    section: Some(Section::Issuers),
    named: true,
    inherits: true,
    doc: "Where certificates come from. The issuer `main`, or the only one, is the default of every site.",
    keys: &[
        Key::new(
            "internal-ca",
            Type::Table(INTERNAL_CA),
            "A CA of this machine, whose root `proxy-now trust` installs.",
        ),
        Key::new(
            "acme",
            Type::Table(super::acme::ACME),
            "Let's Encrypt, or another CA that speaks ACME (RFC 8555).",
        ),
    ],
    groups: &[Group { keys: &["acme", "internal-ca"], required: true }],
    example: "[issuers.main]\nacme = { email = \"ops@corp.example\" }\n\n[issuers.lan]\ninternal-ca = { lifetime = \"7d\" }\n",
};

/// Of rustls with aws-lc-rs.
const SUITES: &[&str] = &[
    "TLS_AES_256_GCM_SHA384",
    "TLS_AES_128_GCM_SHA256",
    "TLS_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// Of rustls with aws-lc-rs, by their IANA names.
const GROUPS: &[&str] =
    &["X25519MLKEM768", "SecP256r1MLKEM768", "MLKEM768", "x25519", "secp256r1", "secp384r1"];

const CLIENT_AUTH: &[Key] = &[
    Key::new(
        "mode",
        Type::Choice(&["request", "require-any", "verify-if-given", "require-and-verify"], &[]),
        "Whether a client certificate is asked for, demanded, and verified.",
    )
    .or(Default::Str("require-and-verify")),
    Key::new("roots", Type::OneOrMany(&Type::Pem), "PEM roots that client certificates must lead to.")
        .or(Default::Strings(&[])),
    Key::new("crls", Type::OneOrMany(&Type::Pem), "PEM revocation lists.").or(Default::Strings(&[])),
    Key::new(
        "subjects",
        Type::OneOrMany(&Type::Text),
        "Whole subjects as RFC 4514 writes them (`openssl x509 -noout -subject -nameopt rfc2253`). With `subjects` or \
         `sans`, of the certificates that are verified only those come in that one of either is for.",
    )
    .or(Default::Strings(&[])),
    Key::new(
        "sans",
        Type::OneOrMany(&Type::Text),
        "Alternative names: `host`, `*.host`, `**.host`, `name@host`, an address, a URI, or URIs that begin with what \
         stands before a `*` at the end.",
    )
    .or(Default::Strings(&[])),
];

const VERSIONS: Type = Type::Choice(&["1.2", "1.3"], &[]);

pub(super) static TLS_POLICIES: Kind = Kind {
    table: "tls-policies",
    section: Some(Section::TlsPolicies),
    named: true,
    inherits: true,
    doc: "What is demanded of a client's TLS, before any route is known.",
    keys: &[
        Key::new(
            "profile",
            Type::Choice(&["modern", "intermediate", "old"], &[]),
            "A profile of Mozilla's guidelines, in place of versions, suites and groups: `modern` is TLS 1.3 alone, `intermediate` 1.2 with forward secrecy and 1.3. What `old` adds is not spoken here.",
        )
        .or(Default::None("`intermediate`, unless other keys say otherwise")),
        Key::new("min-version", VERSIONS, "The lowest TLS version.").or(Default::None("`1.2`")),
        Key::new("max-version", VERSIONS, "The highest TLS version.").or(Default::None("`1.3`")),
        Key::new(
            "cipher-suites",
            Type::List(&Type::Choice(SUITES, &[])),
            "IANA names; empty is the library's order.",
        )
        .or(Default::Strings(&[])),
        Key::new(
            "groups",
            Type::List(&Type::Choice(GROUPS, &[])),
            "Key exchange groups by their IANA names; empty is the library's order, X25519MLKEM768 first.",
        )
        .or(Default::Strings(&[])),
        Key::new("alpn", Type::List(&Type::Text), "Protocols that are offered; empty is by the listener's.")
            .or(Default::Strings(&[])),
        Key::new("client-auth", Type::Table(CLIENT_AUTH), "Client certificates.").or(Default::None("none")),
        Key::new(
            "sni-strict",
            Type::Bool,
            "Refuse clients that send no server name, or one that no site has.",
        )
        .or(Default::Bool(false)),
        Key::later("signals", "Policy over what a ClientHello tells about the client."),
    ],
    groups: &[],
    example: "[tls-policies.modern]\nmin-version = \"1.3\"\nsni-strict  = true\n",
};
