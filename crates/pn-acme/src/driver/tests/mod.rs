//! The driver, against servers and simulated CAs.

mod accounts;
mod nodes;
mod others;
mod sim;
mod transport;
