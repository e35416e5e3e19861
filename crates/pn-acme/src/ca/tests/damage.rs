//! Whatever happened to the files, or to the process while it wrote them, the CA starts and clients accept it.

use super::{DAY, NOW, WEEK, accepted, at, demand, open, pattern};
use crate::files::crash;
use std::path::Path;

/// Opens, issues, and checks that a client accepts it, whatever the files hold.
fn works(path: &Path) -> String {
    let mut ca = open(path, NOW).unwrap();
    let issued = ca.reconcile(&[demand(&["a.lan"])], at(NOW)).unwrap();
    assert!(accepted(&ca, &issued[0], "a.lan", NOW));
    let fresh = ca.issue(&[pattern("b.lan")], WEEK, at(NOW)).unwrap();
    assert!(accepted(&ca, &fresh, "b.lan", NOW));
    assert_eq!(std::fs::read_to_string(ca.root_path()).unwrap(), ca.root_pem());
    ca.root_pem().to_owned()
}

#[test]
fn damaged_files_are_made_anew() {
    let (dir, stranger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = works(dir.path());
    works(stranger.path());
    let leaf = std::fs::read_dir(dir.path().join("internal-ca/leaves")).unwrap().next().unwrap().unwrap();
    let leaf = format!("leaves/{}", leaf.file_name().to_str().unwrap());
    let names = ["root.pem", "intermediate.pem", "root.crt", leaf.as_str()];
    for name in names {
        let (own, other) =
            (dir.path().join("internal-ca").join(name), stranger.path().join("internal-ca").join(name));
        let whole = std::fs::read(&own).unwrap();
        let elsewhere = std::fs::read(other).unwrap();
        let intermediate = std::fs::read(dir.path().join("internal-ca/intermediate.pem")).unwrap();
        // The certificate of one with the key of another.
        let mixed: Vec<u8> = [
            std::str::from_utf8(&whole).unwrap().split("-----BEGIN PRIVATE").next().unwrap().as_bytes(),
            &elsewhere
                [elsewhere.windows(13).position(|part| part == b"BEGIN PRIVATE").map_or(0, |at| at - 5)..],
        ]
        .concat();
        let mut damages = vec![Vec::new(), b"garbage".to_vec(), vec![0xff; 700], vec![0; 700]];
        damages.extend([mixed, elsewhere, intermediate]);
        damages.extend((0..whole.len() - 30).step_by(97).map(|length| whole[..length].to_vec()));
        for (i, damage) in damages.iter().enumerate() {
            std::fs::write(&own, damage).unwrap();
            let root = works(dir.path());
            let kept = name != "root.pem";
            assert_eq!(root == first, kept, "{name} {i}: only a root that is at fault is replaced");
            // Back to the state before, the root among it.
            std::fs::write(&own, &whole).unwrap();
            std::fs::write(dir.path().join("internal-ca/root.crt"), "").unwrap();
            assert_eq!(works(dir.path()), first, "{name} {i}");
        }
        std::fs::remove_file(&own).unwrap();
        works(dir.path());
        std::fs::write(&own, &whole).unwrap();
        works(dir.path());
    }
}

#[test]
fn killed_at_any_step_it_starts_again() {
    let mut killed_at = 0;
    let mut root: Option<String> = None;
    loop {
        let dir = tempfile::tempdir().unwrap();
        crash::after(Some(killed_at));
        // A certificate that cannot be kept is no failure, so what it returns does not tell.
        drop(open(dir.path(), NOW).and_then(|mut ca| ca.reconcile(&[demand(&["a.lan"])], at(NOW))));
        let left = crash::after(None);
        // Whatever was announced as the root before the kill is still the root.
        let announced = std::fs::read_to_string(dir.path().join("internal-ca/root.crt")).ok();
        let after = works(dir.path());
        if let Some(announced) = announced {
            assert_eq!(announced, after, "killed at step {killed_at}");
        }
        assert_eq!(works(dir.path()), after);
        if left > Some(0) {
            break;
        }
        root = root.or(Some(after));
        killed_at += 1;
    }
    assert!(root.is_some() && killed_at >= 20, "{killed_at} steps");
}

#[test]
fn a_renewal_that_is_killed_is_made_up_for() {
    for killed_at in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let mut ca = open(dir.path(), NOW).unwrap();
        ca.reconcile(&[demand(&["a.lan"])], at(NOW)).unwrap();
        let later = NOW + 300 * DAY;
        crash::after(Some(killed_at));
        drop(ca.renew(at(later)));
        let left = crash::after(None);
        drop(ca);
        let mut ca = open(dir.path(), later).unwrap();
        let issued = ca.reconcile(&[demand(&["a.lan"])], at(later)).unwrap();
        assert!(accepted(&ca, &issued[0], "a.lan", later), "{killed_at}");
        if left > Some(0) {
            assert!(killed_at >= 10, "{killed_at} steps");
            return;
        }
    }
}
