//! Name servers that refuse, fail, lie, fall silent or die, and providers that hang: each error names the place and the
//! remedy, time is bounded, and what may be left is noted and goes later.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::Mutex;
use std::thread;

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{Name, RData, Record};
use pn_testkit::free_port;

use super::super::DnsError;
use super::*;
use crate::storage::{BoxFuture, CHALLENGES};

const FQDN: &str = "_acme-challenge.www.test.example.";

/// How a name server answers by TCP, where updates come.
#[derive(Debug, Clone, Copy)]
enum Says {
    /// Unsigned.
    Code(ResponseCode),
    /// Of another message.
    Stray,
    Garbage,
    /// Announces more than comes.
    Cut,
    Hangup,
}

/// One that answers questions with its zone, or with this code, and updates as it is told. Its threads end with the test.
fn server(soa: ResponseCode, says: Says) -> SocketAddr {
    let (udp, tcp) = loop {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        if let (Ok(udp), Ok(tcp)) = (UdpSocket::bind(address), TcpListener::bind(address)) {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((count, peer)) = udp.recv_from(&mut buffer) {
            udp.send_to(&zone_answer(&buffer[..count], soa), peer).unwrap();
        }
    });
    thread::spawn(move || tcp.incoming().flatten().for_each(|stream| answer_update(stream, says)));
    address
}

fn zone_answer(question: &[u8], code: ResponseCode) -> Vec<u8> {
    let mut answer = reply(question, code);
    let zone = Name::from_ascii("test.example.").unwrap();
    let soa = SOA::new(zone.clone(), zone.clone(), 1, 3600, 600, 86400, 5);
    if code == ResponseCode::NoError {
        answer.add_authority(Record::from_rdata(zone, 5, RData::SOA(soa)));
    }
    answer.to_vec().unwrap()
}

fn reply(question: &[u8], code: ResponseCode) -> Message {
    let mut answer = Message::from_vec(question).unwrap();
    answer.metadata.message_type = MessageType::Response;
    answer.metadata.response_code = code;
    answer.metadata.authoritative = true;
    answer.authorities.clear();
    answer.additionals.clear();
    answer.signature = None;
    answer
}

fn answer_update(mut stream: TcpStream, says: Says) {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut question).unwrap();
    let mut answer = match says {
        Says::Code(code) => reply(&question, code).to_vec().unwrap(),
        Says::Stray | Says::Cut => reply(&question, ResponseCode::NoError).to_vec().unwrap(),
        Says::Garbage => [&question[..2], &[0xff; 500]].concat(),
        Says::Hangup => return,
    };
    let mut length = u16::try_from(answer.len()).unwrap();
    match says {
        Says::Stray => answer[0] ^= 0xff,
        Says::Cut => length = u16::MAX,
        _ => {}
    }
    stream.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat()).unwrap();
}

#[test]
fn each_answer_of_a_primary_says_what_to_do() {
    for (says, expected) in [
        (
            Says::Code(ResponseCode::NotAuth),
            "NOTAUTH; it is not the primary of the zone test.example.: let `server`",
        ),
        (Says::Code(ResponseCode::ServFail), "SERVFAIL; its log says why"),
        (Says::Code(ResponseCode::NotImp), "NOTIMP; it does not take dynamic updates"),
        (Says::Code(ResponseCode::NotZone), "NOTZONE; the name is not in its zone"),
        (Says::Code(ResponseCode::FormErr), "it answers FORMERR; its log says why"),
        (Says::Code(ResponseCode::NoError), "its answer is not signed with the key"),
        (Says::Stray, "it answers another message"),
        (Says::Garbage, "its answer is malformed"),
        (Says::Cut, "check its address and that port 53 is open"),
        (Says::Hangup, "check its address and that port 53 is open"),
    ] {
        let server = server(ResponseCode::NoError, says);
        let error = run(rfc2136(server).append(&record(FQDN, "value"))).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(&server.to_string()), "{says:?}: {error}");
        assert!(error.len() < 500 && !error.contains(Named::SECRET), "{says:?}: {error}");
    }
}

#[test]
fn a_server_that_fails_is_told_from_one_that_has_no_such_zone() {
    for (code, expected) in [
        (
            ResponseCode::ServFail,
            "answers SERVFAIL when it is asked for the zone of _acme-challenge.www.test.example.",
        ),
        (ResponseCode::NotImp, "answers NOTIMP when it is asked"),
        (ResponseCode::Refused, "it has no zone for that name; let `server` name the primary"),
    ] {
        let server = server(code, Says::Hangup);
        let error = run(rfc2136(server).append(&record(FQDN, "value"))).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains(&server.to_string()), "{code}: {error}");
    }
}

