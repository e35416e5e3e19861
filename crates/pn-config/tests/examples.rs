//! The examples of the repository: each loads without a finding, and is written as `fmt` writes it.

use pn_config::{Disk, Input, LoadOptions, load};
use std::path::{Path, PathBuf};

fn examples() -> std::io::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let files = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut files: Vec<_> = files.collect::<std::io::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty());
    Ok(files)
}

#[test]
fn they_load_without_a_finding() {
    let options = LoadOptions { offline: true, strict: true, env: &|_| None, fs: &Disk };
    for path in examples().unwrap() {
        let loaded = load(&[Input::Path(path.clone())], &options);
        let messages: Vec<_> = loaded.diagnostics.iter().map(|found| &found.message).collect();
        assert!(messages.is_empty(), "{}: {messages:#?}", path.display());
    }
}

#[test]
fn they_are_formatted() {
    for path in examples().unwrap() {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(pn_config::fmt::fmt(&text).unwrap(), text, "{}", path.display());
    }
}
