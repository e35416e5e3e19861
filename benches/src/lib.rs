//! What the benchmarks share: workloads, not measurements.

pub mod routing;
