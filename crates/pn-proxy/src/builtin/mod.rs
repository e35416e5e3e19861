//! Built-in services that need nothing but the request: `@whoami` and `@ping`. Those that show the process live in
//! `pn-admin`.

mod ping;
mod whoami;

pub use ping::Ping;
pub use whoami::Whoami;
