//! The fields that a proxy acts on, recognised while a head is parsed, so that no later stage looks a name up.

use crate::alias::is_alias;
use crate::set::KnownSet;
use http::header::{self, HeaderName};

/// A field that framing, connections, forwarding or trailers depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Known {
    /// Any other field.
    Other,
    Authorization,
    CacheControl,
    Connection,
    ContentEncoding,
    ContentLength,
    ContentRange,
    ContentType,
    Cookie,
    Date,
    Expect,
    Forwarded,
    Host,
    KeepAlive,
    MaxForwards,
    Pragma,
    ProxyAuthenticate,
    ProxyAuthorization,
    ProxyConnection,
    Range,
    Server,
    SetCookie,
    Te,
    Trailer,
    TransferEncoding,
    Upgrade,
    Via,
    WwwAuthenticate,
    XForwardedFor,
    XForwardedHost,
    XForwardedMethod,
    XForwardedPort,
    XForwardedPrefix,
    XForwardedProto,
    XForwardedServer,
    XForwardedTlsClientCert,
    XForwardedTlsClientCertInfo,
    XForwardedUri,
    XRealIp,
    /// `X-Forwarded-` and anything else.
    XForwardedOther,
    /// Another name by which something known says where a request came from: what Rack, Spring, Symfony, gunicorn,
    /// Tornado, Zope and IIS' neighbours read. Names of users (`X-Forwarded-User` and its many like) are not among them:
    /// see the threat model.
    OtherClaim,
    /// A name such as `X_Forwarded_For`, which many applications cannot tell from the one with hyphens. No honest peer
    /// sends it.
    ClaimAlias,
}

use Known::{
    Authorization, CacheControl, ClaimAlias, Connection, ContentEncoding, ContentLength, ContentRange,
    ContentType, Cookie, Date, Expect, Forwarded, Host, KeepAlive, MaxForwards, Other, OtherClaim, Pragma,
    ProxyAuthenticate, ProxyAuthorization, ProxyConnection, Range, Server, SetCookie, Te, Trailer,
    TransferEncoding, Upgrade, Via, WwwAuthenticate, XForwardedFor, XForwardedHost, XForwardedMethod,
    XForwardedOther, XForwardedPort, XForwardedPrefix, XForwardedProto, XForwardedServer,
    XForwardedTlsClientCert, XForwardedTlsClientCertInfo, XForwardedUri, XRealIp,
};

/// All that say where a request came from, which upstreams take on trust of the proxy before them, so that nobody else
/// may set it. By length, so that only those are looked at that a name may be.
pub(crate) const CLAIMS: [(Known, &str); 21] = [
    (OtherClaim, "x-scheme"),
    (Forwarded, "forwarded"),
    (XRealIp, "x-real-ip"),
    (OtherClaim, "x-url-scheme"),
    (OtherClaim, "x-rewrite-url"),
    (OtherClaim, "x-forwarded-by"),
    (OtherClaim, "x-original-url"),
    (XForwardedFor, "x-forwarded-for"),
    (XForwardedUri, "x-forwarded-uri"),
    (OtherClaim, "x-forwarded-ssl"),
    (OtherClaim, "front-end-https"),
    (XForwardedHost, "x-forwarded-host"),
    (XForwardedPort, "x-forwarded-port"),
    (XForwardedProto, "x-forwarded-proto"),
    (XForwardedServer, "x-forwarded-server"),
    (XForwardedPrefix, "x-forwarded-prefix"),
    (XForwardedMethod, "x-forwarded-method"),
    (OtherClaim, "x-forwarded-scheme"),
    (OtherClaim, "x-forwarded-protocol"),
    (XForwardedTlsClientCert, "x-forwarded-tls-client-cert"),
    (XForwardedTlsClientCertInfo, "x-forwarded-tls-client-cert-info"),
];

/// Where those of each length begin and end.
const CLAIMS_OF: [(usize, usize); 33] = {
    let (mut ranges, mut at) = ([(0, 0); 33], 0);
    while at < CLAIMS.len() {
        let len = CLAIMS[at].1.len();
        assert!(at == 0 || CLAIMS[at - 1].1.len() <= len, "claims out of order");
        if ranges[len].1 == 0 {
            ranges[len].0 = at;
        }
        at += 1;
        ranges[len].1 = at;
    }
    ranges
};

impl Known {
    /// How many there are.
    #[cfg(test)]
    const COUNT: usize = ClaimAlias as usize + 1;

