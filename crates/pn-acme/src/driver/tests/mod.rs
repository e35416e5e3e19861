//! The driver, against servers and simulated CAs.

mod nodes;
mod others;
mod sim;
mod transport;
