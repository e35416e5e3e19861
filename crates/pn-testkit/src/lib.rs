//! What tests of every crate need around the code they test: origins, raw clients, certificates, real peers started
//! and stopped. Knows nothing of the proxy's own crates; the proxy is a binary to it.
