//! Traefik's `acme.json`, of versions 2 and 3: an object by resolver, each with one account and its certificates. The
//! account's key is PKCS#1 in base64, certificates and their keys are PEM in base64.

use super::material::{Certificates, account, certificate, expiry_note, rsa_der};
use super::{Bundle, BundleIssuer, ExchangeError, Note, directory_of_account, told};
use crate::Time;
use crate::acme::shown;
use crate::records::{AccountRecord, CertificateRecord};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls_pki_types::PrivateKeyDer;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// By name.
type Resolvers<T> = BTreeMap<String, T>;

/// What is in it may be anything yet, so that one certificate that is damaged does not keep the others out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resolver<A = Value, C = Value> {
    account: Option<A>,
    #[serde(default)]
    certificates: Option<Vec<C>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    #[serde(default)]
    email: String,
    #[serde(default)]
    registration: Option<Registration>,
    #[serde(default)]
    private_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Registration {
    #[serde(default)]
    body: Value,
    #[serde(default)]
    uri: String,
}

#[derive(Serialize, Deserialize)]
struct Certificate {
    #[serde(default)]
    domain: Domain,
    #[serde(default)]
    certificate: Option<String>,
    #[serde(default)]
    key: Option<String>,
    #[serde(default, rename = "Store")]
    store: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Domain {
    #[serde(default)]
    main: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sans: Option<Vec<String>>,
}

/// All resolvers of the file. `now` tells what has expired, and is when the accounts count as registered.
pub fn import_traefik(bytes: &[u8], now: Time) -> Result<Bundle, ExchangeError> {
    let mut bundle = Bundle::default();
    // Traefik takes an empty file for one that it has not written to yet.
    if bytes.trim_ascii().is_empty() {
        bundle.note("", "it is empty");
        return Ok(bundle);
    }
    if is_of_one(bytes) {
        return Err(ExchangeError::TraefikOne);
    }
    let not_traefik = |error: serde_json::Error| ExchangeError::NotTraefik(told(&error));
    let file: Resolvers<Value> = serde_json::from_slice(bytes).map_err(not_traefik)?;
    let file = file.into_iter().map(|(name, resolver)| (shown(&name), serde_json::from_value(resolver)));
    let mut file: Vec<(String, Result<Option<Resolver>, _>)> = file.collect();
    // Something else altogether.
    if let Some(at) = file.iter().position(|(_, resolver)| resolver.is_err())
        && file.iter().all(|(_, resolver)| resolver.is_err())
        && let (_, Err(error)) = file.swap_remove(at)
    {
        return Err(not_traefik(error));
    }
    for (name, resolver) in file {
        bundle.take(name, resolver, now);
    }
    Ok(bundle)
}

/// A file that Traefik reads, with what it cannot be told. Issuers are its resolvers.
pub fn export_traefik(bundle: &Bundle) -> (Vec<u8>, Vec<Note>) {
    let mut notes = Vec::new();
    let mut file = Resolvers::new();
    for issuer in &bundle.issuers {
        file.insert(issuer.name.clone(), Resolver::export(issuer, &mut notes));
    }
    // Text, numbers and lists: nothing in it can fail.
    (serde_json::to_vec_pretty(&file).unwrap_or_default(), notes)
}

/// In Traefik 1 there were no resolvers: account and certificates are the file.
fn is_of_one(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct One {
        #[serde(rename = "Account")]
        account: Option<BTreeMap<String, IgnoredAny>>,
        #[serde(rename = "Certificates")]
        certificates: Option<Vec<IgnoredAny>>,
        #[serde(rename = "HTTPChallenges")]
        challenges: Option<IgnoredAny>,
        /// Before 1.4 the account was the file itself.
        #[serde(rename = "DomainsCertificate")]
        domains: Option<IgnoredAny>,
    }
    serde_json::from_slice::<One>(bytes).is_ok_and(|one| {
        let account = one.account.is_some_and(|account| account.contains_key("PrivateKey"));
        account || one.certificates.is_some() || one.challenges.is_some() || one.domains.is_some()
    })
}

// === impl Bundle ===

impl Bundle {
    fn take(&mut self, name: String, resolver: serde_json::Result<Option<Resolver>>, now: Time) {
        let issuer = match resolver {
            Err(error) => return self.note(name, format!("it is left out: {}", told(&error))),
            Ok(resolver) => resolver.map(|resolver| resolver.import(&name, now, self)),
        };
        match issuer.filter(|issuer| !(issuer.accounts.is_empty() && issuer.certificates.is_empty())) {
            Some(issuer) => self.issuers.push(issuer),
            None => self.note(name, "there is nothing in it to take along"),
        }
    }
}

// === impl Resolver ===

impl Resolver {
    fn import(self, name: &str, now: Time, bundle: &mut Bundle) -> BundleIssuer {
        let mut issuer = BundleIssuer { name: name.to_owned(), ..BundleIssuer::default() };
        match self.account.map(|account| Account::import(account, now)) {
            None => bundle.note(name, "it has no account; one is registered with the first order"),
            Some(Err(reason)) => {
                bundle.note(name, format!("its account is left out, and a new one registered: {reason}"));
            }
            Some(Ok(account)) => {
                issuer.directory = directory_of_account(&account.url);
                issuer.accounts.push(account);
            }
        }
        let mut certificates = Certificates::default();
        for certificate in self.certificates.into_iter().flatten() {
            let main = certificate["domain"]["main"].as_str().unwrap_or("a certificate");
            let place = format!("{name}, {main}");
            match Certificate::import(certificate) {
                Err(reason) => bundle.note(place, format!("it is left out: {reason}")),
                Ok(record) => {
                    expiry_note(&record, now).into_iter().for_each(|message| bundle.note(&*place, message));
                    if certificates.add(record) {
                        bundle.note(place, "it is there twice; the one that is valid longer is taken");
                    }
                }
            }
        }
        issuer.certificates = certificates.into_vec();
        if let Some(directory) = issuer.directory.clone() {
            issuer.set_directory(directory);
        }
        issuer
    }
}

impl Resolver<Account, Certificate> {
    fn export(issuer: &BundleIssuer, notes: &mut Vec<Note>) -> Self {
        let mut note = |message: String| notes.push(Note { place: issuer.name.clone(), message });
        let mut accounts = issuer.accounts.iter().filter_map(|account| {
            let exported = Account::export(account);
            if exported.is_none() {
                note(format!(
                    "the account {} is left out, as Traefik reads RSA keys only; it registers a new one",
                    account.url
                ));
            }
            exported
        });
        let account = accounts.next();
        let more = accounts.count();
        if more > 0 {
            note(format!("{more} more accounts are left out, as a resolver of Traefik has one"));
        }
        Self { account, certificates: Some(issuer.certificates.iter().map(Certificate::export).collect()) }
    }
}

// === impl Account ===

impl Account {
    fn import(found: Value, now: Time) -> Result<AccountRecord, String> {
        let found: Self = serde_json::from_value(found).map_err(|error| told(&error))?;
        let registration = found.registration.filter(|registration| !registration.uri.is_empty());
        let registration = registration.ok_or("it was never registered")?;
        let der = BASE64.decode(found.private_key.unwrap_or_default()).map_err(|_| "its key is no base64")?;
        let key = PrivateKeyDer::try_from(der).map_err(|_| "it has no key")?;
        let email = Some(found.email).filter(|email| !email.is_empty());
        account(registration.uri, email, &key, registration.body, now)
    }

