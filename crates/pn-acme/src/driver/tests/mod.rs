//! The driver, against servers and simulated CAs.

mod accounts;
mod asked;
mod nodes;
mod others;
mod sim;
mod transport;
