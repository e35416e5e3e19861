//! The front half against real sockets: what clients of each kind see of listeners, connections, reloads and drains.

mod allocations;
mod certificates;
mod connections;
mod drain;
mod http2;
mod observed;
mod passing;
mod reload;
mod slow;
mod tls;
mod uploads;
mod world;
