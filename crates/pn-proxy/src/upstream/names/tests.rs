//! Names against a resolver that answers what the test says, under a clock that the test moves.

use super::{Answer, Names};
use pn_core::{ErrorKind, ProxyError};
use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::LocalSet;

/// A resolver that takes 100 ms.
#[derive(Clone)]
struct Resolver {
    answers: Rc<RefCell<Result<(u8, u64), ErrorKind>>>,
    asked: Rc<Cell<u32>>,
}

impl Default for Bench {
    fn default() -> Self {
        let resolver = Resolver { answers: Rc::new(RefCell::new(Ok((1, 60)))), asked: Rc::default() };
        let asked = resolver.clone();
        let names = Names::new(move |_| {
            asked.asked.set(asked.asked.get() + 1);
            let answer = *asked.answers.borrow();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let found = answer.map_err(ProxyError::new)?;
                Ok::<Answer, _>((vec![address(found.0)], Duration::from_secs(found.1)))
            })
        });
        Self { names, resolver }
    }
}

struct Bench {
    names: Rc<Names>,
    resolver: Resolver,
}

fn address(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

impl Bench {
    fn answer(&self, answer: Result<(u8, u64), ErrorKind>) {
        *self.resolver.answers.borrow_mut() = answer;
    }

    /// The address that a name has now, and how often was asked by now.
    async fn check(&self, expected: Result<u8, ErrorKind>, asked: u32) {
        let found = self.names.resolve("app.example").await;
        let found = found.map(|found| found[0]).map_err(|error| error.kind);
        assert_eq!((found, self.resolver.asked.get()), (expected.map(address), asked));
    }
}

async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn run(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, test);
}

#[test]
fn an_answer_holds_for_its_time_and_serves_while_a_new_one_is_fetched() {
    run(async {
        let bench = Bench::default();
        bench.check(Ok(1), 1).await;
        after(59).await;
        bench.check(Ok(1), 1).await;
        bench.answer(Ok((2, 0)));
        after(2).await;
        bench.check(Ok(1), 2).await;
        after(1).await;
        bench.check(Ok(2), 2).await;
        // A TTL of 0 is held for a second.
        bench.answer(Ok((3, 100_000)));
        after(1).await;
        bench.check(Ok(2), 3).await;
        after(1).await;
        bench.check(Ok(3), 3).await;
        // One of a day for five minutes, and an answer that is much too old is not used without asking.
        bench.answer(Ok((4, 60)));
        after(100_000).await;
        bench.check(Ok(4), 4).await;
    });
}

#[test]
fn an_old_answer_serves_on_when_there_is_no_new_one() {
    run(async {
        let bench = Bench::default();
        bench.check(Ok(1), 1).await;
        bench.answer(Err(ErrorKind::DnsTimeout));
        after(61).await;
        bench.check(Ok(1), 2).await;
        after(100_000).await;
        bench.check(Ok(1), 3).await;
        bench.answer(Ok((2, 60)));
        after(2).await;
        bench.check(Ok(1), 4).await;
        after(1).await;
        bench.check(Ok(2), 4).await;
    });
}

#[test]
fn a_name_without_an_answer_is_an_error_that_is_not_asked_for_again_at_once() {
    run(async {
        let bench = Bench::default();
        bench.answer(Err(ErrorKind::DnsTimeout));
        bench.check(Err(ErrorKind::DnsTimeout), 1).await;
        bench.check(Err(ErrorKind::DnsTimeout), 1).await;
        bench.answer(Ok((1, 60)));
        after(2).await;
        bench.check(Ok(1), 2).await;
    });
}

#[test]
fn many_that_ask_at_once_are_one_question() {
    run(async {
        let bench = Bench::default();
        let asked = (0..10).map(|_| bench.check(Ok(1), 1));
        futures_util::future::join_all(asked).await;
        // One that gives up takes nobody along.
        let bench = Bench::default();
        let impatient = tokio::time::timeout(Duration::from_millis(10), bench.names.resolve("app.example"));
        assert!(impatient.await.is_err());
        bench.check(Ok(1), 1).await;
    });
}

#[test]
fn localhost_is_asked_of_nobody() {
    run(async {
        let bench = Bench::default();
        for name in ["localhost", "localhost.", "app.localhost"] {
            let found = bench.names.resolve(name).await.unwrap();
            assert!(found.iter().all(IpAddr::is_loopback), "{name}");
        }
        assert_eq!(bench.resolver.asked.get(), 0);
    });
}
