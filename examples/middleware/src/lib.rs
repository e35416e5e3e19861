//! A sample middleware: gives each request an id, tells the upstream, and repeats it to the client. It is built
//! outside the workspace, by the contract of `pn-core` alone, as anybody's would be.

use http::header::{HeaderName, HeaderValue};
use pn_core::context::FieldValue;
use pn_core::{
    BuildContext, BuildError, Env, Flow, Middleware, MiddlewareFactory, RequestContext, ResponseContext,
};
use std::sync::Arc;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Debug)]
pub struct RequestId;

/// What the way in leaves for the way out.
struct Id(HeaderValue);

impl Middleware for RequestId {
    fn on_request(&self, cx: &mut RequestContext, env: &dyn Env) -> Flow {
        let given = cx.header(&REQUEST_ID).map(FieldValue::to_header);
        let id = given.or_else(|| HeaderValue::from_str(&format!("{:016x}", env.random())).ok());
        if let Some(id) = id {
            cx.set_header(REQUEST_ID, &id);
            cx.extensions_mut().insert(Id(id));
        }
        Flow::Continue
    }

    fn on_response(&self, cx: &mut ResponseContext, _env: &dyn Env) -> Flow {
        if let Some(Id(id)) = cx.extensions_mut().remove::<Id>() {
            cx.set_header(REQUEST_ID, id);
        }
        Flow::Continue
    }
}

/// Hands it to `Factories::with_middleware`.
#[derive(Debug)]
pub struct RequestIdFactory;

impl MiddlewareFactory for RequestIdFactory {
    fn build(
        &self,
        _spec: &pn_model::Middleware,
        _cx: &mut BuildContext<'_>,
    ) -> Result<Arc<dyn Middleware>, BuildError> {
        Ok(Arc::new(RequestId))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method, StatusCode, Version};
    use pn_core::context::{Connection, RequestHead, Scheme};
    use pn_core::middleware::Call;
    use pn_core::{LocalFuture, ProxyError, Reply};
    use pn_model::ServiceName;
    use std::net::{IpAddr, Ipv4Addr};
    use std::rc::Rc;
    use std::time::Duration;

    struct TestEnv;

    impl Env for TestEnv {
        fn now(&self) -> u64 {
            1
        }
        fn wall_clock(&self) -> Duration {
            Duration::ZERO
        }
        fn random(&self) -> u64 {
            0xbeef
        }
        fn sleep(&self, _duration: Duration) -> LocalFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
        fn blocking(&self, _job: Box<dyn FnOnce() + Send>) -> LocalFuture<'static, Option<()>> {
            Box::pin(std::future::ready(None))
        }
        fn call(&self, _service: &ServiceName, _call: Call) -> LocalFuture<'static, Result<Reply, ProxyError>> {
            Box::pin(std::future::ready(Ok(Reply::new(StatusCode::OK))))
        }
    }

    fn request(id: Option<&'static str>) -> RequestContext {
        let mut headers = HeaderMap::new();
        headers.extend(id.map(|id| (REQUEST_ID, HeaderValue::from_static(id))));
        let head = RequestHead {
            method: Method::GET,
            host: "a.example".into(),
            port: None,
            path: "/".into(),
            query: None,
            version: Version::HTTP_11,
            headers: headers.into(),
        };
        let connection = Connection { listener: "web".into(), peer: None, local: None, tls: None };
        RequestContext::new(head, Rc::new(connection), IpAddr::V4(Ipv4Addr::LOCALHOST), Scheme::Http)
    }

    #[test]
    fn an_id_goes_in_and_comes_back() {
        for (given, expected) in [(None, "000000000000beef"), (Some("mine"), "mine")] {
            let mut cx = request(given);
            assert!(matches!(RequestId.on_request(&mut cx, &TestEnv), Flow::Continue));
            assert_eq!(cx.header(&REQUEST_ID).unwrap(), expected);
            let mut response = ResponseContext::new(cx, StatusCode::OK, HeaderMap::new(), None, None);
            RequestId.on_response(&mut response, &TestEnv);
            assert_eq!(response.header(&REQUEST_ID).unwrap(), expected);
        }
    }
}
