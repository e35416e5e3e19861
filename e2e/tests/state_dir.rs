//! The state directory: one process at a time, and a restart that comes while the last one is still being taken apart.

use std::fs::File;

use pn_testkit::{Proxy, wait_until};

const CONFIG: &str = r#"
[listeners.web]
address = "127.0.0.1:<port:web>"

[sites."app.localhost"]
https = "off"
respond = { body = "served" }
"#;

/// As the kernel holds it for a process that was killed, until it is gone.
#[test]
fn a_restart_waits_a_moment_for_the_lock() {
    let mut setup = Proxy::setup();
    let state = setup.folder().join("state");
    std::fs::create_dir(&state).unwrap();
    let lock = File::create(state.join("lock")).unwrap();
    lock.lock().unwrap();
    let proxy = setup.launch(&["run", "site.toml"], CONFIG);
    let opened = state.join("lock");
    let files = format!("/proc/{}/fd", proxy.pid());
    wait_until("it to come for the lock", || {
        let files = std::fs::read_dir(&files).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|file| file == opened)
    });
    lock.unlock().unwrap();
    proxy.wait_for_log("ready: ");
    assert!(proxy.is_running());
}

#[test]
fn a_second_process_is_refused() {
    let first = Proxy::start(CONFIG);
    let state = first.folder().join("state").display().to_string();
    let refused = Proxy::setup().arg("--state-dir").arg(&state).refuse(CONFIG);
    let told = [format!("(process {})", first.peer().pid()), "runtime.state-dir".to_owned()];
    assert!(told.iter().all(|part| refused.stderr.contains(part)), "{refused:?}");
}
