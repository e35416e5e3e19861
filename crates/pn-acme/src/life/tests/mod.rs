//! The schedule over years: unit cases beside the code, here what comes of all of it together.

mod demands;
mod parts;
mod planning;
mod sim;
mod years;