    fn export(record: &AccountRecord) -> Option<Self> {
        Some(Self {
            email: record.email.clone().unwrap_or_default(),
            registration: Some(Registration { body: record.body.clone(), uri: record.url.clone() }),
            private_key: Some(BASE64.encode(rsa_der(&record.key_pem)?)),
        })
    }
}

// === impl Certificate ===

impl Certificate {
    fn import(found: Value) -> Result<CertificateRecord, String> {
        let found: Self = serde_json::from_value(found).map_err(|error| told(&error))?;
        let bytes = |text: Option<String>| BASE64.decode(text.unwrap_or_default());
        let (Ok(chain), Ok(key)) = (bytes(found.certificate), bytes(found.key)) else {
            return Err("its certificate or key is no base64".into());
        };
        certificate(&chain, &key, &found.domain.main)
    }

    fn export(record: &CertificateRecord) -> Self {
        let sans: Vec<_> = record.names.iter().skip(1).cloned().collect();
        Self {
            domain: Domain {
                main: record.names.first().cloned().unwrap_or_default(),
                sans: Some(sans).filter(|sans| !sans.is_empty()),
            },
            certificate: Some(BASE64.encode(&record.chain_pem)),
            key: Some(BASE64.encode(record.key_pem.expose())),
            store: "default".into(),
        }
    }
}
