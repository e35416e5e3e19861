//! Adapters between middlewares and Tower, both ways. On the request path the compiled stack is used directly; these
//! are for composing middlewares with Tower's own, and for mounting a Tower layer as a middleware.

mod layer;
mod mount;
#[cfg(test)]
mod tests;

pub use layer::{MiddlewareLayer, MiddlewareService};
pub use mount::{Inner, Mounted};

use crate::context::{RequestContext, ResponseContext};
use crate::reply::Reply;
use bytes::Bytes;

/// The body of a response that was made inside a Tower stack, in the response's extensions. A service's own body does
/// not pass through contexts.
#[derive(Debug, Clone)]
pub struct MadeBody(pub Bytes);

/// A response context for a reply, its body in the extensions.
pub fn respond(mut request: RequestContext, reply: Reply) -> ResponseContext {
    let size = Some(reply.body.len() as u64);
    request.extensions_mut().insert(MadeBody(reply.body));
    ResponseContext::new(request, reply.status, reply.headers, size, None)
}
