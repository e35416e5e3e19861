//! What the measuring programs share: workloads and how they are counted, not what is made of the figures.

pub mod gate;
pub mod routing;
