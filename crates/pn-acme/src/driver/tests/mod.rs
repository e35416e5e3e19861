//! The driver, against servers and simulated CAs.

mod accounts;
mod asked;
mod damage;
mod hosts;
mod issuers;
mod nodes;
mod on_demand;
mod others;
mod sim;
mod taken_back;
mod transport;
