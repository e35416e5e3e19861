//! Bounds of a head, and those of a body's framing that no configuration sets.

/// Bounds of a head. What is larger is refused before it is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head with its first line, its last empty line and empty lines before it; at most
    /// [`Limits::HEAD_BYTES_MAX`].
    pub head_bytes: usize,
    /// Fields; at most [`Limits::FIELDS_MAX`].
    pub fields: usize,
    /// Bytes of a request target. RFC 9112 section 3 asks for at least 8,000.
    pub target_bytes: usize,
    /// Bytes of one field line, its line end not counted.
    pub line_bytes: usize,
}

impl Limits {
    /// Larger heads are read as if this were the limit: positions in a head have 32 bits.
    pub const HEAD_BYTES_MAX: usize = 16 << 20;
    /// Further fields are refused whatever the limit: the parser's memory for them is on the stack.
    pub const FIELDS_MAX: usize = 1_024;

    pub(crate) fn head(&self) -> usize {
        self.head_bytes.min(Self::HEAD_BYTES_MAX)
    }
}

impl Default for Limits {
    /// What common browsers, proxies and servers stay well below.
    fn default() -> Self {
        Self { head_bytes: 64 << 10, fields: 128, target_bytes: 16 << 10, line_bytes: 64 << 10 }
    }
}

/// Empty lines before a head that are passed over. RFC 9112 section 2.2 asks for one; old clients sent two.
pub(crate) const EMPTY_LINES: usize = 4;
/// Options of all `Connection` fields of a head. A peer that lists more means harm.
pub(crate) const CONNECTION_OPTIONS: usize = 32;
/// Bytes of chunk extensions that a body may have beyond its data. They mean nothing, so that more than this is an
/// attempt to make work.
pub(crate) const EXTENSION_BYTES: u64 = 16 << 10;
/// Digits of a chunk size, leading zeros among them.
pub(crate) const SIZE_DIGITS: u8 = 16;
/// Bytes and number of trailers.
pub(crate) const TRAILER_BYTES: usize = 16 << 10;
pub(crate) const TRAILERS: usize = 64;
/// Longest body that a length can announce; file offsets and `splice` end there too.
pub(crate) const LENGTH_MAX: u64 = i64::MAX as u64;
/// Bytes of interim responses to one request: as many as one head may have. They are few and small, or a flood.
pub(crate) const INTERIM_BYTES: usize = 64 << 10;
