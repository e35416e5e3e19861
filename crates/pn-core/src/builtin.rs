//! Services that the product brings itself (`@whoami`, `@ping`, `@metrics`, `@api`). The composition root hands them
//! in, so that nobody on the data plane needs to know who answers.

use crate::context::RequestContext;
use crate::reply::Reply;
use std::fmt::Debug;

/// Answers from memory, at once. A request body is neither read nor needed.
pub trait BuiltinService: Send + Sync + Debug {
    fn reply(&self, request: &RequestContext) -> Reply;
}
