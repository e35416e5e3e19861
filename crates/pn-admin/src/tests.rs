//! The admin address as clients meet it: a real socket, a real control plane, no data plane.

mod accounts;

use crate::{AdminServer, Begun, Certificate, Process, Revocation, RevokeError, Views};
use certificates::certificates;
use pn_control::{
    Candidate, Control, ControlThread, Finding, Inputs, Lifecycle, Loading, Locate, NoIssuing, Parts,
    Provider, Severity, StatusSource,
};
use pn_core::{DataPlane, Factories, GraphPublisher, PrepareError, Prepared, RouterGraph, StateRegistry};
use pn_model::process::AdminAddress;
use pn_model::{Admin, ListenerName, Model, NodePath};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

mod certificates;

struct Nothing;

impl DataPlane for Nothing {
    fn prepare(&self, _: &RouterGraph) -> Result<Prepared, Vec<PrepareError>> {
        Ok(Prepared::new(Arc::new(())))
    }

    fn await_serving(&self, _: u64) {}
}

impl Process for Nothing {
    fn version(&self) -> &str {
        "0.0.7"
    }

    fn workers(&self) -> usize {
        3
    }

    fn addresses(&self, _: &ListenerName) -> Vec<SocketAddr> {
        Vec::new()
    }

    fn certificates(&self) -> Vec<Certificate> {
        certificates()
    }

    fn orders(&self) -> Vec<(String, &'static str, u64)> {
        vec![("main".to_owned(), "issued", 7)]
    }

    fn certificate_store(&self) -> &Path {
        Path::new("/state/certificates")
    }

    fn rescan(&self) {}

    fn renew(&self, id: &str) -> Result<Begun, String> {
        match id {
            "c.example-1" => Ok(Begun { result: "begun", message: "ordered".to_owned(), at: None }),
            _ => Err("not now".to_owned()),
        }
    }

    fn revoke<'a>(&'a self, id: &'a str, serial: Option<&'a str>, reason: &'a str) -> Revocation<'a> {
        let outcome = match (id, reason) {
            ("c.example-1", "superseded" | "unspecified") if serial.is_none() => {
                Err(RevokeError::Refused("which one?".to_owned()))
            }
            ("c.example-1" | "stored-1", "superseded" | "unspecified") => {
                Ok(Begun { result: "revoked", message: reason.to_owned(), at: None })
            }
            ("c.example-1", _) => Err(RevokeError::Reason("no such reason".to_owned())),
            ("d.example-1", "superseded") => Err(RevokeError::Silent("the CA says nothing".to_owned())),
            ("d.example-1", _) => Err(RevokeError::Failed("the CA says no".to_owned())),
            _ => Err(RevokeError::Unknown("no such certificate".to_owned())),
        };
        Box::pin(async { outcome })
    }

    fn metrics(&self, out: &mut String) {
        out.push_str("from_the_data_plane 1\n");
    }

    fn now(&self) -> u64 {
        1
    }
}

#[derive(Debug)]
struct Texts;

impl Locate for Texts {
    fn finding(&self, severity: Severity, at: &NodePath, message: &str, help: Option<&str>) -> Finding {
        Finding::unplaced(severity, at, message, help)
    }

    fn effective(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({ "services": { "a": { "token": "***" } } }))
    }
}

#[derive(Clone)]
struct Cell(Arc<Mutex<Result<Model, String>>>);

impl Provider for Cell {
    fn load(&self) -> Loading {
        let says = self.0.lock().unwrap().clone();
        let outcome = says
            .map(|model| Candidate {
                model: Arc::new(model),
                warnings: vec![],
                content: [0; 32],
                texts: Arc::new(Texts),
            })
            .map_err(|message| {
                vec![Finding::unplaced(Severity::Error, &NodePath::default(), &message, None)]
            });
        Loading { inputs: Inputs::default(), runtime: pn_model::Runtime::default(), outcome }
    }
}

struct Rig {
    cell: Cell,
    control: Control,
    thread: Option<ControlThread>,
    admin: Arc<AdminServer>,
    address: AdminAddress,
}

