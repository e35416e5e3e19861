//! Building a table: policies resolved once, certificates read once, configurations shared, all errors gathered.

use super::{ListenerTable, ServeTarget, Target, TlsListener, TlsSite, TlsTable};
use crate::client_auth::{Reports, sha256};
use crate::error::{TlsError, TlsErrorKind, TlsWarning};
use crate::pair::{Pair, load_pairs};
use crate::pem::PemReader;
use crate::policy::{self, Policy};
use crate::resolver::{FileResolver, StoreResolver};
use crate::store::CertificateStore;
use crate::suites;
use crate::tickets::Tickets;
use ahash::RandomState;
use pn_core::tls::PolicyId;
use pn_model::site::CertificateSource;
use pn_model::{HostPattern, IssuerName, ListenerName, TlsPolicyName};
use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::time_provider::TimeProvider;
use rustls_pki_types::UnixTime;
use std::collections::HashMap;
use std::sync::Arc;

/// Two configurations with equal keys behave the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ConfigKey {
    policy: PolicyId,
    alpn: Vec<Vec<u8>>,
    client_order: bool,
    certificates: CertificatesKey,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum CertificatesKey {
    /// Digest of all chains.
    Files([u8; 32]),
    Store(Option<IssuerName>),
}

/// The certificates of a site, ready.
#[derive(Clone)]
struct Certificates {
    key: CertificatesKey,
    resolver: Arc<dyn ResolvesServerCert>,
}

