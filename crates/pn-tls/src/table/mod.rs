//! The table that gives each ClientHello its certificate and policy, before any route is known. Built whole in the
//! prepare step of a change, read by all workers without a lock, dropped with its graph.

mod build;

use crate::error::{TlsError, TlsWarning};
use crate::hosts::{Found, HostTable};
use crate::on_demand::{NoCertificate, Unheld, Waiting};
use crate::resolver::StoreResolver;
use crate::signal::Hello;
use crate::store::{CertificateInfo, CertificateStore, infos};
use crate::tickets::Tickets;
use ahash::RandomState;
use build::{Builder, ConfigKey};
use pn_core::tls::PolicyId;
use pn_model::listener::Protocols;
use pn_model::site::CertificateSource;
use pn_model::{HostPattern, IssuerName, ListenerName, Model, NodePath, SiteName, TlsPolicy};
use rustls::ServerConfig;
use rustls::sign::CertifiedKey;
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The record to write in plain text before closing, when a client is refused by its name: a fatal alert
/// `unrecognized_name` (RFC 6066 section 3, RFC 8446 section 6).
pub const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// The same for a client whose name may have a certificate and has none yet: `internal_error`.
pub const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// What TLS needs to know of a site.
#[derive(Debug, Clone, Copy)]
pub struct TlsSite<'a> {
    pub name: &'a SiteName,
    pub hosts: &'a [HostPattern],
    pub listeners: &'a [ListenerName],
    /// `None`: the built-in default.
    pub policy: Option<&'a TlsPolicy>,
    /// `CertificateSource::None`: the site has no TLS. Its hosts are refused, and do not fall to a wider site.
    pub certificate: &'a CertificateSource,
    pub path: &'a NodePath,
}

/// A listener that speaks TLS.
#[derive(Debug, Clone, Copy)]
pub struct TlsListener<'a> {
    pub name: &'a ListenerName,
    pub protocols: Protocols,
}

/// The answer to a ClientHello.
#[derive(Debug, Clone)]
pub enum Choice {
    Serve(Serve),
    /// A CA validates a name: the handshake is completed with this, and then the connection is closed.
    Validate(Arc<ServerConfig>),
    /// There is a site and no certificate, and one may be obtained now: see [`TlsTable::obtain`], then choose again.
    Obtain(Unheld),
    /// Write [`UNRECOGNIZED_NAME`] and close: no site is for this client.
    Refuse,
}

#[derive(Debug, Clone)]
pub struct Serve {
    pub config: Arc<ServerConfig>,
    /// The policy under which the connection is opened.
    pub policy: PolicyId,
    /// Whether a client certificate that gets through has been verified.
    pub verifies_clients: bool,
    /// The site's certificate is not there yet, and until then nothing is served of it: the client gets one that only
    /// carries the answer which says so.
    pub waits: bool,
}

pub struct TlsTable {
    listeners: HashMap<ListenerName, ListenerTable, RandomState>,
    /// Handed to the next table, so that tickets and configurations outlive a reload that leaves them unchanged.
    tickets: HashMap<PolicyId, Arc<Tickets>>,
    configs: HashMap<ConfigKey, Arc<ServerConfig>>,
    files: Vec<Arc<CertifiedKey>>,
    store: Arc<CertificateStore>,
    site_policies: Vec<Option<PolicyId>>,
    warnings: Vec<TlsWarning>,
}

#[derive(Default)]
struct ListenerTable {
    hosts: HostTable,
    targets: Vec<Target>,
}

/// What a site's hosts get on one listener. Sites with equal demands and certificates share one.
#[derive(Clone)]
enum Target {
    NoTls,
    Serve(Arc<ServeTarget>),
}

struct ServeTarget {
    config: Arc<ServerConfig>,
    /// For clients without AES in hardware: the same with their own order of suites.
    chacha: Arc<ServerConfig>,
    policy: PolicyId,
    verifies_clients: bool,
    sni_strict: bool,
    /// Whether the certificates come from the store, and by which issuer.
    stored: Option<Option<IssuerName>>,
}

