//! The native middlewares, one folder each, and their factories. They know contexts and nothing of connections,
//! buffers or the configuration's text.

mod basic_auth;
mod body_limit;
mod client_key;
mod compress;
mod errors;
mod headers;
mod in_flight;
mod ip_allow;
#[cfg(any(test, fuzzing))]
pub mod laws;
mod pass_client_cert;
mod prefix;
mod rate_limit;
mod redirect;
mod replace_path;
mod slots;

use pn_core::{BuildContext, BuildError, Factories, Middleware, MiddlewareFactory};
use pn_model::MiddlewareKind as Kind;
use std::sync::Arc;

/// Every native middleware under its key. `chain` is no middleware: `compile()` puts its members in its place.
pub fn register(factories: Factories) -> Factories {
    let native: Arc<dyn MiddlewareFactory> = Arc::new(Native);
    let keys = Kind::KEYS.into_iter().filter(|key| *key != "chain");
    keys.fold(factories, |factories, key| factories.with_middleware(key, Arc::clone(&native)))
}

struct Native;

type Built = Result<Arc<dyn Middleware>, BuildError>;

impl MiddlewareFactory for Native {
    fn build(&self, spec: &pn_model::Middleware, cx: &mut BuildContext<'_>) -> Built {
        match &spec.kind {
            Kind::Headers(spec) => headers::build(spec),
            Kind::StripPrefix(prefixes) => prefix::strip(prefixes),
            Kind::StripPrefixRegex(regexes) => prefix::strip_regex(regexes),
            Kind::AddPrefix(prefix) => prefix::add(prefix),
            Kind::ReplacePath(path) => replace_path::build(path),
            Kind::ReplacePathRegex { regex, replacement } => replace_path::build_regex(regex, replacement),
            Kind::RedirectScheme { scheme, port, permanent } => redirect::scheme(scheme, *port, *permanent),
            Kind::RedirectRegex { regex, replacement, permanent } => {
                redirect::regex(regex, replacement, *permanent)
            }
            Kind::BasicAuth(spec) => basic_auth::build(spec, cx),
            Kind::IpAllow(spec) => ip_allow::build(spec),
            Kind::RateLimit(spec) => rate_limit::build(spec, cx),
            Kind::InFlight { amount, by } => in_flight::build(*amount, by, cx),
            Kind::BodyLimit(bytes) => body_limit::build(*bytes),
            Kind::Compress(spec) => compress::build(spec),
            Kind::Errors(spec) => errors::build(spec),
            Kind::PassClientCert(spec) => pass_client_cert::build(spec),
            Kind::Chain(_) => Err(BuildError::new([spec.kind.key()], "a chain is not built by itself")),
        }
    }
}

/// A regex of the configuration, bounded in size.
fn regex<const N: usize>(key: [&str; N], text: &str) -> Result<regex::Regex, BuildError> {
    regex::RegexBuilder::new(text)
        .size_limit(pn_model::limits::REGEX_BYTES)
        .build()
        .map_err(|error| BuildError::new(key, format!("the regex does not compile: {error}")))
}