pub(super) struct Builder<'a> {
    store: &'a Arc<CertificateStore>,
    previous: Option<&'a TlsTable>,
    clock: Arc<dyn TimeProvider>,
    now: UnixTime,
    pem: PemReader,
    /// `None` inside for a policy that has errors.
    policies: HashMap<Option<TlsPolicyName>, Option<Arc<Policy>>>,
    tickets: HashMap<PolicyId, Arc<Tickets>>,
    configs: HashMap<ConfigKey, Arc<ServerConfig>>,
    files: Vec<Arc<CertifiedKey>>,
    errors: Vec<TlsError>,
    warnings: Vec<TlsWarning>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        store: &'a Arc<CertificateStore>,
        previous: Option<&'a TlsTable>,
        clock: Arc<dyn TimeProvider>,
    ) -> Self {
        let now = policy::build_time(clock.as_ref());
        Self {
            store,
            previous,
            clock,
            now,
            pem: PemReader::default(),
            policies: HashMap::new(),
            tickets: HashMap::new(),
            configs: HashMap::new(),
            files: Vec::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn build(
        mut self,
        sites: &[TlsSite<'_>],
        listeners: &[TlsListener<'_>],
    ) -> Result<TlsTable, Vec<TlsError>> {
        let mut tables: HashMap<ListenerName, ListenerTable, RandomState> = HashMap::default();
        let mut taken = HashMap::new();
        let mut site_policies = Vec::with_capacity(sites.len());
        for listener in listeners {
            tables.insert(listener.name.clone(), ListenerTable::default());
        }
        for site in sites {
            let ready = self.prepare(site);
            site_policies.push(ready.iter().flatten().map(|(policy, _)| policy.id).next());
            for listener in listeners.iter().filter(|own| site.listeners.contains(own.name)) {
                let target = ready.as_ref().and_then(|ready| self.target(ready, site, listener));
                let Some(table) = tables.get_mut(listener.name) else { continue };
                self.claim(site, listener, &mut taken);
                if let Some(target) = target {
                    table.add(site.hosts, target);
                }
            }
        }
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        Ok(TlsTable {
            listeners: tables,
            tickets: self.tickets,
            configs: self.configs,
            files: self.files,
            store: Arc::clone(self.store),
            site_policies,
            warnings: self.warnings,
        })
    }

    /// Policy and certificates of a site, whatever its listeners. `None` after errors; `Some(None)` without TLS.
    fn prepare(&mut self, site: &TlsSite<'_>) -> Option<Option<(Arc<Policy>, Certificates)>> {
        if *site.certificate == CertificateSource::None {
            return Some(None);
        }
        let policy = self.policy(site);
        let certificates = self.certificates(site);
        Some(Some((policy?, certificates?)))
    }

    fn policy(&mut self, site: &TlsSite<'_>) -> Option<Arc<Policy>> {
        let name = site.policy.map(|policy| policy.name.clone());
        if let Some(known) = self.policies.get(&name) {
            return known.clone();
        }
        let mut reports = Reports { errors: &mut self.errors, warnings: &mut self.warnings };
        let made = policy::resolve(site.policy, &mut self.pem, self.now, &mut reports).map(Arc::new);
        self.policies.insert(name, made.clone());
        made
    }

    fn certificates(&mut self, site: &TlsSite<'_>) -> Option<Certificates> {
        let issuer = match site.certificate {
            CertificateSource::Files(files) => return self.files(site, files),
            CertificateSource::Issuer(name) => Some(name.clone()),
            CertificateSource::InternalCa | CertificateSource::None => None,
        };
        let key = CertificatesKey::Store(issuer.clone());
        let resolver = StoreResolver { store: Arc::clone(self.store), issuer, address: None };
        Some(Certificates { key, resolver: Arc::new(resolver) })
    }

    fn files(
        &mut self,
        site: &TlsSite<'_>,
        files: &[pn_model::site::CertificateFiles],
    ) -> Option<Certificates> {
        let at = site.path.child("certificate");
        let mut reports = Reports { errors: &mut self.errors, warnings: &mut self.warnings };
        let provider = suites::default_provider();
        let pairs = load_pairs(files, site.hosts, &at, &provider, &mut self.pem, self.now, &mut reports)?;
        self.files.extend(pairs.iter().map(|pair| Arc::clone(&pair.key)));
        let key = CertificatesKey::Files(digest_of(&pairs));
        let resolver = FileResolver { pairs, clock: Arc::clone(&self.clock) };
        Some(Certificates { key, resolver: Arc::new(resolver) })
    }

    fn target(
        &mut self,
        ready: &Option<(Arc<Policy>, Certificates)>,
        site: &TlsSite<'_>,
        listener: &TlsListener<'_>,
    ) -> Option<Target> {
        let Some((policy, certificates)) = ready else { return Some(Target::NoTls) };
        let alpn = policy::alpn(policy, listener.protocols);
        if alpn.is_empty() {
            let kind = TlsErrorKind::NoCommonAlpn { listener: listener.name.to_string() };
            self.error_once(TlsError::new(policy.path.child("alpn"), kind));
            return None;
        }
        let config = self.config(policy, certificates, &alpn, false, site)?;
        let chacha = match policy.default_suites {
            true => self.config(policy, certificates, &alpn, true, site)?,
            false => Arc::clone(&config),
        };
        let stored = match &certificates.key {
            CertificatesKey::Store(issuer) => Some(issuer.clone()),
            CertificatesKey::Files(_) => None,
        };
        let Policy { id, verifies_clients, sni_strict, .. } = **policy;
        Some(Target::Serve(Arc::new(ServeTarget {
            config,
            chacha,
            policy: id,
            verifies_clients,
            sni_strict,
            stored,
        })))
    }

    fn config(
        &mut self,
        policy: &Policy,
        certificates: &Certificates,
        alpn: &[Vec<u8>],
        client_order: bool,
        site: &TlsSite<'_>,
    ) -> Option<Arc<ServerConfig>> {
        let certificates_key = certificates.key.clone();
        let key = ConfigKey {
            policy: policy.id,
            alpn: alpn.to_vec(),
            client_order,
            certificates: certificates_key,
        };
        if let Some(known) = self.configs.get(&key) {
            return Some(Arc::clone(known));
        }
        let tickets = self.tickets(policy, site)?;
        let kept = self.previous.and_then(|table| table.configs.get(&key)).map(Arc::clone);
        let config = match kept {
            Some(config) => config,
            None => Arc::new(self.make(policy, certificates, &key, tickets)?),
        };
        self.configs.insert(key, Arc::clone(&config));
        Some(config)
    }

    /// The keys of the policy's tickets: those of the table that serves now, when it knows the policy.
    fn tickets(&mut self, policy: &Policy, site: &TlsSite<'_>) -> Option<Arc<Tickets>> {
        let known = self.tickets.get(&policy.id);
        let known = known.or_else(|| self.previous.and_then(|table| table.tickets.get(&policy.id)));
        if let Some(tickets) = known.map(Arc::clone) {
            self.tickets.insert(policy.id, Arc::clone(&tickets));
            return Some(tickets);
        }
        match Tickets::new(Arc::clone(&self.clock)) {
            Ok(tickets) => {
                let tickets = Arc::new(tickets);
                self.tickets.insert(policy.id, Arc::clone(&tickets));
                Some(tickets)
            }
            Err(kind) => {
                self.error_once(TlsError::new(site.path.clone(), kind));
                None
            }
        }
    }

    fn make(
        &mut self,
        policy: &Policy,
        certificates: &Certificates,
        key: &ConfigKey,
        tickets: Arc<Tickets>,
    ) -> Option<ServerConfig> {
        let builder =
            ServerConfig::builder_with_details(Arc::clone(&policy.provider), Arc::clone(&self.clock));
        let Ok(builder) = builder.with_protocol_versions(&policy.versions) else {
            self.error_once(TlsError::new(policy.path.clone(), TlsErrorKind::NothingUsable));
            return None;
        };
        let mut config = builder
            .with_client_cert_verifier(Arc::clone(&policy.verifier))
            .with_cert_resolver(Arc::clone(&certificates.resolver));
        config.alpn_protocols.clone_from(&key.alpn);
        config.ignore_client_order = !key.client_order;
        config.ticketer = tickets;
        // Tickets carry all state, so there is no shared table of sessions behind a lock, and no early data.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.max_early_data_size = 0;
        Some(config)
    }

    /// Two sites for one pattern on one listener: neither would be safe to choose.
    fn claim(
        &mut self,
        site: &TlsSite<'_>,
        listener: &TlsListener<'_>,
        taken: &mut HashMap<(ListenerName, HostPattern), String>,
    ) {
        for host in site.hosts {
            let claim = (listener.name.clone(), host.clone());
            if let Some(other) = taken.insert(claim, site.name.to_string()) {
                let listener = listener.name.to_string();
                let kind = TlsErrorKind::DuplicateHost { host: host.to_string(), other, listener };
                self.errors.push(TlsError::new(site.path.clone(), kind));
            }
        }
    }

    /// A fault of a policy shows at each of its sites and is told once.
    fn error_once(&mut self, error: TlsError) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}

impl ListenerTable {
    fn add(&mut self, hosts: &[HostPattern], target: Target) {
        let Ok(index) = u32::try_from(self.targets.len()) else { return };
        self.targets.push(target);
        for host in hosts {
            self.hosts.insert(host, index);
        }
    }
}

fn digest_of(pairs: &[Pair]) -> [u8; 32] {
    let mut all = Vec::new();
    for pair in pairs {
        for certificate in &pair.key.cert {
            all.extend_from_slice(&sha256(certificate));
        }
        all.push(b'/');
    }
    sha256(&all)
}
