//! The configurations in the guides load without a finding, so that they can be copied.

use pn_config::{Disk, Format, Input, LoadOptions, load};
use std::path::Path;

const GUIDES: &[&str] = &["dns-challenges.md"];

#[test]
fn their_configurations_load_without_a_finding() {
    let options = LoadOptions { offline: true, strict: true, env: &|_| None, fs: &Disk };
    for guide in GUIDES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(guide);
        let guide_text = std::fs::read_to_string(&path).unwrap();
        let blocks: Vec<&str> = guide_text.split("```toml\n").skip(1).collect();
        assert!(!blocks.is_empty(), "{guide}");
        for block in blocks {
            let text = block.split("```").next().unwrap_or_default().to_owned();
            let input = Input::Text { name: (*guide).to_owned(), text: text.clone(), format: Format::Toml };
            let loaded = load(&[input], &options);
            let messages: Vec<_> = loaded.diagnostics.iter().map(|found| &found.message).collect();
            assert!(messages.is_empty(), "{guide}: {messages:#?}\n{text}");
        }
    }
}
