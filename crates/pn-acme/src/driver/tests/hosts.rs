//! Nodes on several hosts: the store is a network away, and the clocks differ.

use super::sim::Nodes;
use crate::driver::board::CertificateState;
use crate::life::Throttle;
use crate::storage::{
    ACCOUNTS, BoxFuture, Clock, Expected, Key, Lease, Loaded, MemoryStore, Storage, StorageError, Stored,
    Version,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const NAMES: [&str; 2] = ["a.test", "b.test"];
const DAYS: f64 = 70.0;
/// In so many days, with certificates of 90 days.
const ROUNDS: usize = 2;

/// A store whose questions and answers are under way for up to so many milliseconds each.
#[derive(Debug)]
struct Far {
    store: MemoryStore,
    most: u64,
    random: AtomicU64,
}

impl Far {
    async fn after<T>(&self, done: impl Future<Output = T>) -> T {
        self.wait().await;
        let answer = done.await;
        self.wait().await;
        answer
    }

    async fn wait(&self) {
        let step = |random: u64| Some(random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        let random = self.random.fetch_update(Ordering::SeqCst, Ordering::SeqCst, step).unwrap();
        tokio::time::sleep(Duration::from_millis(1 + (random >> 33) % self.most.max(1))).await;
    }
}

impl Storage for Far {
    fn load<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Stored>, StorageError>> {
        Box::pin(self.after(self.store.load(key)))
    }

    fn load_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Loaded>, StorageError>> {
        Box::pin(self.after(self.store.load_many(keys)))
    }

    fn save<'a>(
        &'a self,
        key: &'a Key,
        value: &'a [u8],
        expected: Expected,
        under: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<Version, StorageError>> {
        Box::pin(self.after(self.store.save(key, value, expected, under)))
    }

    fn delete<'a>(
        &'a self,
        key: &'a Key,
        expected: Expected,
        under: Option<&'a Lease>,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(self.after(self.store.delete(key, expected, under)))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Key>, StorageError>> {
        Box::pin(self.after(self.store.list(prefix)))
    }

    fn lock<'a>(
        &'a self,
        name: &'a str,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<Option<Lease>, StorageError>> {
        Box::pin(self.after(self.store.lock(name, ttl)))
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<Lease, StorageError>> {
        Box::pin(self.after(self.store.renew(lease)))
    }

    fn unlock(&self, lease: Lease) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(self.after(self.store.unlock(lease)))
    }
}

/// One node a clock, each of which is wrong by so many seconds.
async fn hosts(seed: u64, wrong_by: &[i64], most: u64) -> Nodes {
    let mut nodes = Nodes::new(seed, 0);
    for (number, &wrong_by) in wrong_by.iter().enumerate() {
        let right = Arc::clone(&nodes.clock);
        let clock: Clock = Arc::new(move || right().saturating_add_signed(wrong_by));
        let store = nodes.store.node_with_clock(&format!("host{number}"), Arc::clone(&clock));
        let far = Far { store, most, random: AtomicU64::new(seed.wrapping_add(number as u64)) };
        nodes.add_with(Arc::new(far), clock);
    }
    nodes.want(&NAMES).await;
    nodes
}

/// They differ by less than a lock lasts after it was last renewed, 90 s: nothing is ordered twice, however slow the
/// store.
#[tokio::test(start_paused = true)]
async fn a_slow_store_and_clocks_that_differ_a_little_cost_no_order() {
    for (seed, wrong_by, most) in [(1, [0, 0, 0], 2_000), (3, [0, 40, -40], 2_000), (4, [80, 0, 0], 2_000)] {
        let nodes = hosts(seed, &wrong_by, most).await;
        nodes.pass(DAYS).await;
        assert_eq!(nodes.orders(), NAMES.len() * ROUNDS, "seed {seed}");
        all_serve_the_newest(&nodes, seed);
    }
}

/// They differ by minutes, more than a lock lasts: two may work on one certificate, and one of them is refused at the
/// end. That costs orders, never a certificate. Of two accounts that were registered at once one is stored.
#[tokio::test(start_paused = true)]
async fn clocks_that_differ_by_minutes_cost_no_certificate() {
    for (seed, wrong_by, most) in
        [(1, [0, 300, -300], 10), (2, [0, 300, -300], 2_000), (3, [900, 0, 0], 10), (4, [0, 0, -900], 1_000)]
    {
        let nodes = hosts(seed, &wrong_by, most).await;
        nodes.pass(DAYS).await;
        let (orders, due) = (nodes.orders(), NAMES.len() * ROUNDS);
        assert!((due..=2 * due).contains(&orders), "seed {seed}: {orders} orders");
        nodes.ca.with(|ca| assert!((1..=2).contains(&ca.accounts.len()), "seed {seed}"));
        assert_eq!(nodes.store.list(ACCOUNTS).await.unwrap().len(), 1, "seed {seed}");
        all_serve_the_newest(&nodes, seed);
    }
}

/// They come to the throttle of their account all at once.
#[tokio::test(start_paused = true)]
async fn many_certificates_of_one_node_are_not_in_each_others_way() {
    let mut nodes = Nodes::new(5, 0);
    nodes.throttle = Throttle::new(1_000, Duration::from_secs(10));
    let (store, clock) = (nodes.store.node("host"), Arc::clone(&nodes.clock));
    nodes.add_with(Arc::new(Far { store, most: 1, random: AtomicU64::new(5) }), clock);
    let names: Vec<String> = (0..60).map(|number| format!("{number}.test")).collect();
    nodes.want(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for second in 0..120 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let troubled: Vec<_> = nodes.status(0).into_iter().filter_map(|one| one.last_error).collect();
        let told: Vec<_> = troubled.iter().filter(|error| error.contains("throttle")).collect();
        assert!(told.is_empty(), "after {second} s: {told:?}");
    }
    assert_eq!(nodes.orders(), names.len());
    assert!(nodes.status(0).iter().all(|one| one.state == CertificateState::Valid));
}

fn all_serve_the_newest(nodes: &Nodes, seed: u64) {
    for name in NAMES {
        let served: Vec<_> =
            nodes.nodes.iter().map(|node| node.certificates.get(name).unwrap().cert.clone()).collect();
        assert!(served.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}: {name}");
    }
    for node in 0..nodes.nodes.len() {
        let status = nodes.status(node);
        assert!(status.iter().all(|one| one.state == CertificateState::Valid), "seed {seed}: {status:?}");
    }
}
