//! What a handshake pays to find its certificate among many, and the control plane to put one more beside them.
//! `cargo bench -p pn-tls`.
#![expect(clippy::expect_used, reason = "a benchmark without its certificates has nothing to say")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pn_model::HostPattern;
use pn_tls::{CertificateStore, CertifiedKey, Source, certified_key};
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use std::hint::black_box;
use std::sync::Arc;

/// One certificate under so many names: looking up and publishing know names only.
fn store(names: usize, key: &Arc<CertifiedKey>) -> CertificateStore {
    let store = CertificateStore::new();
    let named = (0..names).map(|number| (host(number), Arc::clone(key)));
    store.publish(Source::Acme, named);
    store
}

fn host(number: usize) -> [HostPattern; 1] {
    [HostPattern::Exact(format!("site-{number}.corp.example"))]
}

fn certificate() -> Arc<CertifiedKey> {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["site.corp.example".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let secret = PrivateKeyDer::try_from(key.serialize_der()).expect("a key in DER");
    certified_key(vec![certificate.der().clone()], secret).expect("a pair")
}

fn certificates(criterion: &mut Criterion) {
    let key = certificate();
    for count in [10, 100, 1_000, 10_000] {
        let store = store(count, &key);
        let last = format!("site-{}.corp.example", count - 1);
        criterion.bench_function(&format!("store/get/{count}"), |bencher| {
            bencher.iter(|| black_box(store.get(black_box(&last))));
        });
        criterion.bench_function(&format!("store/miss/{count}"), |bencher| {
            bencher.iter(|| black_box(store.get(black_box("unknown.other.example"))));
        });
        criterion.bench_function(&format!("store/publish one more/{count}"), |bencher| {
            let one = || [(host(count / 2), Arc::clone(&key))];
            bencher.iter_batched(one, |one| store.publish(Source::Acme, one), BatchSize::SmallInput);
        });
    }
}

criterion_group!(benches, certificates);
criterion_main!(benches);
