//! The extension boundary holds for others: a middleware crate outside the workspace builds and passes its own tests
//! against `pn-core` alone.

use std::path::Path;
use std::process::Command;

#[test]
fn a_middleware_outside_the_workspace_builds_and_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .args(["test", "--locked", "--manifest-path"])
        .arg(root.join("examples/middleware/Cargo.toml"))
        // A target folder of its own: the one in use is locked while tests run under cargo.
        .env("CARGO_TARGET_DIR", root.join("target/outside"))
        .output()
        .expect("cargo starts");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("an_id_goes_in_and_comes_back ... ok"), "{text}");
}