    /// Which one a name is, without regard to case. By length and first letter there is at most one candidate, or two.
    pub fn of(name: &[u8]) -> Self {
        let first = name.first().map_or(0, u8::to_ascii_lowercase);
        let candidate = match (name.len(), first) {
            (2, b't') => Te,
            (3, b'v') => Via,
            (4, b'h') => Host,
            (4, b'd') => Date,
            (5, b'r') => Range,
            (6, b'c') => Cookie,
            (6, b'e') => Expect,
            (6, b'p') => Pragma,
            (6, b's') => Server,
            (7, b't') => Trailer,
            (7, b'u') => Upgrade,
            (9, b'f') => Forwarded,
            (10, b'c') => Connection,
            (10, b'k') => KeepAlive,
            (10, b's') => SetCookie,
            (12, b'c') => ContentType,
            (12, b'm') => MaxForwards,
            (13, b'a') => Authorization,
            (13, b'c') if name.get(1).is_some_and(|second| second.eq_ignore_ascii_case(&b'a')) => {
                CacheControl
            }
            (13, b'c') => ContentRange,
            (14, b'c') => ContentLength,
            (16, b'c') => ContentEncoding,
            (16, b'p') => ProxyConnection,
            (16, b'w') => WwwAuthenticate,
            (17, b't') => TransferEncoding,
            (18, b'p') => ProxyAuthenticate,
            (19, b'p') => ProxyAuthorization,
            (8.., b'x') | (15, b'f') => return claim(name),
            _ => return Other,
        };
        if is_named(name, candidate.name().as_bytes()) { candidate } else { Other }
    }

    /// The name as the http crate has it, of those that are common: it need not be looked up.
    pub(crate) const fn header_name(self) -> Option<HeaderName> {
        Some(match self {
            Authorization => header::AUTHORIZATION,
            CacheControl => header::CACHE_CONTROL,
            ContentEncoding => header::CONTENT_ENCODING,
            ContentLength => header::CONTENT_LENGTH,
            ContentRange => header::CONTENT_RANGE,
            ContentType => header::CONTENT_TYPE,
            Cookie => header::COOKIE,
            Date => header::DATE,
            Range => header::RANGE,
            Server => header::SERVER,
            SetCookie => header::SET_COOKIE,
            Via => header::VIA,
            _ => return None,
        })
    }

    /// The name in lower case; empty for those that stand for many names.
    pub const fn name(self) -> &'static str {
        match self {
            Other | XForwardedOther | OtherClaim | ClaimAlias => "",
            Authorization => "authorization",
            CacheControl => "cache-control",
            Connection => "connection",
            ContentEncoding => "content-encoding",
            ContentLength => "content-length",
            ContentRange => "content-range",
            ContentType => "content-type",
            Cookie => "cookie",
            Date => "date",
            Expect => "expect",
            Forwarded => "forwarded",
            Host => "host",
            KeepAlive => "keep-alive",
            MaxForwards => "max-forwards",
            Pragma => "pragma",
            ProxyAuthenticate => "proxy-authenticate",
            ProxyAuthorization => "proxy-authorization",
            ProxyConnection => "proxy-connection",
            Range => "range",
            Server => "server",
            SetCookie => "set-cookie",
            Te => "te",
            Trailer => "trailer",
            TransferEncoding => "transfer-encoding",
            Upgrade => "upgrade",
            Via => "via",
            WwwAuthenticate => "www-authenticate",
            XForwardedFor => "x-forwarded-for",
            XForwardedHost => "x-forwarded-host",
            XForwardedMethod => "x-forwarded-method",
            XForwardedPort => "x-forwarded-port",
            XForwardedPrefix => "x-forwarded-prefix",
            XForwardedProto => "x-forwarded-proto",
            XForwardedServer => "x-forwarded-server",
            XForwardedTlsClientCert => "x-forwarded-tls-client-cert",
            XForwardedTlsClientCertInfo => "x-forwarded-tls-client-cert-info",
            XForwardedUri => "x-forwarded-uri",
            XRealIp => "x-real-ip",
        }
    }

    /// Whether it belongs to one connection ([`KnownSet::HOP_BY_HOP`]).
    pub const fn is_hop_by_hop(self) -> bool {
        KnownSet::HOP_BY_HOP.has(self)
    }

    /// Whether it says where a request came from, which upstreams take on trust.
    pub const fn is_claim(self) -> bool {
        KnownSet::CLAIMS.has(self)
    }

    /// Whether a trailer must not have this name: it frames, routes, authenticates or vouches for a message, and has
    /// been acted on by then (RFC 9110 section 6.5.1).
    pub const fn is_barred_from_trailers(self) -> bool {
        !matches!(self, Other | Date | Server)
    }

    /// Whether `Connection` cannot take the field away: the message would mean something else without it.
    pub(crate) const fn is_kept(self) -> bool {
        matches!(self, Host | ContentLength | ContentType | Authorization | Cookie | SetCookie)
    }
}

/// A claim by one of the names above or an alias of it, or what only begins like one.
fn claim(name: &[u8]) -> Known {
    let (from, to) = CLAIMS_OF.get(name.len()).copied().unwrap_or_default();
    for (known, own) in CLAIMS.get(from..to).unwrap_or_default() {
        if is_named(name, own.as_bytes()) {
            return *known;
        }
        if is_alias(name, own.as_bytes()) {
            return ClaimAlias;
        }
    }
    let other = name.get(..PREFIX.len()).is_some_and(|front| front.eq_ignore_ascii_case(PREFIX));
    if other { XForwardedOther } else { Other }
}

const PREFIX: &[u8] = b"x-forwarded-";

