//! The contract between control plane and data plane: contexts, middlewares, the router graph, how a model is
//! compiled into one, and how a graph is prepared and published. No tokio, no hyper, no rustls, no sockets, no clock:
//! whoever runs a graph hands those in as `Env` and `DataPlane`.

pub mod body;
pub mod builtin;
pub mod context;
pub mod error;
pub mod factory;
pub mod graph;
pub mod middleware;
pub mod path;
pub mod plane;
pub mod publish;
pub mod reply;
pub mod router;
pub mod state;
pub mod tls;
pub mod tower;

pub use body::{BodyFilter, BodySink};
pub use builtin::BuiltinService;
pub use context::{RequestContext, ResponseContext};
pub use error::{ErrorKind, ProxyError, Side};
pub use factory::{BuildContext, BuildError, Factories, MiddlewareFactory};
pub use graph::{CompileError, Compiled, RouterGraph, compile};
pub use middleware::{Dispatch, Env, Flow, LocalFuture, Middleware, Stack, Stacked};
pub use plane::{DataPlane, PrepareError, PrepareWarning, Prepared};
pub use publish::{Current, Generation, GraphPublisher, GraphReader, GraphSource};
pub use reply::Reply;
pub use state::{StateKey, StateRegistry};
