//! The ACME client against a real pebble, without a driver: requests go over a connection of the test's own, and time
//! is as virtual as elsewhere, but for the moments in which pebble is left to work.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests; the lints know functions with #[test] only")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use pn_acme::Time;
use pn_acme::acme::*;
use pn_acme::dns::{DnsError, DnsSolver, HookAnswer, HttpClient, JsonPost};
use pn_acme::storage::{BoxFuture, CHALLENGES, MemoryStore, Storage};
use pn_model::acme::{DnsProvider, DnsSettings, Eab, Propagation, Tsig, TsigAlgorithm};
use pn_model::{IssuerName, Secret};
use pn_testkit::{Named, Pebble, PebbleOptions, TlsOptions};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// What pebble needs to look at a challenge; a machine that waits ten seconds gets this much.
const MOMENT: Duration = Duration::from_millis(200);

/// A client of one pebble.
struct Scene {
    pebble: Pebble,
    connection: Option<pn_testkit::Session>,
    now: Time,
    requests: u32,
    bad_nonces: u32,
    /// Answers in place of pebble's own answerer.
    solver: Option<DnsSolver>,
}

impl Scene {
    fn new(options: &PebbleOptions) -> Self {
        let now = 1_767_225_600;
        Self {
            pebble: Pebble::start(options),
            connection: None,
            now,
            requests: 0,
            bad_nonces: 0,
            solver: None,
        }
    }

    fn session(&self, kind: KeyType) -> Session {
        Session::new(&self.pebble.directory(), AccountKey::generate(kind).unwrap(), None).unwrap()
    }

    fn run<T>(&mut self, mut machine: Procedure<T>) -> Result<T, AcmeFault> {
        let mut input = Input::Start;
        loop {
            let action = match machine.advance(input, self.now) {
                Step::Done(outcome) => return outcome,
                Step::Do(action) => action,
            };
            input = match action {
                Action::Send(request) => Input::Answer(self.send(&request)),
                Action::Wait { until } => {
                    self.now = until;
                    std::thread::sleep(MOMENT);
                    Input::Elapsed
                }
                Action::Present(challenges) if self.solver.is_some() => {
                    Input::Presented(self.solve(&challenges).map_err(|error| error.to_string()))
                }
                Action::Withdraw(challenges) if self.solver.is_some() => {
                    let solver = self.solver.as_ref().unwrap();
                    block_on(solver.withdraw(&challenges)).unwrap();
                    Input::Presented(Ok(()))
                }
                Action::Present(challenges) => {
                    challenges.iter().for_each(|challenge| self.present(challenge));
                    Input::Presented(Ok(()))
                }
                Action::Withdraw(challenges) => {
                    let names: BTreeSet<_> = challenges.iter().map(record).collect();
                    names.iter().for_each(|name| self.pebble.clear_txt(name));
                    Input::Presented(Ok(()))
                }
            };
        }
    }

    fn solve(&self, challenges: &[Challenge]) -> Result<(), DnsError> {
        block_on(self.solver.as_ref().unwrap().present(challenges, self.now))
    }

