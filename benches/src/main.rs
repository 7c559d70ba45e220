//! habitat-migrate side by side with its peers.
//!
//! `cargo run -p habitat-benches --release` starts one durable PostgreSQL server, runs every scenario with every
//! contender, directly and through a proxy that counts round trips and adds latency, and writes the tables to
//! `docs/benchmarks.md`. With `--by-hand` it measures only the first boot of 1,000 beside the same SQL by hand, on a disk and in memory. With `--embed` it measures instead how long the macros compile, with `--quick` only the
//! scenarios that take no more than seconds, printed and not written. With `--testing` it measures what a database for
//! every test costs, and writes `docs/benchmarks-testing.md`; with `--testing --quick` it only shows that this runs. With `HABITAT_BENCH_MEMORY` set, the server's data is on a
//! memory file system: on a machine whose disk is shared, that tells more than a disk that is fast now and slow then.

mod contender;
mod contenders;
mod document;
mod embed;
mod machine;
mod measure;
mod scenario;
mod scripts;
mod server;
mod table;
mod tables;
mod testing;

use std::process::ExitCode;

use document::{Document, Section};
use scenario::Extent;
use server::Place;

/// What goes wrong in a benchmark ends it; nobody tells the kinds apart.
type Result<T> = std::result::Result<T, Error>;
type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        [] => run(Extent::Full),
        ["--quick"] => run(Extent::Quick),
        ["--by-hand"] => by_hand(),
        ["--embed"] => embed(),
        ["--testing"] => testing::run(testing::Extent::Full),
        ["--testing", "--quick"] => testing::run(testing::Extent::Quick),
        [testing::CHILD, rest @ ..] => testing::child(rest),
        _ => Err("usage: habitat-benches [--quick | --by-hand | --embed | --testing [--quick]]".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}

fn run(extent: Extent) -> Result<()> {
    let server = server::Server::start()?;
    let contenders = contenders::all();
    let results = measure::run(&server, &contenders, extent)?;
    let text = format!("{}\n\n{}", machine::describe(Some(&server))?, tables::render(&results));
    println!("{text}");
    match extent {
        Extent::Full => Document::open()?.replace(Section::Run, &text),
        Extent::Quick | Extent::ByHand => Ok(()),
    }
}

fn by_hand() -> Result<()> {
    let mut text = String::new();
    for place in [Place::Disk, Place::Memory] {
        let server = server::Server::start_on(place)?;
        let results = measure::run(&server, &contenders::ours_and_by_hand(), Extent::ByHand)?;
        text.push_str(&format!("{}\n\n{}\n", machine::describe(Some(&server))?, tables::by_hand(&results)));
    }
    println!("{text}");
    Document::open()?.replace(Section::ByHand, &text)
}

fn embed() -> Result<()> {
    let text = format!("{}\n\n{}", machine::describe(None)?, embed::run()?);
    println!("{text}");
    Document::open()?.replace(Section::Embed, &text)
}
