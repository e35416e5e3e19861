//! Caddy's folder.

use super::{Made, NOW, account_pem, made, made_p384};
use crate::acme::KeyType;
use crate::exchange::{
    Bundle, CaddyFiles, ExchangeError, export_caddy, import_caddy, read_caddy, write_caddy,
};
use std::os::unix::fs::{PermissionsExt, symlink};

const FOLDER: &str = "ca.test-8443-acme-local-directory";
const DIRECTORY: &str = "https://ca.test:8443/acme/local/directory";

fn certificate(files: &mut CaddyFiles, folder: &str, name: &str, made: &Made, meta: &str) {
    let stem = format!("certificates/{folder}/{name}/{name}");
    files.insert(format!("{stem}.crt"), made.chain.clone().into());
    files.insert(format!("{stem}.key"), made.key.clone().into());
    files.insert(format!("{stem}.json"), meta.into());
}

fn account(files: &mut CaddyFiles, folder: &str, email: &str, user: &str, json: &str) {
    let stem = format!("acme/{folder}/users/{email}/{user}");
    files.insert(format!("{stem}.json"), json.into());
    files.insert(format!("{stem}.key"), account_pem(KeyType::P256).into());
}

/// As Caddy 2.11 leaves it.
fn folder() -> CaddyFiles {
    let mut files = CaddyFiles::new();
    let meta = format!(
        "{{\n\t\"sans\": [\n\t\t\"a.test\"\n\t],\n\t\"issuer_data\": {{\n\t\t\"url\": \"https://ca.test:8443/acme/local/certificate/6y\",\n\t\t\"ca\": \"{DIRECTORY}\",\n\t\t\"account\": \"https://ca.test:8443/acme/local/account/Y9\"\n\t}}\n}}"
    );
    certificate(&mut files, FOLDER, "a.test", &made_p384(&["a.test"], 60), &meta);
    certificate(&mut files, FOLDER, "wildcard_.b.test", &made(&["*.b.test"], 60), &meta);
    let json = "{\n\t\"status\": \"valid\",\n\t\"contact\": [\n\t\t\"mailto:ops+acme@example.org\"\n\t],\n\t\"termsOfServiceAgreed\": true,\n\t\"location\": \"https://ca.test:8443/acme/local/account/Y9\"\n}";
    account(&mut files, FOLDER, "ops_plus_acme@example.org", "ops_plus_acme", json);
    files.insert(format!("acme/{FOLDER}/challenge_tokens/a.test.json"), "{}".into());
    files.insert("last_clean.json".into(), "{}".into());
    files
}

fn notes(bundle: &Bundle) -> String {
    bundle.notes.iter().map(|note| format!("{note}\n")).collect()
}

#[test]
fn accounts_and_certificates_come_along() {
    let bundle = import_caddy(&folder(), NOW).unwrap();
    assert_eq!(notes(&bundle), "");
    let [issuer] = bundle.issuers.as_slice() else { panic!("{:?}", bundle.issuers) };
    assert_eq!((issuer.name.as_str(), issuer.directory.as_deref()), (FOLDER, Some(DIRECTORY)));
    let account = issuer.accounts.first().unwrap();
    assert_eq!(account.url, "https://ca.test:8443/acme/local/account/Y9");
    assert_eq!(account.email.as_deref(), Some("ops+acme@example.org"));
    assert_eq!((account.directory.as_str(), account.registered_at), (DIRECTORY, NOW));
    let names: Vec<_> = issuer.certificates.iter().map(|record| record.names.join(" ")).collect();
    assert_eq!(names, ["a.test", "*.b.test"]);
    assert!(issuer.certificates.iter().all(|record| record.issuer_directory == DIRECTORY));
}

