//! Every bound of the product that no configuration key sets, each with its reason. A bound that can be configured
//! has its default and its range here too.

use std::time::Duration;

/// Branches of one rule in disjunctive form: beyond this a rule is a mistake, and the form grows exponentially.
pub const RULE_BRANCHES: usize = 256;
/// Nesting of parentheses in a rule, and of tables in a file: keeps recursion off the stack's end.
pub const NESTING: usize = 64;
/// Bytes of one configuration file; a 10,000-site file is 2 MiB.
pub const CONFIG_FILE_BYTES: u64 = 64 << 20;
/// Files of one configuration.
pub const CONFIG_FILES: usize = 10_000;
/// Bytes of a file that `${file:}` reads: a key or a token is far smaller.
pub const SECRET_BYTES: u64 = 1 << 20;
/// Compiled size of one regex, so that no pattern eats memory or start-up time.
pub const REGEX_BYTES: usize = 1 << 20;
/// Accepted graphs kept for a rollback.
pub const HISTORY_DEFAULT: u32 = 10;
pub const HISTORY_MAX: u32 = 100;
/// Editors write a file in several steps; 100 ms gathers them and still feels live.
pub const DEBOUNCE_DEFAULT: Duration = Duration::from_millis(100);
/// Finer than Traefik's 0.1, 0.3, 1.2, 5, which cannot tell a fast service from a slow one.
pub const DURATION_BUCKETS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Rate-limit and in-flight keys held by one middleware: at most 2 MiB, for more clients than come within a period. When
/// the few cells that a key may use are taken, a rate limit gives up the bucket that is full again soonest, whose client
/// has least to gain; a count of requests in flight is never given up: the request is refused with 429.
pub const CLIENT_KEYS: usize = 100_000;
/// Bytes of a response that `respond`, `@api` or an error page may hold in memory.
pub const SYNTHETIC_BODY_BYTES: usize = 16 << 20;
/// Bytes of a request target; RFC 9112 section 3 asks for at least 8,000.
pub const TARGET_BYTES: usize = 16 << 10;
/// Longest a name in DNS is held however long its TTL, so that a moved upstream is found.
pub const DNS_TTL_MAX: Duration = Duration::from_secs(300);
/// Shortest, so that a TTL of zero does not become a query a request.
pub const DNS_TTL_MIN: Duration = Duration::from_secs(1);
/// Addresses of one name that are tried.
pub const DNS_ADDRESSES: usize = 16;
/// HTTP/2 streams reset by a client before they were answered, in a row (CVE-2023-44487).
pub const H2_PENDING_RESETS: usize = 20;
/// HTTP/2 streams that this side resets for a client's errors before the connection is closed (CVE-2025-8671).
pub const H2_LOCAL_RESETS: usize = 1_024;
/// Bytes that an HTTP/2 stream buffers for sending; a connection may have as many as it has streams.
pub const H2_SEND_BUFFER: usize = 32 << 10;
/// Bytes that a TLS connection encrypts before its socket has taken them. Twice that is one large read and a head in front,
/// so that a large body costs two system calls a read; with rustls' default of 64 KiB it took 30 % more CPU.
pub const TLS_SEND_BUFFER: usize = 132 << 10;
/// HTTP/2 flow-control window of a stream.
pub const H2_STREAM_WINDOW: u32 = 256 << 10;
/// HTTP/2 flow-control window of a connection.
pub const H2_CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes of a request body that are kept until the server answers, so that a request can be sent again which a server of
/// HTTP/2 says it has not touched: most calls of gRPC, forms and JSON. What is longer is not sent again.
pub const REPLAY_BYTES: usize = 64 << 10;
/// Pieces of it; smaller ones mean a body that drips.
pub const REPLAY_PIECES: usize = 64;
/// Interim responses (1xx) that a client is told in front of one final response: early hints are one or two, and progress
/// (102) is told every few seconds. Further ones are kept back, and the response goes on.
pub const INTERIM_HEADS: u32 = 32;
/// Bytes of their fields: a page hints at a few dozen links.
pub const INTERIM_BYTES: usize = 16 << 10;
/// Bytes of a response body that are waited for before a middleware decides (`compress.min-size` beyond it counts as this).
pub const GATHERED_BYTES: usize = 64 << 10;
/// Pieces of such a beginning; smaller ones mean a body that drips.
pub const GATHERED_PIECES: usize = 64;
/// Middlewares on one route, its listener's and service's among them.
pub const STACK: usize = 64;
/// Depth of `split` in `split` and of chains in chains.
pub const SERVICE_DEPTH: usize = 16;
/// Attempts of one request.
pub const RETRIES_MAX: u32 = 10;
/// Certificates that the internal CA holds for names under a wildcard.
pub const INTERNAL_CERTIFICATES: usize = 10_000;
/// How long a handshake waits for a certificate that is obtained meanwhile. CAs take some seconds; clients give up after
/// some ten.
pub const ON_DEMAND_WAIT: Duration = Duration::from_secs(10);
/// Handshakes of a process that wait so at once: each holds a connection and its ClientHello.
pub const ON_DEMAND_HANDSHAKES: usize = 1_024;
/// Of these, handshakes for one name.
pub const ON_DEMAND_HANDSHAKES_PER_NAME: usize = 256;
/// Names whose permission or first certificate is under way at once: clients choose how many they bring.
pub const ON_DEMAND_PENDING: usize = 256;
/// Of these, names that are ordered at once, so that renewals of others have their turn.
pub const ON_DEMAND_ORDERS: usize = 32;
/// Questions to `ask` services at once.
pub const ON_DEMAND_ASKS: usize = 16;
/// Names that have a certificate on demand, or were allowed one lately.
pub const ON_DEMAND_NAMES: usize = 10_000;
/// Answers of `ask` services that are remembered.
pub const ON_DEMAND_ANSWERS: usize = 10_000;
/// Challenges of ACME that are answered at once, of each kind: as many as fifty orders of a hundred names have.
pub const CHALLENGES: usize = 5_000;
/// Bytes of a users file.
pub const USERS_FILE_BYTES: u64 = 4 << 20;
/// Password checks that succeeded and are remembered, so that bcrypt runs once a user and not once a request.
pub const AUTH_CACHE: usize = 10_000;
/// Bytes of a file of certificates, keys or revocation lists. Revocation lists of large CAs reach a few MiB.
pub const PEM_FILE_BYTES: u64 = 16 << 20;
/// Entries of each list of a ClientHello that its signal keeps; browsers send less than twenty.
pub const SIGNAL_ENTRIES: usize = 64;
/// How long one key seals session tickets. A ticket is taken for at most twice as long (RFC 8446 allows seven days).
pub const TICKET_ROTATION: Duration = Duration::from_secs(6 * 3600);
/// Upstream TLS sessions remembered by one client configuration, for all of its servers.
pub const UPSTREAM_SESSIONS: usize = 1_024;
/// Bytes of a PROXY header. Version 1 has at most 107; version 2 says up to 64 KiB, but what senders put there
/// (addresses, a TLS summary, cloud identifiers) fits many times.
pub const PROXY_HEADER_BYTES: usize = 4 << 10;
/// Connections that wait in the kernel to be accepted, a worker. The kernel cuts it to its own bound.
pub const ACCEPT_QUEUE: i32 = 4_096;
/// Bytes of a CA's answer: chains and directories are a few KiB.
pub const ACME_BODY_BYTES: usize = 1 << 20;
/// Names of one certificate: what Let's Encrypt takes. An order has no more authorizations than names.
pub const ACME_IDENTIFIERS: usize = 100;
/// Bytes of a URL that a CA gives; they are below 200.
pub const ACME_URL_BYTES: usize = 2 << 10;
