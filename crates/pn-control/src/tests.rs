//! The control plane with a provider and a data plane that do as they are told.

use crate::*;
use pn_core::{
    DataPlane, Factories, GraphPublisher, GraphSource, PrepareError, PrepareWarning, Prepared, RouterGraph,
    StateRegistry,
};
use pn_model::{Issuer, Model, NodePath, Runtime, tls::IssuerKind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

mod refused;

/// Serves whatever stands in its cell.
#[derive(Clone, Default)]
struct Cell {
    says: Arc<Mutex<Option<Result<Model, String>>>>,
    inputs: Inputs,
}

impl Cell {
    fn set(&self, says: Result<Model, &str>) {
        *self.says.lock().unwrap() = Some(says.map_err(str::to_owned));
    }
}

impl Provider for Cell {
    fn load(&self) -> Loading {
        let says = self.says.lock().unwrap().clone().unwrap();
        let outcome = says
            .map(|model| {
                let mut content = [0; 32];
                content[0] = u8::try_from(model.issuers.len()).unwrap();
                Candidate { model: Arc::new(model), warnings: vec![], content, texts: Arc::new(Unplaced) }
            })
            .map_err(|message| {
                vec![Finding::unplaced(Severity::Error, &NodePath::default(), &message, None)]
            });
        Loading { inputs: self.inputs.clone(), runtime: Runtime::default(), outcome }
    }
}

#[derive(Debug)]
struct Unplaced;

impl Locate for Unplaced {
    fn finding(&self, severity: Severity, at: &NodePath, message: &str, help: Option<&str>) -> Finding {
        Finding::unplaced(severity, at, message, help)
    }

    fn keep(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({ "texts": ["kept"] }))
    }
}

/// Refuses while told to; counts what it prepared and what was dropped uncommitted.
#[derive(Default, Clone)]
struct Fake {
    refuses: Arc<Mutex<Option<String>>>,
    warns: Arc<Mutex<Vec<PrepareWarning>>>,
    prepared: Arc<AtomicUsize>,
    /// What was awaited, and what the status showed then.
    awaited: Arc<Mutex<Vec<(u64, u64)>>>,
    status: StatusSource,
}

impl Fake {
    fn refuse(&self, message: Option<&str>) {
        *self.refuses.lock().unwrap() = message.map(str::to_owned);
    }

    fn say(&self) -> Result<(), Vec<PrepareError>> {
        self.prepared.fetch_add(1, SeqCst);
        match self.refuses.lock().unwrap().clone() {
            Some(message) => Err(vec![PrepareError {
                at: NodePath::of(["listeners", "web", "address"]),
                message,
                help: None,
            }]),
            None => Ok(()),
        }
    }
}

impl DataPlane for Fake {
    fn prepare(&self, _: &RouterGraph) -> Result<Prepared, Vec<PrepareError>> {
        let warnings = self.warns.lock().unwrap().clone();
        self.say().map(|()| Prepared::new(Arc::new(())).with_warnings(warnings))
    }

    fn await_serving(&self, generation: u64) {
        self.awaited.lock().unwrap().push((generation, self.status.read().generation));
    }
}

/// Counts commits; a change that is dropped counts nothing.
#[derive(Default, Clone)]
struct FakeFollower {
    fake: Fake,
    changed: Arc<AtomicUsize>,
}

impl Follower for FakeFollower {
    fn prepare(&self, _: &RouterGraph) -> Result<Change, Vec<PrepareError>> {
        let changed = Arc::clone(&self.changed);
        self.fake.say().map(|()| {
            Box::new(move || {
                changed.fetch_add(1, SeqCst);
            }) as Change
        })
    }
}

struct Rig {
    cell: Cell,
    plane: Fake,
    follower: FakeFollower,
    source: GraphSource,
    control: Control,
    thread: Option<ControlThread>,
}

impl Rig {
    fn new(first: Model) -> Self {
        Self::with(first, Inputs::default(), None)
    }

    fn with(first: Model, inputs: Inputs, last_good: Option<LastGood>) -> Self {
        let cell = Cell { inputs, ..Cell::default() };
        cell.set(Ok(first));
        let (plane, follower) = (Fake::default(), FakeFollower::default());
        let (parts, source) = parts(&cell, None, &plane, &follower, last_good);
        let (control, thread) = start(parts, &cell).unwrap();
        Self { cell, plane, follower, source, control, thread: Some(thread) }
    }

    fn reload(&self) -> Outcome {
        wait(self.control.reload(Trigger::Api)).unwrap()
    }

    fn roll_back(&self, generation: Option<u64>) -> Outcome {
        wait(self.control.roll_back(generation)).unwrap()
    }

    fn running(&self) -> (u64, usize) {
        (self.source.current().number(), self.control.status().model.issuers.len())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.thread.take().unwrap().stop();
    }
}

