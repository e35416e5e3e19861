//! The soak: reloads under load. Routes, listeners, TLS policies, middlewares and broken files change beneath wrk,
//! h2load, WebSockets and gRPC streams that exchange numbered messages. Nothing may fail, no message may be lost,
//! doubled or out of order, and memory may not grow. Prints one line of figures; exits 1 with what was seen.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports")]

use anyhow::{Context, Result, bail, ensure};
use pn_testkit::{Authority, Load, Nginx, Peer, Proxy, Reload, h2load, python, python_server, wrk};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

/// Memory is compared with that after this many reloads, when caches and pools have filled.
const WARM: u32 = 20;
/// Looks at memory, one after each reload, of which the middle one counts: connections come and go with every run of a
/// load generator, and one look would measure the moment.
const LOOKS: u32 = 10;
const GROWTH: f64 = 1.05;
/// Streams of each kind.
const STREAMS: usize = 4;
/// One run of a load generator; they follow one another until the reloads are done.
const SLICE: &str = "3";
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match run() {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("soak failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String> {
    let Asked { reloads, pause } = asked()?;
    let world = World::start();
    let mut proxy = world.proxy();
    let loads = Loads::start(&proxy, &world);
    let streams = Streams::start(&proxy, &world)?;
    let (mut warm, mut end, mut refused) = (Vec::new(), Vec::new(), 0);
    let began = Instant::now();
    for round in 1..=reloads {
        match (proxy.reload(&world.config(round)), is_broken(round)) {
            (Reload::Accepted(_), false) => {}
            (Reload::Refused(_), true) => refused += 1,
            (outcome, _) => bail!("reload {round}: {outcome:?}"),
        }
        std::thread::sleep(pause);
        let first = WARM.min(reloads);
        if (first..first + LOOKS).contains(&round) {
            warm.push(proxy.peer().resident_kib());
        }
        if round + LOOKS > reloads {
            end.push(proxy.peer().resident_kib());
        }
    }
    let took = began.elapsed();
    let (warm, end) = (middle(warm), middle(end));
    let messages = streams.finish()?;
    let requests = loads.finish()?;
    let growth = ratio(end, warm);
    ensure!(
        growth <= GROWTH,
        "memory grew from {warm} KiB after {WARM} reloads to {end} KiB: {growth:.3} times"
    );
    let code = proxy.stop().code();
    ensure!(code == 0, "the proxy ended with {code}");
    Ok(format!(
        "soak: {reloads} reloads ({refused} of them broken and refused) in {:.1} s, {requests} requests and {messages} \
         messages without a failure, memory {warm} KiB after {WARM} reloads, {end} KiB at the end ({growth:.3} times)",
        took.as_secs_f64()
    ))
}

struct Asked {
    reloads: u32,
    /// After each reload, so that connections of every generation live on beside the next ones.
    pause: Duration,
}

fn asked() -> Result<Asked> {
    let mut asked = Asked { reloads: 200, pause: Duration::ZERO };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let number = arguments.next().with_context(|| format!("{name} takes a number"))?.parse();
        let number = number.with_context(|| format!("{name} takes a number"))?;
        match name.as_str() {
            "--reloads" => asked.reloads = number,
            "--pause" => asked.pause = Duration::from_millis(number.into()),
            _ => bail!("usage: soak [--reloads N] [--pause MILLISECONDS]"),
        }
    }
    Ok(asked)
}

fn middle(mut looks: Vec<u64>) -> u64 {
    looks.sort_unstable();
    looks.get(looks.len() / 2).copied().unwrap_or(0)
}

fn ratio(end: u64, warm: u64) -> f64 {
    let number = |kib: u64| f64::from(u32::try_from(kib).unwrap_or(u32::MAX));
    number(end) / number(warm).max(1.0)
}

/// Every tenth file has a mistake, each time another.
fn is_broken(round: u32) -> bool {
    round.is_multiple_of(10)
}

/// The upstreams and certificates.
struct World {
    nginx: Nginx,
    _servers: [Peer; 2],
    websocket: String,
    grpc: String,
    authority: Authority,
    certificate: (String, String),
    taken: std::net::TcpListener,
}

impl World {
    fn start() -> Self {
        let nginx = Nginx::start(
            "server { listen 127.0.0.1:<port>; keepalive_requests 1000000; location / { return 200 'a small answer'; } }",
        );
        let (websocket_server, websocket) = python_server("ws_server.py", &[]);
        let (grpc_server, grpc) = python_server("grpc_server.py", &[]);
        let authority = Authority::new();
        let identity = authority.server(&["app.test", "ws.test", "grpc.test"]);
        let path = |path: &std::path::Path| path.display().to_string();
        let certificate = (path(&identity.certificate), path(&identity.key));
        #[expect(clippy::expect_used, reason = "without a port there is nothing to test")]
        let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        Self {
            nginx,
            _servers: [websocket_server, grpc_server],
            websocket: websocket.to_string(),
            grpc: grpc.to_string(),
            authority,
            certificate,
            taken,
        }
    }

    fn proxy(&self) -> Proxy {
        Proxy::setup().start(&self.config(0))
    }

