//! The pages that only read: one function from a name to a page, for the admin address and for `@api`.

pub(crate) mod accounts;
pub(crate) mod certificates;
mod graph;
mod status;
mod traefik;

pub use accounts::{Account, AccountAnswer, AccountRefusal, Accounts};
pub use certificates::{Certificate, CertificateSource, Renewal, ServedCertificate};
pub(crate) use status::{OutcomeView, time};

use crate::metrics;
use certificates::Unclear;
use pn_control::{Lifecycle, StatusSource};
use pn_core::GraphSource;
use pn_model::ListenerName;
use serde::Serialize;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

/// What only the composition root knows of the process.
pub trait Process: Send + Sync {
    fn version(&self) -> &str;

    /// Workers that run.
    fn workers(&self) -> usize;

    /// Where a listener of the running graph is reached, with ports that the kernel chose.
    fn addresses(&self, listener: &ListenerName) -> Vec<SocketAddr>;

    /// Certificates in use, and those that are wanted and not there.
    fn certificates(&self) -> Vec<Certificate>;

    /// Orders of certificates since the start: issuer, what came of them, how many.
    fn orders(&self) -> Vec<(String, &'static str, u64)>;

    /// Where certificates of ACME are kept.
    fn certificate_store(&self) -> &Path;

    /// Looks at what is stored now, such as after an import.
    fn rescan(&self);

    /// Has another certificate obtained in place of the one with this id, which has a [`Renewal`].
    fn renew(&self, id: &str) -> Result<Begun, String>;

    /// Has the CA take back the certificate with this id, which may be one that is only stored any more. `reason`: as
    /// RFC 5280 calls it. `serial`: of the one that was found by that id, in whose place there may be another by now.
    fn revoke<'a>(&'a self, id: &'a str, serial: Option<&'a str>, reason: &'a str) -> Revocation<'a>;

    /// The metrics of the data plane, in Prometheus' text format.
    fn metrics(&self, out: &mut String);

    /// The moment, as the state of servers has it (`ServerState::available`).
    fn now(&self) -> u64;
}

/// What comes of asking for something that takes its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// `begun`, `under-way`, `waits`, or `revoked`.
    pub result: &'static str,
    /// In words.
    pub message: String,
    /// When it goes on, in seconds since 1970, where it waits.
    pub at: Option<u64>,
}

/// What comes of a revocation.
pub type Revocation<'a> = Pin<Box<dyn Future<Output = Result<Begun, RevokeError>> + Send + 'a>>;

/// Why nothing was revoked, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokeError {
    /// There is no such certificate.
    Unknown(String),
    /// There is no such reason.
    Reason(String),
    /// The state of things is against it.
    Refused(String),
    /// The CA or the storage said no.
    Failed(String),
    /// The CA has not said anything in time: it may still be done.
    Silent(String),
}

/// What the pages are made from. Shared by the admin address and the built-in services.
pub struct Views {
    pub status: StatusSource,
    pub lifecycle: Arc<Lifecycle>,
    pub graph: GraphSource,
    pub process: Arc<dyn Process>,
    pub accounts: Arc<dyn Accounts>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) content_type: &'static str,
    pub(crate) body: Vec<u8>,
}

/// The page at `/api/NAME`, if there is one.
pub(crate) fn api(views: &Views, name: &str) -> Option<Page> {
    let status = views.status.read();
    Some(match name {
        "status" => json(&status::status(views, &status)),
        "config" => json(&status::config(&status)),
        "history" => json(&status::history(&status)),
        "graph" => json(&graph::whole(views)),
        "listeners" => json(&graph::listeners(views)),
        "sites" => json(&graph::sites(views)),
        "routes" => json(&graph::routes(views)),
        "services" => json(&graph::services(views)),
        "certificates" => json(&certificates::all(views)),
        "version" => json(&traefik::version(views)),
        "overview" => json(&traefik::overview(&status)),
        _ => return certificate(views, name.strip_prefix("certificates/")?).ok(),
    })
}

/// The page of one certificate.
pub(crate) fn certificate(views: &Views, name: &str) -> Result<Page, Unclear> {
    certificates::find(views, name).map(|one| json(&certificates::view(one, certificates::now())))
}

/// The answer to what takes its time.
pub(crate) fn begun(begun: &Begun) -> Page {
    let at = begun.at.map(certificates::moment);
    json(&serde_json::json!({ "result": begun.result, "message": begun.message, "at": at }))
}

/// The page at `/metrics`.
pub(crate) fn metrics(views: &Views) -> Page {
    Page { content_type: metrics::CONTENT_TYPE, body: metrics::text(views).into_bytes() }
}

/// Readable as it is: people look at these pages with curl.
pub(crate) fn json(value: &impl Serialize) -> Page {
    // Only maps with keys that are not strings fail, and there are none.
    let mut body = serde_json::to_vec_pretty(value).unwrap_or_default();
    body.push(b'\n');
    Page { content_type: "application/json", body }
}

impl fmt::Debug for Views {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Views")
    }
}
