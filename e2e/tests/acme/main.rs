//! Certificates of real ACME servers (pebble, acme2certifier, Caddy), from a clean machine: obtained by each challenge,
//! served to real clients, renewed, kept over restarts, shared by processes, taken over from Traefik and Caddy and given
//! back to them; and what is served and told while a CA, a name server or a disk does not do its part.
#![expect(clippy::expect_used, clippy::panic, reason = "a step of a test fails as the test does")]

mod account_keys;
mod accounts;
mod binding;
mod challenges;
mod check;
mod damaged;
mod delegation;
mod disk;
mod fallback;
mod hooks;
mod hostile;
mod issued;
mod load;
mod operator;
mod other_proxies;
mod outages;
mod place;
mod providers;
mod renewal_info;
mod second_choice;
mod sharing;
mod waiting;
mod wildcard;