    /// What runs in a round: the four sites under load, and around them what changes.
    fn config(&self, round: u32) -> String {
        let (cert, key) = &self.certificate;
        let site = |host: &str, rest: &str| {
            format!(
                "[sites.\"{host}\"]\nhttps = \"both\"\ncertificate = {{ cert = \"{cert}\", key = \"{key}\" }}\n{rest}\n\n"
            )
        };
        let mut text = String::from(LISTENERS);
        text += &site("app.test", &format!("use = [\"mark\"]\nto = \"http://{}\"", self.nginx.addr()));
        text += &site("ws.test", &format!("to = \"http://{}\"", self.websocket));
        text += &site("grpc.test", &format!("to = \"h2c://{}\"", self.grpc));
        text += &format!(
            "[middlewares.mark]\nheaders = {{ response = {{ set = {{ X-Round = \"{round}\" }} }} }}\n\n"
        );
        for extra in 0..round % 7 {
            text += &format!("[sites.\"extra-{extra}.test\"]\nhttps = \"off\"\nto = \"@whoami\"\n\n");
        }
        if round % 3 == 1 {
            text += "[listeners.more]\naddress = \"127.0.0.1:<port:more>\"\n\n";
        }
        if round % 4 == 1 {
            text += "[sites.\"strict.localhost\"]\ntls-policy = \"strict\"\nto = \"@whoami\"\n\n";
            text += "[tls-policies.strict]\nmin-version = \"1.3\"\n\n";
        }
        text + &self.mistake(round)
    }

    fn mistake(&self, round: u32) -> String {
        if round == 0 || !is_broken(round) {
            return String::new();
        }
        match (round / 10) % 4 {
            0 => "[sites.\"broken.test\"]\nhttps = \"off\"\nto = \"nowhere\"\n".to_owned(),
            1 => {
                "[sites.\"broken.test\"]\nhttps = \"off\"\nuse = [\"missing\"]\nto = \"@whoami\"\n".to_owned()
            }
            2 => "[sites.\"broken.test\"\n".to_owned(),
            _ => match self.taken.local_addr() {
                Ok(taken) => format!("[listeners.taken]\naddress = \"{taken}\"\n"),
                Err(_) => "[".to_owned(),
            },
        }
    }

    fn roots(&self) -> String {
        self.authority.root().display().to_string()
    }
}

const LISTENERS: &str = "[listeners.web]\naddress = \"127.0.0.1:<port:web>\"\n\n\
                         [listeners.websecure]\naddress = \"127.0.0.1:<port:websecure>\"\n\n";

/// wrk over HTTP/1.1 and h2load over HTTP/2 and TLS, run after run.
struct Loads {
    stop: Arc<AtomicBool>,
    runs: Vec<JoinHandle<Result<u64>>>,
}

impl Loads {
    fn start(proxy: &Proxy, _world: &World) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let plain = format!("http://{}/", proxy.addr("web"));
        // h2load has no option for the server name: it takes the URL's.
        let secure = proxy.addr("websecure");
        let (url, to) = (format!("https://app.test:{}/", secure.port()), format!("--connect-to={secure}"));
        let duration = format!("-d{SLICE}s");
        let one = repeat(&stop, move || {
            let peer = wrk(&["-t1", "-c16", &duration, "-H", "Host: app.test", &plain]);
            Load::of_wrk(peer, PATIENCE)
        });
        let two = repeat(&stop, move || {
            let peer = h2load(&["-t1", "-c4", "-m8", "-D", SLICE, &to, &url]);
            Load::of_h2load(peer, PATIENCE)
        });
        Self { stop, runs: vec![one, two] }
    }

    fn finish(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let mut done = 0;
        for run in self.runs {
            done += run.join().map_err(|_| anyhow::anyhow!("a load generator failed"))??;
        }
        Ok(done)
    }
}

fn repeat(stop: &Arc<AtomicBool>, load: impl Fn() -> Load + Send + 'static) -> JoinHandle<Result<u64>> {
    let stop = Arc::clone(stop);
    spawn(move || {
        let mut done = 0;
        while !stop.load(Ordering::Relaxed) {
            let load = load();
            ensure!(load.failed == 0 && load.done > 0, "{} requests failed:\n{}", load.failed, load.text);
            done += load.done;
        }
        Ok(done)
    })
}

/// WebSockets and gRPC streams that go on from before the first reload until after the last.
struct Streams {
    until: PathBuf,
    clients: Vec<Peer>,
}

impl Streams {
    fn start(proxy: &Proxy, world: &World) -> Result<Self> {
        let until = proxy.folder().path().join("enough");
        let file = until.display().to_string();
        let secure = proxy.addr("websecure").to_string();
        let roots = world.roots();
        let mut clients = Vec::new();
        for _ in 0..STREAMS {
            let websocket =
                ["wss://ws.test/", "--connect", &secure, "--ca", &roots, "--until", &file, "--gap", "0.02"];
            clients.push(python("ws_client.py", &websocket));
            let grpc =
                [&*secure, "--authority", "grpc.test", "--ca", &roots, "--until", &file, "--gap", "0.02"];
            clients.push(python("grpc_client.py", &grpc));
        }
        clients.iter().for_each(|client| client.wait_for_log("connected"));
        Ok(Self { until, clients })
    }

    fn finish(self) -> Result<u64> {
        std::fs::write(&self.until, "")?;
        let mut messages = 0;
        for client in self.clients {
            let ended = client.finish(PATIENCE);
            ensure!(ended.status.success(), "a stream failed: {ended:?}");
            let text = ended.expect_success();
            let summary = text.lines().rev().find(|line| line.starts_with('{')).context("a summary")?;
            let summary: serde_json::Value = serde_json::from_str(summary)?;
            ensure!(summary["in_order"] == true && summary["sent"] == summary["received"], "{summary}");
            messages += summary["received"].as_u64().unwrap_or_default();
        }
        Ok(messages)
    }
}
