//! What the kernel knows of the process, by the names that Prometheus' own clients use. Absent where there is no
//! `/proc`.

use super::exposition::{Exposition, Kind};
use super::seconds;
use std::time::SystemTime;

pub(super) fn write(out: &mut Exposition, started: SystemTime) {
    out.one("process_start_time_seconds", Kind::Gauge, "Start, as a Unix timestamp.", seconds(started));
    if let Some([virtual_pages, resident_pages]) = pages() {
        let page = rustix::param::page_size() as f64;
        out.one("process_resident_memory_bytes", Kind::Gauge, "Resident memory.", resident_pages * page);
        out.one("process_virtual_memory_bytes", Kind::Gauge, "Virtual memory.", virtual_pages * page);
    }
    if let Some((ticks, threads)) = times() {
        let rate = rustix::param::clock_ticks_per_second() as f64;
        out.one("process_cpu_seconds_total", Kind::Counter, "User and system time.", ticks / rate);
        out.one("process_threads", Kind::Gauge, "Threads.", threads);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        out.one("process_open_fds", Kind::Gauge, "Open file descriptors.", open.count() as f64);
    }
    if let Some(most) = rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        out.one("process_max_fds", Kind::Gauge, "Most file descriptors that may be open.", most as f64);
    }
}

/// Virtual and resident pages (proc(5), statm).
fn pages() -> Option<[f64; 2]> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut fields = text.split(' ').map(|field| field.parse().ok());
    Some([fields.next()??, fields.next()??])
}

/// Ticks of CPU and number of threads (proc(5), stat). The name of the program may hold spaces and parentheses.
fn times() -> Option<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
    Some((field(14)? + field(15)?, field(20)?))
}