impl Rig {
    fn new(address: AdminAddress) -> Self {
        let cell = Cell(Arc::new(Mutex::new(Ok(model(&address, 1)))));
        let (publisher, source) = GraphPublisher::new();
        let (status, lifecycle) = (StatusSource::default(), Arc::new(Lifecycle::default()));
        let views = Views {
            status: status.clone(),
            lifecycle: Arc::clone(&lifecycle),
            graph: source,
            process: Arc::new(Nothing),
            accounts: Arc::new(accounts::Two),
        };
        let admin = Arc::new(AdminServer::start(Arc::new(views)).unwrap());
        let parts = Parts {
            publisher,
            provider: Box::new(cell.clone()),
            fallback: None,
            started_with: pn_model::Runtime::default(),
            factories: Factories::default(),
            registry: StateRegistry::default(),
            plane: Arc::new(Nothing),
            followers: vec![Arc::<AdminServer>::clone(&admin)],
            issuing: Box::new(NoIssuing),
            last_good: None,
            status,
            lifecycle,
        };
        let (control, thread) = Control::start(parts, cell.load(), SystemTime::now()).unwrap();
        admin.connect(control.clone());
        Self { cell, control, thread: Some(thread), admin, address }
    }

    fn tcp() -> Self {
        Self::new(AdminAddress::Tcp(free()))
    }

    fn set(&self, says: Result<Model, &str>) {
        *self.cell.0.lock().unwrap() = says.map_err(str::to_owned);
    }

    /// The status and the body.
    fn ask(&self, method: &str, path: &str, fields: &str) -> (u16, String) {
        let request = format!("{method} {path} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
        ask(&self.admin.address().unwrap(), &request)
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, "Host: 127.0.0.1\r\n")
    }

    fn post(&self, path: &str) -> (u16, serde_json::Value) {
        let (status, body) = self.ask("POST", path, "Host: 127.0.0.1\r\n");
        (status, serde_json::from_str(&body).unwrap_or(serde_json::Value::String(body)))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.thread.take().unwrap().stop();
    }
}

fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], pn_testkit::free_port()))
}

fn model(address: &AdminAddress, history: u32) -> Model {
    let mut model = Model { admin: Some(Admin { address: address.clone() }), ..Model::default() };
    model.runtime.history = history;
    model
}