    fn send(&mut self, request: &HttpRequest) -> Result<HttpResponse, TransportError> {
        self.requests += 1;
        let method = match request.method {
            HttpMethod::Get => "GET",
            HttpMethod::Head => "HEAD",
            HttpMethod::Post => "POST",
        };
        let mut sent =
            Request::builder().method(method).uri(&request.url).header("user-agent", "proxy-now-test");
        if request.body.is_some() {
            sent = sent.header("content-type", "application/jose+json");
        }
        if let Some(accept) = request.accept {
            sent = sent.header("accept", accept);
        }
        let sent = sent.body(Bytes::from(request.body.clone().unwrap_or_default())).unwrap();
        let kept = self.connection.take().filter(|connection| !connection.is_closed());
        let mut connection = kept.unwrap_or_else(|| {
            let trusting = TlsOptions::trusting(self.pebble.authority()).alpn(&["http/1.1"]);
            pn_testkit::Session::tls(self.pebble.addr(), "localhost", &trusting)
        });
        let reply = connection.try_send(sent).map_err(TransportError)?;
        self.connection = Some(connection);
        self.bad_nonces += u32::from(reply.text().contains("badNonce"));
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
        };
        let headers = reply.headers.iter().map(field).collect();
        Ok(HttpResponse { status: reply.status, headers, body: reply.body.to_vec() })
    }

    fn present(&self, challenge: &Challenge) {
        let authorization = &challenge.key_authorization;
        match challenge.kind {
            ChallengeKind::Http01 => self.pebble.answer_http(&challenge.token, authorization),
            ChallengeKind::TlsAlpn01 => {
                self.pebble.answer_tls(&challenge.identifier.to_string(), authorization);
            }
            ChallengeKind::Dns01 => self.pebble.add_txt(&record(challenge), &challenge.txt_value()),
            ChallengeKind::DnsPersist01 => panic!("pebble does not offer it"),
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn record(challenge: &Challenge) -> String {
    format!("_acme-challenge.{}", challenge.identifier)
}

fn order(names: &[&str], challenge: ChallengeKind, key: &CertificateKey) -> Order {
    let names: Vec<_> = names.iter().map(|name| Identifier::parse(name)).collect();
    let csr = key.request(&names).unwrap();
    Order { names, csr, profile: None, replaces: None, challenges: vec![challenge], preferred_chain: None }
}

/// Half of all nonces refused, half of all authorizations used again: every order comes through, by every challenge and
/// with every kind of account.
#[test]
fn half_of_all_nonces_refused_costs_no_order() {
    let mut scene = Scene::new(&PebbleOptions { bad_nonces: 50, reuse: 50, ..PebbleOptions::default() });
    for account in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
        let session = scene.session(account);
        scene.run(Register::default().machine(&session)).unwrap();
        for (names, challenge, kind) in [
            (&["a.test", "b.test"][..], ChallengeKind::Http01, KeyType::P384),
            (&["c.test"], ChallengeKind::TlsAlpn01, KeyType::Rsa2048),
            (&["*.d.test", "d.test"], ChallengeKind::Dns01, KeyType::P256),
            (&["a.test", "127.0.0.1"], ChallengeKind::Http01, KeyType::P256),
        ] {
            let key = CertificateKey::generate(kind).unwrap();
            let obtained = scene.run(order(names, challenge, &key).machine(&session));
            let obtained = obtained.unwrap_or_else(|fault| panic!("{account:?}, {names:?}: {fault}"));
            assert_eq!(obtained.chain_pem.matches("BEGIN CERTIFICATE").count(), 2);
        }
    }
    assert!(scene.bad_nonces > scene.requests / 4, "{} of {}", scene.bad_nonces, scene.requests);
}

#[test]
fn an_account_from_its_first_day_to_its_last() {
    let eab = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W");
    let mut scene = Scene::new(&PebbleOptions { eab: Some(eab), ..PebbleOptions::default() });
    let session = scene.session(KeyType::P256);
    let fault = scene.run(Register::default().machine(&session)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::ExternalAccount);
    let wrong =
        Eab { kid: eab.0.to_owned(), hmac: Secret::new("d3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmctd3Jvbmc") };
    scene.run(Register { eab: Some(wrong), ..Register::default() }.machine(&session)).unwrap_err();
    let right = Some(Eab { kid: eab.0.to_owned(), hmac: Secret::new(eab.1) });
    let email = Some("admin@example.com".to_owned());
    let made = scene.run(Register { email, eab: right, ..Register::default() }.machine(&session)).unwrap();
    let found = scene.run(Register { only_existing: true, ..Register::default() }.machine(&session)).unwrap();
    assert_eq!((made.existed, found.existed, found.url == made.url), (false, true, true));

    let email = Some("other@example.com".to_owned());
    let shown = scene.run(UpdateContact { email }.machine(&session)).unwrap();
    assert_eq!(shown["contact"][0], "mailto:other@example.com");
    let new_key = AccountKey::generate(KeyType::P384).unwrap();
    scene.run(Rollover { new_key: new_key.clone() }.machine(&session)).unwrap();
    assert!(session.key() == new_key);

    let key = CertificateKey::generate(KeyType::P256).unwrap();
    let obtained = scene.run(order(&["a.test"], ChallengeKind::Http01, &key).machine(&session)).unwrap();
    let certificate = CertId::of_pem(&obtained.chain_pem).unwrap();
    assert_eq!(scene.run(RenewalInfo { certificate }.machine(&session)).unwrap(), None, "pebble has none");
    let certificate = CertificateDer::from_pem_slice(obtained.chain_pem.as_bytes()).unwrap().to_vec();
    let by_key = Some(AccountKey::from_pem(&key.to_pem()).unwrap());
    let revoke = Revoke { certificate, reason: RevocationReason::KeyCompromise, by_key };
    scene.run(revoke.clone().machine(&session)).unwrap();
    scene.run(revoke.machine(&session)).unwrap();

    scene.run(Deactivate.machine(&session)).unwrap();
    let fault = scene.run(order(&["b.test"], ChallengeKind::Http01, &key).machine(&session)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
}

#[test]
fn what_pebble_refuses_is_said() {
    let mut scene = Scene::new(&PebbleOptions::default());
    let session = scene.session(KeyType::P256);
    let key = CertificateKey::generate(KeyType::P256).unwrap();
    let stranger =
        Session::new(&scene.pebble.directory(), session.key(), Some(scene.pebble.directory())).unwrap();
    let fault = scene.run(order(&["a.test"], ChallengeKind::Http01, &key).machine(&stranger)).unwrap_err();
    assert!(matches!(fault.kind, FaultKind::AccountGone | FaultKind::Refused), "{fault}");
    scene.run(Register::default().machine(&session)).unwrap();

    let blocked = order(&["blocked-domain.example"], ChallengeKind::Http01, &key);
    let fault = scene.run(blocked.machine(&session)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::Rejected(Identifier::parse("blocked-domain.example")));
    let fault = scene.run(order(&["*.a.test"], ChallengeKind::Http01, &key).machine(&session)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::NoChallenge(Identifier::parse("a.test")), "{fault}");

    let mut machine = order(&["a.test"], ChallengeKind::Http01, &key).machine(&session);
    let (mut input, mut presented) = (Input::Start, false);
    let fault = loop {
        let action = match machine.advance(input, scene.now) {
            Step::Done(outcome) => break outcome.unwrap_err(),
            Step::Do(action) => action,
        };
        input = match action {
            Action::Send(request) => Input::Answer(scene.send(&request)),
            Action::Wait { until } => {
                scene.now = until;
                std::thread::sleep(MOMENT);
                Input::Elapsed
            }
            Action::Present(_) | Action::Withdraw(_) => {
                presented = true;
                Input::Presented(Ok(()))
            }
        };
    };
    assert!(presented);
    assert_eq!(fault.kind, FaultKind::Rejected(Identifier::parse("a.test")), "{fault}");
    assert_eq!(fault.challenge, Some(ChallengeKind::Http01));
    assert!(fault.message.contains("`a.test`: not proven by http-01"), "{fault}");
}

/// Of a provider that asks nobody by HTTP.
#[derive(Debug)]
struct NoClient;

impl HttpClient for NoClient {
    fn post<'a>(&'a self, _: JsonPost<'a>) -> BoxFuture<'a, Result<HookAnswer, String>> {
        Box::pin(async { Err("nobody is asked by HTTP here".to_owned()) })
    }
}

/// By dynamic updates, and seen there.
fn by_updates(named: &Named, storage: &Arc<dyn Storage>) -> DnsSolver {
    let server = named.addr().to_string();
    let (name, secret) = (Named::KEY.to_owned(), Secret::new(Named::SECRET));
    let tsig = Some(Tsig { name, algorithm: TsigAlgorithm::HmacSha256, secret });
    let settings = DnsSettings {
        provider: DnsProvider::Rfc2136 { server: server.clone(), tsig },
        ttl: Duration::from_secs(5),
        propagation: Propagation { resolvers: vec![server], ..Propagation::default() },
    };
    let client: Arc<dyn HttpClient> = Arc::new(NoClient);
    DnsSolver::new(&IssuerName::new("main"), &settings, &client, storage).unwrap()
}

/// A name with its wildcard, which share a place, and one whose place is an alias (within the zone: BIND as it is set up
/// here does not follow one into another): pebble finds all three records, and none is left.
#[test]
fn a_wildcard_is_proven_by_records_in_bind() {
    let named = Named::start(&[("test.example", "_acme-challenge.www IN CNAME www.acme")]);
    let storage: Arc<dyn Storage> = Arc::new(MemoryStore::new("node", Arc::new(|| 1_767_225_600)));
    let options = PebbleOptions { name_server: Some(named.addr()), ..PebbleOptions::default() };
    let mut scene = Scene { solver: Some(by_updates(&named, &storage)), ..Scene::new(&options) };
    let session = scene.session(KeyType::P256);
    scene.run(Register::default().machine(&session)).unwrap();
    let key = CertificateKey::generate(KeyType::P256).unwrap();
    let names = ["*.test.example", "test.example", "www.test.example"];
    let obtained = scene.run(order(&names, ChallengeKind::Dns01, &key).machine(&session)).unwrap();
    assert_eq!(obtained.chain_pem.matches("BEGIN CERTIFICATE").count(), 2);
    assert_eq!(block_on(storage.list(CHALLENGES)).unwrap(), []);
}
