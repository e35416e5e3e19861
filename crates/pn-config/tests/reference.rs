//! The generated reference in docs/reference is what the code says. `UPDATE_REFERENCE=1` writes it anew.

use pn_config::export;
use std::path::Path;

#[test]
fn the_committed_reference_is_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let mut files: Vec<_> = export::reference().into_iter().map(|page| (page.name, page.text)).collect();
    files.push(("schema.json".to_owned(), export::json_schema()));
    files.push(("schema.cue".to_owned(), export::cue()));
    for (name, expected) in files {
        let path = folder.join(&name);
        if std::env::var_os("UPDATE_REFERENCE").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &expected).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == expected,
            "docs/reference/{name} is not what the code says: run `cargo xtask docs`"
        );
    }
}