#[test]
fn what_is_exported_is_what_caddy_writes() {
    let bundle = import_caddy(&folder(), NOW).unwrap();
    let (written, told) = export_caddy(&bundle);
    assert_eq!(told, []);
    let expected: Vec<_> =
        folder().into_keys().filter(|path| !path.contains("tokens") && path.contains('/')).collect();
    assert_eq!(written.keys().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(import_caddy(&written, NOW).unwrap(), bundle);
}

#[test]
fn a_certificate_of_several_names_is_there_for_each() {
    let mut files = CaddyFiles::new();
    let meta = format!("{{\"issuer_data\":{{\"ca\":\"{DIRECTORY}\"}}}}");
    let several = made(&["a.test", "*.b.test", "10.0.0.1", "::1"], 60);
    certificate(&mut files, FOLDER, "a.test", &several, &meta);
    let bundle = import_caddy(&files, NOW).unwrap();
    let (written, _) = export_caddy(&bundle);
    for name in ["a.test", "wildcard_.b.test", "10.0.0.1", "--1"] {
        for ending in ["crt", "key", "json"] {
            let path = format!("certificates/{FOLDER}/{name}/{name}.{ending}");
            assert!(written.contains_key(&path), "{path}: {:?}", written.keys());
        }
    }
    let again = import_caddy(&written, NOW).unwrap();
    assert_eq!(again.issuers[0].certificates.len(), 1);
}

#[test]
fn issuers_are_known_by_what_is_at_hand() {
    let public = "acme-v02.api.letsencrypt.org-directory";
    let mut files = CaddyFiles::new();
    certificate(&mut files, public, "a.test", &made(&["a.test"], 60), "{}");
    certificate(&mut files, "ca.inside-dir", "b.test", &made(&["b.test"], 60), "no JSON");
    let lie = format!("{{\"issuer_data\":{{\"ca\":\"{DIRECTORY}\"}}}}");
    certificate(&mut files, "ca.other-dir", "c.test", &made(&["c.test"], 60), &lie);
    let mut bundle = import_caddy(&files, NOW).unwrap();
    assert_eq!(bundle.issuers[0].directory.as_deref(), Some(super::LETS_ENCRYPT));
    assert_eq!(bundle.without_directory(), ["ca.inside-dir", "ca.other-dir"]);
    assert!(bundle.set_directory("ca.inside-dir", "https://ca.inside/dir"));
    assert!(!bundle.set_directory("nobody", "https://ca.inside/dir"));
    let (_, told) = export_caddy(&bundle);
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn what_cannot_be_taken_along_is_told() {
    let mut files = folder();
    let (good, other) = (made(&["c.test"], 60), made(&["d.test"], -1));
    certificate(&mut files, "local", "e.test", &good, "{}");
    let swapped = Made { chain: good.chain.clone(), key: other.key.clone() };
    certificate(&mut files, FOLDER, "c.test", &swapped, "{}");
    certificate(&mut files, FOLDER, "d.test", &other, "{}");
    account(&mut files, FOLDER, "default", "default", "{\"status\":\"valid\"}");
    account(&mut files, FOLDER, "x@y", "x", "no JSON");
    let bundle = import_caddy(&files, NOW).unwrap();
    let told = notes(&bundle);
    for (place, message) in [
        ("certificates/local/e.test/e.test.crt", "Caddy's own CA signed it"),
        ("c.test/c.test.crt", "another certificate's"),
        ("d.test/d.test.crt", "it expired 1 days ago"),
        ("users/default/default.json", "it was never registered"),
        ("users/x@y/x.json", "it cannot be read"),
    ] {
        assert!(told.lines().any(|line| line.contains(place) && line.contains(message)), "{place}: {told}");
    }
    assert_eq!(bundle.issuers[0].certificates.len(), 3);
    let refused = import_caddy(&CaddyFiles::from([("Caddyfile".into(), Vec::new())]), NOW).unwrap_err();
    assert!(matches!(refused, ExchangeError::NotCaddy), "{refused}");
}

#[test]
fn folders_are_read_and_written() {
    let dir = tempfile::tempdir().unwrap();
    let (written, _) = export_caddy(&import_caddy(&folder(), NOW).unwrap());
    write_caddy(dir.path(), &written).unwrap();
    std::fs::write(dir.path().join("last_clean.json"), "{}").unwrap();
    assert_eq!(read_caddy(dir.path()).unwrap(), (written.clone(), Vec::new()));
    write_caddy(dir.path(), &written).unwrap();
    assert_eq!(read_caddy(&dir.path().join("nothing")).unwrap(), Default::default());
}

#[test]
fn a_hostile_folder_is_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (written, _) = export_caddy(&import_caddy(&folder(), NOW).unwrap());
    write_caddy(dir.path(), &written).unwrap();
    let place = dir.path().join(format!("certificates/{FOLDER}/a.test"));
    let key = place.join("a.test.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    symlink("nowhere", place.join("link.crt")).unwrap();
    // Round and round, with two ways at each turn.
    symlink("..", place.join("up")).unwrap();
    symlink("..", dir.path().join(format!("certificates/{FOLDER}/up"))).unwrap();
    std::fs::File::create(place.join("large.json")).unwrap().set_len(1 << 30).unwrap();
    let made = std::process::Command::new("mkfifo").arg(place.join("pipe.crt")).status().unwrap();
    assert!(made.success());
    let (files, told) = read_caddy(dir.path()).unwrap();
    let told: String = told.iter().map(|note| format!("{note}\n")).collect();
    for (place, message) in [
        ("a.test/link.crt", "No such file"),
        ("a.test/pipe.crt", "no regular file"),
        ("a.test/large.json", "is above 1048576 bytes"),
        ("a.test/a.test.key", "others may read"),
    ] {
        assert!(told.lines().any(|line| line.contains(place) && line.contains(message)), "{place}: {told}");
    }
    let bundle = import_caddy(&files, NOW).unwrap();
    assert_eq!(bundle.issuers[0].certificates.len(), 2);
}

#[test]
fn what_lies_in_the_way_of_a_file_is_not_written_to() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    std::fs::write(&other, "theirs").unwrap();
    symlink(&other, dir.path().join("a.crt.proxy-now.tmp")).unwrap();
    let files = CaddyFiles::from([("a.crt".to_owned(), b"ours".to_vec())]);
    write_caddy(dir.path(), &files).unwrap();
    assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
    assert_eq!(std::fs::read(dir.path().join("a.crt")).unwrap(), b"ours");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn of_several_for_one_name_one_is_written_and_the_other_told() {
    let mut files = CaddyFiles::new();
    let meta = format!("{{\"issuer_data\":{{\"ca\":\"{DIRECTORY}\"}}}}");
    let (alone, both) = (made(&["a.test"], 30), made(&["a.test", "b.test"], 60));
    certificate(&mut files, FOLDER, "a.test", &alone, &meta);
    certificate(&mut files, FOLDER, "b.test", &both, &meta);
    let of = |last: usize| ["a".repeat(62), "b".repeat(62), "c".repeat(62), "d".repeat(last)].join(".");
    let (longest, labels) = (of(47), of(48));
    certificate(&mut files, FOLDER, "longest", &made(&[&longest], 60), &meta);
    certificate(&mut files, FOLDER, "long", &made(&[&labels], 60), &meta);
    let bundle = import_caddy(&files, NOW).unwrap();
    assert_eq!(bundle.issuers[0].certificates.len(), 4, "{}", notes(&bundle));
    let (written, told) = export_caddy(&bundle);
    for (name, made) in [("a.test", &alone), ("b.test", &both)] {
        let chain = String::from_utf8(written[&format!("certificates/{FOLDER}/{name}/{name}.crt")].clone());
        assert_eq!(chain.unwrap(), made.chain.replace("\r\n", "\n"), "{name}");
    }
    let [note] = told.as_slice() else { panic!("{told:?}") };
    assert!(note.place == labels && note.message.contains("it is left out"), "{note}");
    let dir = tempfile::tempdir().unwrap();
    write_caddy(&dir.path().join("data"), &written).unwrap();
}
