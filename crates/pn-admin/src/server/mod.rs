//! The admin address: its socket, its thread, and how it follows the configuration. It has a runtime of its own, so
//! that a slow scrape takes nothing from the workers.

mod bind;
mod guard;
mod router;
mod serve;

use crate::views::Views;
use bind::{Bound, bind};
use pn_control::{Change, Control, Follower};
use pn_core::{PrepareError, RouterGraph};
use pn_model::NodePath;
use pn_model::process::AdminAddress;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, watch};

#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("the admin thread cannot be started: {0}")]
    Start(#[from] std::io::Error),
}

/// What the pages and the requests for change are made from.
pub(crate) struct Shared {
    pub(crate) views: Arc<Views>,
    /// Set once the control plane runs. The first configuration opens the address a moment before, so that a request for
    /// change may have to wait for it.
    pub(crate) control: watch::Receiver<Option<Control>>,
}

/// The server. Listens nowhere until a graph says where.
pub struct AdminServer {
    control: watch::Sender<Option<Control>>,
    orders: mpsc::UnboundedSender<Order>,
    address: Arc<Mutex<Option<AdminAddress>>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread is told. Unbounded, and yet few: one a change of the address.
pub(crate) enum Order {
    /// Listen there from now on, and nowhere else. Requests that are being answered are answered.
    Listen(Option<Bound>),
    Stop,
}

impl AdminServer {
    pub fn start(views: Arc<Views>) -> Result<Self, AdminError> {
        let (control, connected) = watch::channel(None);
        let served = Arc::new(Shared { views, control: connected });
        let (orders, inbox) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || runtime.block_on(serve::run(&served, inbox)))?;
        Ok(Self { control, orders, address: Arc::default(), thread: Some(thread) })
    }

    /// From here on changes can be asked for.
    pub fn connect(&self, control: Control) {
        self.control.send_replace(Some(control));
    }

    /// Where it listens. `None`: nowhere.
    pub fn address(&self) -> Option<AdminAddress> {
        self.address.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Follower for AdminServer {
    fn prepare(&self, next: &RouterGraph) -> Result<Change, Vec<PrepareError>> {
        let wanted = next.admin().map(|admin| admin.address.clone());
        if wanted == self.address() {
            return Ok(Box::new(|| ()));
        }
        let bound = wanted.as_ref().map(bind).transpose().map_err(|error| vec![refused(&wanted, &error)])?;
        let (orders, address) = (self.orders.clone(), Arc::clone(&self.address));
        Ok(Box::new(move || {
            *address.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
            // The thread is only gone when the process stops.
            orders.send(Order::Listen(bound)).unwrap_or_default();
        }))
    }
}

fn refused(wanted: &Option<AdminAddress>, error: &std::io::Error) -> PrepareError {
    let shown = match wanted {
        Some(AdminAddress::Tcp(address)) => address.to_string(),
        Some(AdminAddress::Unix(path)) => format!("unix:{}", path.display()),
        None => String::new(),
    };
    PrepareError {
        at: NodePath::of(["admin", "address"]),
        message: format!("cannot listen on {shown}: {error}"),
        help: Some("set `admin.address` to a free address, to \"unix:/path\", or to \"off\"".to_owned()),
    }
}

impl Drop for AdminServer {
    fn drop(&mut self) {
        self.orders.send(Order::Stop).unwrap_or_default();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the admin thread had panicked: this is a bug");
        }
    }
}

impl fmt::Debug for AdminServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminServer").field("address", &self.address()).finish_non_exhaustive()
    }
}