impl TlsTable {
    /// Reads every file and checks everything that may be wrong; returns every error at once. `previous` is the table
    /// that serves now: what is unchanged is taken over from it, session tickets among it.
    pub fn build(
        sites: &[TlsSite<'_>],
        listeners: &[TlsListener<'_>],
        store: &Arc<CertificateStore>,
        previous: Option<&Self>,
    ) -> Result<Self, Vec<TlsError>> {
        Self::build_at(sites, listeners, store, previous, Arc::new(DefaultTimeProvider))
    }

    pub(crate) fn build_at(
        sites: &[TlsSite<'_>],
        listeners: &[TlsListener<'_>],
        store: &Arc<CertificateStore>,
        previous: Option<&Self>,
        clock: Arc<dyn TimeProvider>,
    ) -> Result<Self, Vec<TlsError>> {
        let previous = previous.filter(|table| Arc::ptr_eq(&table.store, store));
        Builder::new(store, previous, clock).build(sites, listeners)
    }

    /// The same for a whole model, for checks without a data plane.
    pub fn build_model(model: &Model, store: &Arc<CertificateStore>) -> Result<Self, Vec<TlsError>> {
        let site =
            |site: &'_ pn_model::Site| site.tls_policy.as_ref().and_then(|name| model.tls_policies.get(name));
        let sites: Vec<_> = model
            .sites
            .values()
            .map(|own| TlsSite {
                name: &own.name,
                hosts: &own.hosts,
                listeners: &own.listeners,
                policy: site(own),
                certificate: &own.certificate,
                path: &own.path,
            })
            .collect();
        let listeners: Vec<_> = model
            .listeners
            .values()
            .filter(|own| own.tls)
            .map(|own| TlsListener { name: &own.name, protocols: own.protocols })
            .collect();
        Self::build(&sites, &listeners, store, None)
    }

    /// The configuration for a client: by its server name, or by the address it came to when it sent none; then `*`.
    /// An unknown name is refused when there is no site `*`, or that site is strict.
    pub fn choose(&self, listener: &str, hello: &Hello<'_>) -> Choice {
        if hello.validates
            && let Some(config) = self.validation(hello)
        {
            return Choice::Validate(config);
        }
        self.find(listener, hello).unwrap_or(Choice::Refuse)
    }

    /// Of a name for which a challenge is open, whether or not it has a site.
    fn validation(&self, hello: &Hello<'_>) -> Option<Arc<ServerConfig>> {
        self.store.challenges().config(&crate::normalise_sni(hello.sni?)?)
    }

    fn find(&self, listener: &str, hello: &Hello<'_>) -> Option<Choice> {
        let table = self.listeners.get(listener)?;
        let found = match hello.sni {
            Some(name) => table.hosts.find(&crate::normalise_sni(name)?),
            None => {
                hello.local.and_then(|ip| table.hosts.find_address(ip)).or_else(|| table.hosts.fallback())
            }
        }?;
        let Target::Serve(target) = table.targets.get(found.value() as usize)? else { return None };
        let fallback = matches!(found, Found::Fallback(_));
        if target.sni_strict && (fallback || hello.sni.is_none()) {
            return None;
        }
        if let (Found::Below(_) | Found::Fallback(_), Some(Some(issuer))) = (found, &target.stored)
            && self.store.obtains(issuer)
        {
            // Certificates on demand are for names.
            let name = crate::normalise_sni(hello.sni?)?;
            if !self.store.uses(&name) {
                return Some(Choice::Obtain(Unheld { issuer: issuer.clone(), name: (*name).into() }));
            }
        }
        let config = target.config_for(hello, &self.store);
        let waits = target.waits(hello, &self.store);
        let ServeTarget { policy, verifies_clients, .. } = **target;
        Some(Choice::Serve(Serve { config, policy, verifies_clients, waits }))
    }

    /// Asks for a certificate of a name that [`Self::choose`] said has none.
    pub fn obtain(&self, unheld: &Unheld) -> Result<Waiting, NoCertificate> {
        self.store.knock(&unheld.issuer, &unheld.name)
    }

    /// The policy that a host's requests must have come under, on this listener. `host` is normalised. `None` when no
    /// site is for it, or the site has no TLS. A request whose connection has another policy is misdirected (421).
    pub fn policy_of(&self, listener: &str, host: &str) -> Option<PolicyId> {
        let table = self.listeners.get(listener)?;
        match table.targets.get(table.hosts.find(host)?.value() as usize)? {
            Target::Serve(target) => Some(target.policy),
            Target::NoTls => None,
        }
    }

    /// The policy of each site that the table was built from, in their order. `None` for a site without TLS.
    pub fn site_policies(&self) -> &[Option<PolicyId>] {
        &self.site_policies
    }

    /// Certificates that came from files, each once. Those of issuers are in the store.
    pub fn certificates(&self) -> Vec<CertificateInfo> {
        infos(self.files.clone())
    }

    /// What works and should be looked at.
    pub fn warnings(&self) -> &[TlsWarning] {
        &self.warnings
    }
}

impl ServeTarget {
    /// Whether the client's name has no certificate but one that says so.
    fn waits(&self, hello: &Hello<'_>, store: &CertificateStore) -> bool {
        let Some(issuer) = &self.stored else { return false };
        match (hello.sni.and_then(crate::normalise_sni), hello.local) {
            (Some(name), _) => store.waits(issuer.as_ref(), &name),
            (None, Some(ip)) => store.waits(issuer.as_ref(), &ip.to_canonical().to_string()),
            (None, None) => false,
        }
    }

    fn config_for(&self, hello: &Hello<'_>, store: &Arc<CertificateStore>) -> Arc<ServerConfig> {
        let config = if hello.prefers_chacha { &self.chacha } else { &self.config };
        match (hello.sni, hello.local, &self.stored) {
            // Only clients without a server name: the certificate is for the address they went to.
            (None, Some(ip), Some(issuer)) => Arc::new(for_address(config, issuer.clone(), ip, store)),
            _ => Arc::clone(config),
        }
    }
}

fn for_address(
    config: &ServerConfig,
    issuer: Option<IssuerName>,
    ip: IpAddr,
    store: &Arc<CertificateStore>,
) -> ServerConfig {
    let address = Some(ip.to_canonical().to_string());
    let resolver = StoreResolver { store: Arc::clone(store), issuer, address };
    let mut config = config.clone();
    config.cert_resolver = Arc::new(resolver);
    config
}

impl fmt::Debug for TlsTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listeners: Vec<_> = self.listeners.keys().collect();
        f.debug_struct("TlsTable").field("listeners", &listeners).finish_non_exhaustive()
    }
}