fn start(parts: Parts, cell: &Cell) -> Result<(Control, ControlThread), ControlError> {
    Control::start(parts, cell.load(), std::time::SystemTime::now())
}

fn parts(
    cell: &Cell,
    fallback: Option<&Cell>,
    plane: &Fake,
    follower: &FakeFollower,
    last_good: Option<LastGood>,
) -> (Parts, GraphSource) {
    let (publisher, source) = GraphPublisher::new();
    let parts = Parts {
        publisher,
        provider: Box::new(cell.clone()),
        fallback: fallback.map(Cell::load),
        started_with: Runtime::default(),
        factories: Factories::default(),
        registry: StateRegistry::default(),
        plane: Arc::new(plane.clone()),
        followers: vec![Arc::new(follower.clone())],
        issuing: Box::new(NoIssuing),
        last_good,
        status: plane.status.clone(),
        lifecycle: Arc::default(),
    };
    (parts, source)
}

/// A model that differs from others by how many issuers it has.
fn model(issuers: usize) -> Model {
    let issuer = |i: usize| {
        let name = pn_model::IssuerName::new(format!("i{i}"));
        let kind = IssuerKind::InternalCa { lifetime: Duration::from_secs(60) };
        (name.clone(), Issuer { name, kind, path: NodePath::default() })
    };
    let runtime = Runtime { history: 3, debounce: Duration::from_millis(1), ..Runtime::default() };
    Model { runtime, issuers: (0..issuers).map(issuer).collect(), ..Model::default() }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn generation(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Committed { generation, .. } => *generation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_accepted_runs_and_what_is_unchanged_makes_no_generation() {
    let rig = Rig::new(model(0));
    assert_eq!(rig.running(), (1, 0));
    rig.cell.set(Ok(model(2)));
    let outcome = rig.reload();
    assert!(
        matches!(&outcome, Outcome::Committed { generation: 2, summary } if summary == "+issuer i0; +issuer i1"),
        "{outcome:?}"
    );
    assert!(matches!(rig.reload(), Outcome::Unchanged { generation: 2 }));
    let status = rig.control.status();
    assert_eq!((status.generation, status.reloads, status.refusals), (2, 3, 0));
    assert_eq!(rig.follower.changed.load(SeqCst), 2, "a follower changes with each generation");
    let awaited = rig.plane.awaited.lock().unwrap().clone();
    assert_eq!(awaited, [(1, 0), (2, 1)], "none is said to be accepted before it serves");
}

#[test]
fn whatever_refuses_leaves_everything_as_it_was_and_says_why() {
    type Break = fn(&Rig);
    let cases: [(&str, Break); 3] = [
        ("cannot read", |rig| rig.cell.set(Err("cannot read"))),
        ("port is taken", |rig| rig.plane.refuse(Some("port is taken"))),
        ("no such file", |rig| rig.follower.fake.refuse(Some("no such file"))),
    ];
    for (message, breaks) in cases {
        let rig = Rig::new(model(0));
        rig.cell.set(Ok(model(1)));
        breaks(&rig);
        let Outcome::Refused(refusal) = rig.reload() else { panic!("{message}: accepted") };
        assert!(refusal.to_string().contains(message), "{refusal}");
        assert_eq!(rig.running(), (1, 0), "{message}");
        assert_eq!(rig.follower.changed.load(SeqCst), 1, "{message}");
        let status = rig.control.status();
        let last = status.last_reload.as_ref().unwrap();
        assert_eq!((last.success, status.refusals, status.history.len()), (false, 1, 1), "{message}");
        assert_eq!(last.findings[0].message, message);
        rig.plane.refuse(None);
        rig.follower.fake.refuse(None);
        rig.cell.set(Ok(model(1)));
        assert_eq!(generation(&rig.reload()), 2, "{message}: mended");
        assert!(rig.control.status().last_reload.as_ref().unwrap().success);
    }
}

#[test]
fn what_the_data_plane_doubts_is_in_the_status() {
    let rig = Rig::new(model(0));
    let at = NodePath::of(["sites", "a", "certificate", "cert"]);
    *rig.plane.warns.lock().unwrap() = vec![PrepareWarning { at, message: "expires in 3 days".to_owned() }];
    rig.cell.set(Ok(model(1)));
    rig.reload();
    let warnings = rig.control.status().warnings.clone();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].rendered, "warning: sites.a.certificate.cert: expires in 3 days");
    rig.plane.warns.lock().unwrap().clear();
    rig.cell.set(Ok(model(2)));
    rig.reload();
    assert_eq!(rig.control.status().warnings, []);
}

