//! Plays cases, several at a time, and tells of all that failed.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::case::Case;
use crate::play::Play;
use crate::stage::Stage;

/// Most of a case is waiting for the other side.
const AT_ONCE: usize = 12;

/// Plays every case on one proxy; panics with those that failed.
#[track_caller]
pub(crate) fn check(cases: Vec<Case>) {
    let stage = Stage::start(&cases);
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((case, origin)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(index).zip(stage.origins.get(index))
                } {
                    let played = catch_unwind(AssertUnwindSafe(|| {
                        let mut play = Play::new(case, &stage, origin);
                        case.steps.iter().for_each(|step| step(&mut play));
                    }));
                    if let Err(panic) = played {
                        failures.lock().expect("no panic holds it").push(told(case, &*panic));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic holds it");
    let count = failures.len();
    assert!(count == 0, "{count} of {} cases failed:\n\n{}", cases.len(), failures.join("\n\n"));
    stage.is_sound();
}

fn told(case: &Case, panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without text");
    format!("{}: {}: {}\n    {text}", case.id, case.section, case.behaviour)
}