fn ask(address: &AdminAddress, request: &str) -> (u16, String) {
    let mut answer = String::new();
    match address {
        AdminAddress::Tcp(to) => exchange(TcpStream::connect(to).unwrap(), request, &mut answer),
        AdminAddress::Unix(to) => exchange(UnixStream::connect(to).unwrap(), request, &mut answer),
    }
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn exchange(mut stream: impl Read + Write, request: &str, answer: &mut String) {
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_to_string(answer).unwrap();
}

#[test]
fn pages() {
    let rig = Rig::tcp();
    for (path, status, holds) in [
        ("/ping", 200, "OK"),
        ("/metrics", 200, "\nconfig_last_reload_success 1\n"),
        ("/metrics", 200, "\nconfig_generation 1\n"),
        ("/metrics", 200, "\nconfig_reloads_total{result=\"refused\"} 0\n"),
        ("/metrics", 200, "\ntraefik_config_reloads_total 1\n"),
        (
            "/metrics",
            200,
            "traefik_tls_certs_not_after{cn=\"a.localhost\",serial=\"2587\",sans=\"a.localhost,b.localhost\"} 1900000000\n",
        ),
        ("/metrics", 200, "\nprocess_resident_memory_bytes "),
        ("/metrics", 200, "from_the_data_plane 1\n"),
        ("/metrics", 200, "\ntls_certs_on_demand 1\n"),
        ("/api/status", 200, "\"generation\": 1"),
        ("/api/status", 200, "\"workers\": 3"),
        ("/api/status", 200, "\"certificate_store\": \"/state/certificates\""),
        ("/api/status", 200, "\"success\": true"),
        ("/api/config", 200, "\"token\": \"***\""),
        ("/api/history", 200, "\"trigger\": \"start\""),
        ("/api/graph", 200, "\"listeners\": []"),
        ("/api/services", 200, "[]"),
        ("/api/certificates", 200, "\"not_after\": \"2030-03-17T17:46:40Z\""),
        ("/api/version", 200, "\"Version\": \"0.0.7\""),
        ("/api/overview", 200, "\"routers\""),
        ("/api/nothing", 404, ""),
        ("/", 404, ""),
        ("/api/reload", 405, ""),
    ] {
        let (got, body) = rig.get(path);
        assert_eq!(got, status, "{path}");
        assert!(body.contains(holds), "{path}: {body}");
    }
    rig.control.lifecycle().drain();
    assert_eq!(rig.get("/ping").0, 503, "a load balancer before it is told");
}

#[test]
fn reload_and_rollback_say_what_came_of_them() {
    let rig = Rig::tcp();
    assert_eq!(rig.post("/api/reload").1["result"], "unchanged");
    rig.set(Ok(model(&rig.address, 2)));
    let (status, answer) = rig.post("/api/reload");
    assert_eq!((status, &answer["result"], &answer["generation"]), (200, &"committed".into(), &2.into()));
    rig.set(Err("broken"));
    let (status, answer) = rig.post("/api/reload");
    assert_eq!((status, &answer["result"], &answer["generation"]), (422, &"refused".into(), &2.into()));
    assert_eq!(answer["diagnostics"][0]["message"], "broken");
    let metrics = rig.get("/metrics").1;
    assert!(metrics.contains("\nconfig_last_reload_success 0\n"));
    assert!(!metrics.contains("chosen-by-a-client"), "{metrics}");
    assert!(rig.get("/api/status").1.contains("\"error\": \"broken\""));
    assert_eq!(rig.post("/api/rollback?generation=1").1["generation"], 3);
    assert_eq!(rig.post("/api/rollback?generation=x").0, 400);
    assert_eq!(rig.post("/api/rollback?generation=77").0, 422);
}

#[test]
fn strangers_get_nothing() {
    let rig = Rig::tcp();
    for (method, path, fields, status) in [
        ("GET", "/ping", "Host: probe.example\r\n", 200),
        ("GET", "/metrics", "Host: probe.example\r\n", 200),
        ("POST", "/api/rollback?gen=1", "Host: localhost\r\n", 400),
        ("POST", "/api/rollback?generation=x", "Host: localhost\r\n", 400),
        ("GET", "/api/config", "Host: evil.example\r\n", 403),
        ("POST", "/api/reload", "Host: evil.example\r\n", 403),
        ("POST", "/api/reload", "Host: 127.0.0.1\r\nOrigin: http://evil.example\r\n", 403),
        ("POST", "/api/reload", "Host: 192.0.2.1\r\n", 403),
        ("POST", "/api/reload", "Host: localhost\r\nContent-Length: 0\r\n", 200),
    ] {
        assert_eq!(rig.ask(method, path, fields).0, status, "{method} {path} {:.60}", fields);
    }
    assert_eq!(rig.control.status().reloads, 2, "one of them was taken");
}

#[test]
fn the_address_follows_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::tcp();
    let AdminAddress::Tcp(old) = rig.address.clone() else { unreachable!() };
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    rig.set(Ok(model(&AdminAddress::Tcp(taken.local_addr().unwrap()), 1)));
    let (status, answer) = rig.post("/api/reload");
    assert_eq!((status, &answer["diagnostics"][0]["node"]), (422, &"admin.address".into()), "{answer}");
    assert_eq!(rig.get("/ping").0, 200, "the old address stays");

    let socket = dir.path().join("admin.sock");
    rig.set(Ok(model(&AdminAddress::Unix(socket.clone()), 1)));
    assert_eq!(rig.post("/api/reload").1["result"], "committed");
    assert_eq!(
        ask_when_there(&socket, "GET /api/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        200
    );
    until(|| TcpStream::connect(old).is_err());
    rig.set(Ok(Model { admin: None, ..Model::default() }));
    assert_eq!(
        ask_when_there(&socket, "POST /api/reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        200
    );
    until(|| !socket.exists());
    assert_eq!(rig.admin.address(), None);
}

fn ask_when_there(socket: &Path, request: &str) -> u16 {
    until(|| UnixStream::connect(socket).is_ok());
    ask(&AdminAddress::Unix(socket.to_owned()), request).0
}

/// Waits for what another thread brings about.
fn until(done: impl Fn() -> bool) {
    let patience = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !done() {
        assert!(std::time::Instant::now() < patience, "it did not come about");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
