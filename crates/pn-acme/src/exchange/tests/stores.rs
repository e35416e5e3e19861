//! Bundles and stores.

use super::{LETS_ENCRYPT, LETS_ENCRYPT_ACCOUNT, NOW, account_pem, made};
use crate::acme::KeyType;
use crate::exchange::material::certificate;
use crate::exchange::{Bundle, BundleIssuer, ExchangeError};
use crate::records::{AccountRecord, Upkeep};
use crate::storage::MemoryStore;
use crate::storage::{Expected, FileStore, Key, Storage, system_clock};
use pn_model::Secret;

fn account() -> AccountRecord {
    AccountRecord {
        directory: String::new(),
        url: LETS_ENCRYPT_ACCOUNT.into(),
        email: None,
        key_pem: Secret::new(account_pem(KeyType::P256)),
        registered_at: NOW,
        body: serde_json::json!({}),
        upkeep: Upkeep::default(),
        unknown: serde_json::Map::new(),
    }
}

fn bundle(names: &[&str], days: i64) -> Bundle {
    let made = made(names, days);
    let certificate = certificate(made.chain.as_bytes(), made.key.as_bytes(), "").unwrap();
    let issuer = BundleIssuer {
        name: "le".into(),
        directory: None,
        accounts: vec![account()],
        certificates: vec![certificate],
    };
    let mut bundle = Bundle { issuers: vec![issuer], ..Bundle::default() };
    assert!(bundle.set_directory("le", LETS_ENCRYPT));
    bundle
}

#[tokio::test]
async fn a_bundle_goes_into_a_store_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let stores: [Box<dyn Storage>; 2] = [
        Box::new(MemoryStore::new("one", system_clock())),
        Box::new(FileStore::open(&dir.path().join("store")).unwrap()),
    ];
    for store in stores {
        let first = bundle(&["a.example", "b.example"], 30);
        let report = first.store(&*store, false).await.unwrap();
        assert_eq!((report.stored.len(), report.kept.len()), (2, 0));
        let mut back = Bundle::read(&*store).await.unwrap();
        back.issuers[0].name = "le".into();
        assert_eq!(back, first);
        // The same again, and one that ends sooner: nothing is taken. One that is valid longer is.
        for (next, replace, stored) in [
            (first.clone(), false, 0),
            (bundle(&["b.example", "a.example"], 20), false, 0),
            (bundle(&["a.example", "b.example"], 60), false, 1),
            (first.clone(), true, 2),
        ] {
            assert_eq!(next.store(&*store, replace).await.unwrap().stored.len(), stored);
        }
    }
}

#[tokio::test]
async fn what_is_damaged_is_told_and_replaced() {
    let store = MemoryStore::new("one", system_clock());
    let first = bundle(&["a.example"], 30);
    let key = first.issuers[0].certificates[0].key();
    store.save(&key, b"{", Expected::Any, None).await.unwrap();
    store.save(&Key::parse("certificates/x/y").unwrap(), b"{}", Expected::Any, None).await.unwrap();
    let read = Bundle::read(&store).await.unwrap();
    assert_eq!((read.unread.len(), read.issuers.len()), (2, 0));
    assert!(read.unread.iter().all(|error| error.contains("cannot be read")));
    assert_eq!(first.store(&store, false).await.unwrap().stored.len(), 2);
}

#[tokio::test]
async fn one_file_that_is_damaged_keeps_nobody_from_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let store = FileStore::open(dir.path()).unwrap();
    let first = bundle(&["a.example"], 30);
    first.store(&store, false).await.unwrap();
    let folder = dir.path().join("certificates/x");
    std::fs::create_dir_all(folder.join("folder.json")).unwrap();
    std::fs::write(folder.join("large.json"), vec![b' '; (1 << 20) + 1]).unwrap();
    let mut read = Bundle::read(&store).await.unwrap();
    let unread = std::mem::take(&mut read.unread);
    assert!(unread.len() == 2 && unread[0].contains("folder.json") && unread[1].contains("large.json"));
    read.issuers[0].name = "le".into();
    assert_eq!(read, first);
}

#[tokio::test]
async fn what_a_later_release_wrote_is_not_written_over() {
    let store = MemoryStore::new("one", system_clock());
    let first = bundle(&["a.example"], 30);
    let key = first.issuers[0].certificates[0].key();
    let later = br#"{ "version": 2, "names": "other" }"#;
    store.save(&key, later, Expected::Any, None).await.unwrap();
    let refused = first.store(&store, true).await.unwrap_err().to_string();
    assert!(refused.contains("run a newer proxy-now"), "{refused}");
    assert_eq!(store.load(&key).await.unwrap().unwrap().value, later);
    let unread = Bundle::read(&store).await.unwrap().unread;
    assert!(unread.len() == 1 && unread[0].contains("later release"), "{unread:?}");
}

#[tokio::test]
async fn without_a_directory_nothing_is_stored() {
    let store = MemoryStore::new("one", system_clock());
    let mut first = bundle(&["a.example"], 30);
    first.issuers[0].directory = None;
    let refused = first.store(&store, false).await.unwrap_err();
    assert!(matches!(&refused, ExchangeError::NoDirectory(names) if *names == ["le"]), "{refused}");
    assert_eq!(refused.to_string(), "the directory of the CA is not known for le; say it as NAME=URL");
    assert_eq!(store.list("accounts").await.unwrap(), []);
}
