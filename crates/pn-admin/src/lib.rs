//! The admin API and the metrics: everything that the process shows of itself over HTTP, and every JSON shape of it.
//! What is shown is made elsewhere; what is changed here is only asked for, of the control plane and of those who look
//! after certificates.

mod builtin;
mod metrics;
mod server;
mod views;

#[cfg(test)]
mod tests;

pub use builtin::{Api, MetricsPage};
pub use server::{AdminError, AdminServer};
pub use views::{Account, AccountAnswer, AccountRefusal, Accounts};
pub use views::{
    Begun, Certificate, CertificateSource, Process, Renewal, Revocation, RevokeError, ServedCertificate,
    Views,
};
