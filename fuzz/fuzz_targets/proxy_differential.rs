//! Any choices of pieces as a client's connection, to the proxy and to one of hyper's HTTP/1: requests at the upstream,
//! responses and refusals are the same, but for the differences that are wanted. The data plane runs in this process.
#![no_main]

use std::sync::LazyLock;

use pn_config::{Disk, Format, Input, LoadOptions, load};
use pn_core::{DataPlane, Factories, GraphPublisher, StateRegistry, compile};
use pn_model::ListenerName;
use pn_proxy::{Plane, PlaneOptions};
use pn_testkit::differential::{Recorder, Stage, choose, compare};
use pn_testkit::free_port;

static STAGE: LazyLock<Stage> = LazyLock::new(start);

fn start() -> Stage {
    let origin = Recorder::start();
    let text = format!(
        "[listeners.web]\naddress = \"127.0.0.1:{}\"\n[sites.\"*\"]\nhttps = \"off\"\nto = \"http://{}\"\n",
        free_port(),
        origin.addr()
    );
    let input = Input::Text { name: "fuzz".to_owned(), text, format: Format::Toml };
    let options = LoadOptions { offline: false, strict: true, env: &|_| None, fs: &Disk };
    let loaded = load(&[input], &options);
    let model = loaded.model.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    let state = StateRegistry::default();
    let compiled = compile(&model, &Factories::default(), &state).expect("a graph");
    let (mut publisher, source) = GraphPublisher::new();
    let plane =
        Plane::start(PlaneOptions { workers: 1, ..PlaneOptions::default() }, source).expect("a worker");
    let prepared = plane.prepare(&compiled.graph).expect("a port");
    publisher.commit(compiled.graph, prepared);
    let address = plane.addresses(&ListenerName::new("web"))[0];
    // They live as long as the fuzzer.
    std::mem::forget((plane, publisher, state));
    Stage::new(address, origin)
}

libfuzzer_sys::fuzz_target!(|choices: &[u8]| {
    let input = choose(choices);
    let (own, oracle) = STAGE.ask(&input.bytes);
    let found = compare(&own, &oracle).filter(|found| !input.allows(found));
    assert!(found.is_none(), "{found:?}\n{}", input.bytes.escape_ascii());
});
