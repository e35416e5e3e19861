//! HTTP/1.1 on both sides of a proxy, without I/O: bytes in, events and bytes out (RFC 9112). Heads are parsed in place
//! into ranges of the caller's buffer, and analysed in the same walk; bodies are framed and unframed without a copy; two
//! small state machines say what a connection may do next. Not here: sockets, time, tasks, TLS, HTTP/2, routing, and the
//! meaning of a host or a path.
//!
//! ```
//! use pn_http1::{BodyDecoder, Fields, Known, Limits, parse_request};
//!
//! let input = b"POST /a?b HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello";
//! let mut fields = Fields::new();
//! let head = parse_request(input, &Limits::default(), &mut fields)?.expect("all of it is there");
//! assert_eq!(head.target.path.of(input), b"/a");
//! assert_eq!(fields.value(input, Known::Host), Some(&b"a.example"[..]));
//! let body = &input[head.len..];
//! let step = BodyDecoder::new(head.framing).decode(body)?;
//! assert_eq!((&body[step.data], step.done), (&b"hello"[..], true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What is ambiguous is refused, never repaired. Three things are tolerated because nobody can be misled by them: empty
//! lines before a head, whitespace between a chunk size and its extension or line end, and in responses lines that end
//! with LF alone, no reason phrase, and equal lengths that are repeated.
#![forbid(unsafe_code)]

mod alias;
mod chunk;
mod client;
mod decode;
mod encode;
mod fields;
mod framing;
mod known;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod limits;
mod line;
mod lines;
mod list;
mod lower;
mod options;
mod progress;
mod refusal;
mod request;
mod response;
mod server;
mod set;
mod span;
mod target;
mod text;
mod trailers;
mod value;
mod write;

pub use alias::is_alias;
pub use client::{ClientState, Misbehaviour, Received};
pub use decode::{BodyDecoder, BodyError, Step};
pub use encode::{BodyEncoder, EncodeError, Frame};
pub use fields::{Field, Fields};
pub use framing::Framing;
pub use known::Known;
pub use limits::Limits;
pub use line::FieldLine;
pub use list::{FieldList, is_padded};
pub use options::Options;
pub use progress::HeadProgress;
pub use refusal::Refusal;
pub use request::{Expect, RequestHead, parse_request};
pub use response::{ResponseHead, parse_response};
pub use server::{End, Reply, ServerState, Turn};
pub use set::KnownSet;
pub use span::Span;
pub use target::{Form, Target};
pub use text::{Name, RequestTarget, Value};
pub use trailers::parse_trailers;
pub use value::FieldValue;
pub use write::HeadWriter;
