//! What rustls asks for a certificate during a handshake.

use crate::pair::Pair;
use crate::signal::normalise_sni;
use crate::store::CertificateStore;
use pn_model::IssuerName;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use std::sync::Arc;

/// Certificates of files. With several, the one whose key the client can verify, whose names the client asked for, and
/// which has not expired, in this order; among equals the cheapest to sign with.
#[derive(Debug)]
pub(crate) struct FileResolver {
    /// Never empty; cheapest first.
    pub(crate) pairs: Vec<Pair>,
    pub(crate) clock: Arc<dyn TimeProvider>,
}

impl ResolvesServerCert for FileResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let [one] = self.pairs.as_slice() else { return self.best(&hello) };
        Some(Arc::clone(&one.key))
    }
}

impl FileResolver {
    fn best(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let now = self.clock.current_time().map_or(0, |now| now.as_secs());
        let name = hello.server_name().and_then(normalise_sni);
        let fit = |pair: &&Pair| {
            let named = name.as_deref().is_none_or(|name| pair.is_for(name));
            (pair.signs(hello.signature_schemes()), named, now < pair.not_after)
        };
        // `max_by_key` takes the last of equals, hence from the end.
        self.pairs.iter().rev().max_by_key(fit).map(|pair| Arc::clone(&pair.key))
    }
}

/// Certificates of issuers, by the name that the client asked for.
#[derive(Debug)]
pub(crate) struct StoreResolver {
    pub(crate) store: Arc<CertificateStore>,
    /// `None`: the built-in internal CA.
    pub(crate) issuer: Option<IssuerName>,
    /// For clients that go to an IP address, and so send no name.
    pub(crate) address: Option<String>,
}

impl ResolvesServerCert for StoreResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if let Some(address) = &self.address {
            return self.store.get_or_mint(self.issuer.as_ref(), address, hello.signature_schemes());
        }
        let name = normalise_sni(hello.server_name()?)?;
        self.store.get_or_mint(self.issuer.as_ref(), &name, hello.signature_schemes())
    }
}