/// Ends the name server as soon as the record stands there.
#[derive(Debug)]
struct Killing {
    named: Mutex<Option<Named>>,
    updates: Rfc2136,
}

impl DnsPresenter for Killing {
    fn append<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(async {
            self.updates.append(record).await?;
            drop(self.named.lock().unwrap().take());
            Ok(())
        })
    }

    fn remove<'a>(&'a self, record: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        self.updates.remove(record)
    }
}

#[test]
fn a_server_that_dies_before_the_record_is_seen_is_named_and_cleared_later() {
    let (port, storage) = (free_port(), store());
    let named = Named::start_at(port, &[(ZONE, "")]);
    let server = named.addr();
    let killing = Killing { named: Mutex::new(Some(named)), updates: rfc2136(server) };
    let solver = solver_in(Arc::clone(&storage), killing, lookup(server));
    run(async {
        let error = solver.present(&[challenge(ZONE, "one")], NOW).await.unwrap_err().to_string();
        for each in ["has not appeared", &server.to_string(), "Connection refused", "check its address"] {
            assert!(error.contains(each), "{each:?} in {error}");
        }
        assert_eq!(storage.list(CHALLENGES).await.unwrap().len(), 1, "what may be left is noted");
        let back = Named::start_at(port, &[(ZONE, "")]);
        solver.updates_of_a_later_order(&back).await;
        assert_eq!(storage.list(CHALLENGES).await.unwrap(), []);
    });
}

impl DnsSolver {
    /// Hours later, with the record still there.
    async fn updates_of_a_later_order(&self, named: &Named) {
        let left = challenge(ZONE, "one").txt_value();
        rfc2136(named.addr()).append(&record("_acme-challenge.test.example.", &left)).await.unwrap();
        self.present(&[], NOW + 8_000).await.unwrap();
        assert_eq!(txt(named.addr(), "_acme-challenge.test.example.").await, [""; 0]);
    }
}

/// One that hangs, when it adds or when it removes.
#[derive(Debug)]
struct Hanging {
    adds: bool,
}

impl DnsPresenter for Hanging {
    fn append<'a>(&'a self, _: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        if self.adds { Box::pin(std::future::pending()) } else { Box::pin(async { Ok(()) }) }
    }

    fn remove<'a>(&'a self, _: &'a TxtRecord) -> BoxFuture<'a, Result<(), DnsError>> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_provider_that_hangs_ends_the_order_and_leaves_a_note() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    for (adds, most) in [(true, 60), (false, 10)] {
        let storage = store();
        let unseen = Propagation { check: false, ..quick() };
        let lookup = lookup(SocketAddr::from(([127, 0, 0, 1], 1)));
        let solver = solver_in(Arc::clone(&storage), Hanging { adds }, lookup);
        let solver = DnsSolver { propagation: unseen, ..solver };
        let challenges = [challenge(ZONE, "one"), challenge("*.test.example", "two")];
        runtime.block_on(async {
            let began = tokio::time::Instant::now();
            let presented = solver.present(&challenges, NOW).await;
            let ended = match presented {
                Ok(()) => solver.withdraw(&challenges).await,
                Err(error) => Err(error),
            };
            let (minutes, error) = (began.elapsed().as_secs() / 60, ended.unwrap_err().to_string());
            assert!(minutes <= most, "{minutes} minutes");
            assert!(error.contains("the provider is too slow"), "{error}");
            assert!(!storage.list(CHALLENGES).await.unwrap().is_empty(), "what may be left is noted");
            // Nor does what cannot be removed keep the next order from its turn.
            let began = tokio::time::Instant::now();
            solver.present(&[], NOW + 8_000).await.unwrap();
            assert!(began.elapsed().as_secs() <= 600, "{:?}", began.elapsed());
        });
    }
}

/// A network that drops what goes to a name server: the time is that of the configuration, and not that of each question.
#[test]
fn silence_lasts_no_longer_than_the_configuration_says() {
    let silent = [(); 3].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    let resolvers: Vec<String> = silent.iter().map(|each| each.local_addr().unwrap().to_string()).collect();
    let lookup = Lookup::new(&resolvers, None);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = Propagation { timeout: Duration::from_secs(1), ..quick() };
    let name = "_acme-challenge.test.example.";
    let waited =
        runtime.block_on(super::super::propagation::wait_for(&lookup, &settings, &[record(name, "value")]));
    let error = waited.unwrap_err().to_string();
    for each in resolvers.iter().map(String::as_str).chain(["propagation.resolvers"]) {
        assert!(error.contains(each), "{each:?} in {error}");
    }
}
