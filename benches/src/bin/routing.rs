//! Prints what a lookup costs by number of routes, and the two figures that follow from it: where the compiled matcher
//! wins, and where the sequential one costs a hundredth of a request. Its output stands in `docs/routing-cost.md`.
#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use anyhow::Result;
use pn_core::router::Router;
use pn_model::process::RouterChoice;
use proxy_now_benches::routing::{COUNTS, Requests, SHAPES, Shape, TARGETS, Target, router, verify};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A hundredth of the 15 µs that a whole small request takes.
const HUNDREDTH: f64 = 150.0;

fn main() -> Result<()> {
    println!("ns per lookup, sequential / compiled\n");
    println!("| routes | shape | first | last | random | miss |");
    println!("|---|---|---|---|---|---|");
    for shape in SHAPES {
        for count in COUNTS {
            let (sequential, compiled) = both(shape, count)?;
            let cell = |target| {
                verify(shape, count, target, &sequential);
                verify(shape, count, target, &compiled);
                let cost = |router| cost(router, shape, count, target);
                format!("{:.0} / {:.0}", cost(&sequential), cost(&compiled))
            };
            println!("| {count} | {} | {} |", shape.name(), TARGETS.map(cell).join(" | "));
        }
    }
    println!();
    for shape in SHAPES {
        summary(shape)?;
    }
    Ok(())
}

fn both(shape: Shape, count: usize) -> Result<(Router, Router)> {
    Ok((router(shape, count, RouterChoice::Sequential)?, router(shape, count, RouterChoice::Compiled)?))
}

fn summary(shape: Shape) -> Result<()> {
    let name = shape.name();
    let random = |count| -> Result<(f64, f64)> {
        let (sequential, compiled) = both(shape, count)?;
        let cost = |router| cost(router, shape, count, Target::Random);
        Ok((cost(&sequential), cost(&compiled)))
    };
    let mut loses = None;
    for count in 1..=32 {
        let (sequential, compiled) = random(count)?;
        if sequential > compiled {
            loses.get_or_insert((count, sequential, compiled));
        } else {
            // One that wins once more was only noise away.
            loses = None;
        }
        if loses.is_some_and(|(first, ..)| count >= first + 3) {
            break;
        }
    }
    if let Some((count, sequential, compiled)) = loses {
        println!("- {name}: sequential loses from {count} routes on ({sequential:.0} to {compiled:.0} ns)");
    }
    let mut before = (0, 0.0);
    for count in (1..).map(|step| step * 8) {
        let (sequential, _) = random(count)?;
        if sequential >= HUNDREDTH {
            let share = (HUNDREDTH - before.1) / (sequential - before.1);
            let at = before.0 as f64 + share * (count - before.0) as f64;
            println!("- {name}: sequential costs 1 % of a 15 µs request from {at:.0} routes on");
            break;
        }
        before = (count, sequential);
    }
    let (_, few) = random(100)?;
    let (sequential, many) = random(10_000)?;
    println!(
        "- {name}: compiled at 10,000 routes costs {:.1} times what it costs at 100, and 1/{:.0} of sequential",
        many / few,
        sequential / many
    );
    Ok(())
}

/// Nanoseconds per lookup. The requests are made again and again, in chunks that are timed one by one, and of each chunk
/// the best time counts: whatever else runs on the machine only adds, and seldom hits one chunk every time.
fn cost(router: &Router, shape: Shape, count: usize, target: Target) -> f64 {
    const CHUNK: usize = 256;
    const BUDGET: Duration = Duration::from_millis(80);
    let mut requests = Requests::new(shape, count, target);
    let mut best = vec![Duration::MAX; requests.len().div_ceil(CHUNK)];
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < BUDGET || rounds < 3 {
        for best in &mut best {
            let start = Instant::now();
            for _ in 0..CHUNK {
                black_box(router.lookup(&requests.take()));
            }
            *best = start.elapsed().min(*best);
        }
        rounds += 1;
    }
    best.iter().sum::<Duration>().as_nanos() as f64 / (best.len() * CHUNK) as f64
}
