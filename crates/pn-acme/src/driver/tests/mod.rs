//! The driver, against servers and simulated CAs.

mod nodes;
mod sim;
mod transport;