/// Whether a name is this one of ours, which has letters and hyphens alone, without regard to case. Eight bytes at a
/// time: every field of every message comes by here.
fn is_named(name: &[u8], ours: &[u8]) -> bool {
    if name.len() != ours.len() {
        return false;
    }
    let (Some(last), Some(wanted)) = (name.last_chunk(), ours.last_chunk()) else {
        return is_same_word(word(name), word(ours));
    };
    // The last word overlaps the one before it.
    let (names, all) = (name.chunks_exact(8), ours.chunks_exact(8));
    is_same_word(u64::from_le_bytes(*last), u64::from_le_bytes(*wanted))
        && names.zip(all).all(|(name, wanted)| is_same_word(word(name), word(wanted)))
}

/// Without the second look CR would pass for a hyphen.
fn is_same_word(name: u64, ours: u64) -> bool {
    const CASE: u64 = 0x2020_2020_2020_2020;
    const VISIBLE: u64 = 0x4040_4040_4040_4040;
    let visible = |word: u64| (word | word << 1) & VISIBLE;
    name | CASE == ours | CASE && visible(name) == visible(ours)
}

/// At most eight bytes as a number, different for different ones of the same length.
fn word(bytes: &[u8]) -> u64 {
    if let Some(eight) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*eight);
    }
    if let (Some(front), Some(back)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*front)) | u64::from(u32::from_le_bytes(*back)) << 32;
    }
    bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_to_the_last_byte() {
        for (name, expected) in [
            ("Content-Length", ContentLength),
            ("cONTENT-lENGTH", ContentLength),
            ("content\rlength", Other),
            ("content-lengtl", Other),
            ("content_length", Other),
            ("transfer-encodinG", TransferEncoding),
            ("TE", Te),
            ("T\x05", Other),
        ] {
            assert_eq!(Known::of(name.as_bytes()), expected, "{name:?}");
        }
    }

    /// All of them, found by their numbers' order: a new one that is missing here fails the count.
    const NAMED: [Known; Known::COUNT - 4] = [
        Authorization,
        CacheControl,
        Connection,
        ContentEncoding,
        ContentLength,
        ContentRange,
        ContentType,
        Cookie,
        Date,
        Expect,
        Forwarded,
        Host,
        KeepAlive,
        MaxForwards,
        Pragma,
        ProxyAuthenticate,
        ProxyAuthorization,
        ProxyConnection,
        Range,
        Server,
        SetCookie,
        Te,
        Trailer,
        TransferEncoding,
        Upgrade,
        Via,
        WwwAuthenticate,
        XForwardedFor,
        XForwardedHost,
        XForwardedMethod,
        XForwardedPort,
        XForwardedPrefix,
        XForwardedProto,
        XForwardedServer,
        XForwardedTlsClientCert,
        XForwardedTlsClientCertInfo,
        XForwardedUri,
        XRealIp,
    ];

    #[test]
    fn every_name_is_recognised_in_any_case() {
        for known in NAMED {
            assert_eq!(Known::of(known.name().as_bytes()), known);
            assert_eq!(Known::of(known.name().to_ascii_uppercase().as_bytes()), known);
            let longer = format!("{}x", known.name());
            assert!(!NAMED.contains(&Known::of(longer.as_bytes())), "{longer}");
            let other = known.name().replace(|last: char| last.is_ascii_alphabetic(), "q");
            assert_eq!(Known::of(other.as_bytes()), Other, "{other}");
        }
        const { assert!(Known::COUNT <= 64, "they no longer fit a set of 64 bits") };
    }

    #[test]
    fn other_names() {
        for (name, expected) in [
            ("", Other),
            ("accept", Other),
            ("hosts", Other),
            ("x", Other),
            ("x-forwarded-", XForwardedOther),
            ("X-Forwarded-User", XForwardedOther),
            ("x_forwarded_for", ClaimAlias),
            ("X-Forwarded_Proto", ClaimAlias),
            ("x_real_ip", ClaimAlias),
            ("x_forwarded_user", Other),
            ("X-Forwarded-Ssl", OtherClaim),
            ("x-scheme", OtherClaim),
            ("X-Scheme", OtherClaim),
            ("front-end-https", OtherClaim),
            ("front_end_https", ClaimAlias),
            ("x-original-url", OtherClaim),
            ("x-rewrite_url", ClaimAlias),
            ("x-schemes", Other),
            ("x-real-ip2", Other),
            ("x-forwarded", Other),
            ("forwarded-for", Other),
            ("content_length", Other),
        ] {
            assert_eq!(Known::of(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn classes() {
        let claims = NAMED.into_iter().filter(|known| known.is_claim());
        let named = CLAIMS.iter().filter(|(known, _)| *known != OtherClaim);
        assert_eq!(claims.count(), named.count());
        assert!(
            ClaimAlias.is_claim() && OtherClaim.is_claim() && !XForwardedOther.is_claim() && !Via.is_claim()
        );
        assert!(XForwardedOther.is_barred_from_trailers() && !Other.is_barred_from_trailers());
        assert!(Te.is_hop_by_hop() && !Trailer.is_hop_by_hop());
    }
}
