//! What a child does: each run is a process of its own, as a test binary is, and finds its server by its environment.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use habitat_migrate::testing::Server;

use super::way::{Test, Way};
use crate::Result;

/// `nothing`, `keep`, `one WAY ADDRESS` or `all WAY ADDRESS COUNT AT-ONCE`.
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    match *arguments {
        ["nothing"] => Ok(()),
        ["keep"] => keep(),
        ["one", way, address] => Way::named(way)?.load(known(address))?.run(&name(0)),
        ["all", way, address, count, at_once] => {
            all(Way::named(way)?, known(address), count.parse()?, at_once.parse()?)
        }
        _ => Err("no such child".into()),
    }
}

/// Holds the shared server until standard input ends.
fn keep() -> Result<()> {
    let server = Server::shared()?;
    println!("{}", server.url());
    std::io::stdout().flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Runs so many tests, some at once, and prints the microseconds that they took.
fn all(way: Way, address: Option<&str>, count: usize, at_once: usize) -> Result<()> {
    let start = Instant::now();
    let test = way.load(address)?;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..at_once).map(|_| scope.spawn(|| take_turns(test.as_ref(), &next, count))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a test panicked")?)
    })?;
    println!("{}", start.elapsed().as_micros());
    Ok(())
}

fn take_turns(test: &dyn Test, next: &AtomicUsize, count: usize) -> Result<()> {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(());
        }
        test.run(&name(number))?;
    }
}

/// The test's name, which no other process has in use.
fn name(number: usize) -> String {
    format!("bench_test_{}_{number}", super::stamp())
}

/// An address, or a dash for none.
fn known(address: &str) -> Option<&str> {
    (address != "-").then_some(address)
}