#[test]
fn plane_and_followers_tell_all_their_errors_in_one_run() {
    let rig = Rig::new(model(0));
    rig.cell.set(Ok(model(1)));
    rig.plane.refuse(Some("one"));
    rig.follower.fake.refuse(Some("two"));
    let Outcome::Refused(refusal) = rig.reload() else { panic!("accepted") };
    let messages: Vec<_> = refusal.findings.iter().map(|finding| finding.to_string()).collect();
    assert_eq!(messages, ["listeners.web.address: one", "listeners.web.address: two"]);
}

#[test]
fn a_first_configuration_that_is_refused_is_an_error_unless_the_last_good_one_stands_in() {
    let (cell, plane, follower) = (Cell::default(), Fake::default(), FakeFollower::default());
    cell.set(Err("broken"));
    let (alone, _source) = parts(&cell, None, &plane, &follower, None);
    let error = start(alone, &cell).unwrap_err();
    assert!(error.to_string().contains("broken"), "{error}");

    let good = Cell::default();
    good.set(Ok(model(2)));
    let (with_fallback, source) = parts(&cell, Some(&good), &plane, &follower, None);
    let (control, thread) = start(with_fallback, &cell).unwrap();
    assert_eq!(source.current().number(), 1);
    let status = control.status();
    assert!(!status.last_reload.as_ref().unwrap().success, "the files stay refused");
    assert_eq!(status.history[0].trigger, Trigger::LastGood);
    assert!(status.pending_restart.is_empty(), "{:?}", status.pending_restart);
    cell.set(Ok(model(3)));
    assert_eq!(generation(&wait(control.reload(Trigger::Signal)).unwrap()), 2, "mended files replace it");
    thread.stop();
}

#[test]
fn rollback_goes_back_step_by_step_and_never_in_circles() {
    let rig = Rig::new(model(1));
    for issuers in [2, 3] {
        rig.cell.set(Ok(model(issuers)));
        rig.reload();
    }
    assert_eq!((generation(&rig.roll_back(None)), rig.running()), (4, (4, 2)));
    assert_eq!(rig.control.status().rolled_back_to, Some(2));
    assert!(matches!(rig.roll_back(None), Outcome::Refused(_)), "generation 1 is beyond the history of 3");
    assert_eq!((generation(&rig.roll_back(Some(3))), rig.running()), (5, (5, 3)));
    assert!(matches!(rig.roll_back(Some(77)), Outcome::Refused(_)));
    assert_eq!(rig.running(), (5, 3));
    rig.cell.set(Ok(model(2)));
    rig.reload();
    assert_eq!(rig.control.status().rolled_back_to, None, "a reload ends it");
}

#[test]
fn files_are_followed_and_a_mere_touch_does_not_undo_a_rollback() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("proxy-now.toml");
    std::fs::write(&file, "1").unwrap();
    let inputs = Inputs { files: vec![file.clone()], directories: vec![], watch: true };
    let rig = Rig::with(model(1), inputs, None);
    rig.cell.set(Ok(model(2)));
    std::fs::write(&file, "2").unwrap();
    until(|| rig.running() == (2, 2));
    rig.roll_back(None);
    assert_eq!(rig.running(), (3, 1));
    let loads = rig.control.status().reloads;
    std::fs::write(&file, "2").unwrap();
    // The reload that is asked for stands behind that of the files, or was gathered with it.
    assert_eq!(rig.control.status().reloads, loads);
    rig.cell.set(Ok(model(3)));
    std::fs::write(dir.path().join("new"), "3").unwrap();
    std::fs::rename(dir.path().join("new"), &file).unwrap();
    until(|| rig.running() == (4, 3));
}

#[test]
fn what_was_accepted_is_kept_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let kept = LastGood::new(dir.path());
    assert!(kept.read().is_err());
    let _rig = Rig::with(model(1), Inputs::default(), Some(kept.clone()));
    assert_eq!(kept.read().unwrap(), serde_json::json!({ "texts": ["kept"] }));
    assert_eq!(std::fs::metadata(kept.path()).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::write(kept.path(), r#"{"version": 2}"#).unwrap();
    assert!(kept.read().is_err());
}

#[test]
fn what_waits_for_a_restart_is_said() {
    let rig = Rig::new(model(1));
    let mut next = model(2);
    next.runtime.workers = 7;
    next.runtime.state_dir = Some(PathBuf::from("/elsewhere"));
    rig.cell.set(Ok(next));
    rig.reload();
    let pending = rig.control.status().pending_restart.join("\n");
    assert!(
        pending.contains("runtime.workers: 7 is asked for") && pending.contains("/elsewhere"),
        "{pending}"
    );
}

/// Waits for what another thread brings about.
fn until(done: impl Fn() -> bool) {
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(std::time::Instant::now() < patience, "it did not come about");
        std::thread::sleep(Duration::from_millis(2));
    }
}
