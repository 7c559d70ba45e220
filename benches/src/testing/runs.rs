//! The runs: in rounds, so that everybody meets the same moods of the machine.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use habitat_migrate::testing::Server;
use postgres::NoTls;

use super::ground::{Ground, Held, finish};
use super::plain;
use super::way::Way;
use crate::Result;
use crate::measure::Samples;

/// How much is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Full,
    /// Enough to see that everything runs.
    Quick,
}

impl Extent {
    fn rounds(self) -> usize {
        match self {
            Self::Full => 5,
            Self::Quick => 1,
        }
    }

    /// Whether a way is measured in a round: the slow ones only in the first and the last, and a durable server, whose
    /// disk takes a minute, only in the first.
    fn takes_part(self, way: Way, round: usize) -> bool {
        match way {
            Way::Ours | Way::OursCold => true,
            Way::SqlxDurable => round == 0,
            Way::Clone | Way::Scratch | Way::Sqlx => round == 0 || round + 1 == self.rounds(),
        }
    }

    /// How often a process of one test is started in each state.
    fn processes(self) -> usize {
        match self {
            Self::Full => 20,
            Self::Quick => 3,
        }
    }

    fn tests(self) -> usize {
        match self {
            Self::Full => TESTS,
            Self::Quick => 10,
        }
    }
}

/// What was measured.
pub(super) struct Measured {
    /// The version of the servers.
    pub(super) server: String,
    /// A process with many tests.
    pub(super) together: Vec<Row>,
    /// A process for each test.
    pub(super) apart: Vec<Row>,
    /// A process of one test.
    pub(super) alone: Vec<(State, Samples)>,
    /// A program of this size that does nothing.
    pub(super) nothing: Samples,
}

/// One way, with so many tests at once.
pub(super) struct Row {
    pub(super) way: Way,
    pub(super) at_once: usize,
    /// How long all tests took.
    pub(super) times: Samples,
    /// How long it took until the last database was dropped, where that is put off.
    pub(super) until_dropped: Samples,
}

/// What a process of one test finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Cold,
    Kept,
    Edited,
    Warm,
}

impl State {
    pub(super) const ALL: [Self; 4] = [Self::Cold, Self::Kept, Self::Edited, Self::Warm];
}

pub(super) fn measure(extent: Extent) -> Result<Measured> {
    let durable = Server::builder().durable().start()?;
    let ground = Ground::new("1")?;
    let held = Held::start(&ground)?;
    let mut client = held.address.parse::<postgres::Config>()?.connect(NoTls)?;
    let server = client.query_one("SELECT pg_catalog.current_setting('server_version')", &[])?.get(0);
    drop(client);
    plain::Clone::prepare(&held.address)?;
    let runner = Runner { ground: &ground, shared: &held.address, durable: &durable.url(), extent };
    let together = runner.together()?;
    let apart = runner.apart()?;
    let warm = runner.warm()?;
    let nothing = runner.nothing()?;
    drop(held);
    let alone = State::ALL
        .into_iter()
        .zip([cold(extent)?, kept(extent, Way::Ours)?, kept(extent, Way::OursCold)?, warm])
        .collect();
    Ok(Measured { server, together, apart, alone, nothing })
}

struct Runner<'a> {
    ground: &'a Ground,
    shared: &'a str,
    durable: &'a str,
    extent: Extent,
}

impl Runner<'_> {
    fn together(&self) -> Result<Vec<Row>> {
        let mut rows = rows(&Way::ALL, &[1, 2, 8]);
        // Builds the template of the warm runs, and what sqlx keeps for itself.
        for way in Way::ALL {
            self.run_together(way, 1, 2)?;
        }
        let start = Instant::now();
        for round in 0..self.extent.rounds() {
            if start.elapsed() > BUDGET {
                eprintln!("a busy machine: after {round} rounds there is no time for more");
                break;
            }
            for row in rows.iter_mut().filter(|row| self.extent.takes_part(row.way, round)) {
                let took = self.run_together(row.way, row.at_once, tests(row.way, self.extent))?;
                eprintln!("round {round}, {} at once, {}: {took:?}", row.at_once, row.way.word());
                row.times.push(took);
                if matches!(row.way, Way::Ours | Way::OursCold) {
                    row.until_dropped.push(took + self.wait_for_drops()?);
                }
            }
        }
        Ok(rows)
    }

    /// Waits until this library has dropped what it has put off, so that nobody else pays for it.
    fn wait_for_drops(&self) -> Result<Duration> {
        let start = Instant::now();
        let mut client = self.shared.parse::<postgres::Config>()?.connect(NoTls)?;
        let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'habitat\\_test\\_%'";
        while client.query_one(left, &[])?.get::<_, i64>(0) > 0 {
            if start.elapsed() > BUDGET {
                return Err("databases of tests are left".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(start.elapsed())
    }

    /// A process with so many tests; the time is that of a hundred.
    fn run_together(&self, way: Way, at_once: usize, count: usize) -> Result<Duration> {
        let (at_once, number) = (at_once.to_string(), count.to_string());
        let mut child = self.ground.child_for("all", way, self.address(way), &[&number, &at_once])?;
        let (_, output) = finish(&mut child)?;
        Ok(scaled(Duration::from_micros(output.trim().parse()?), count))
    }

    fn apart(&self) -> Result<Vec<Row>> {
        let mut rows = rows(&[Way::Ours, Way::Sqlx], &[1, 2]);
        for _ in 0..self.extent.rounds().min(2) {
            for row in &mut rows {
                let took = self.run_apart(row.way, row.at_once)?;
                eprintln!("a process each, {} at once, {}: {took:?}", row.at_once, row.way.word());
                row.times.push(took);
                if row.way == Way::Ours {
                    row.until_dropped.push(took + self.wait_for_drops()?);
                }
            }
        }
        Ok(rows)
    }

    /// A process for each test, as cargo-nextest starts them.
    fn run_apart(&self, way: Way, at_once: usize) -> Result<Duration> {
        let (next, count) = (AtomicUsize::new(0), self.extent.tests());
        let start = Instant::now();
        std::thread::scope(|scope| {
            let take_turns = || {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    finish(&mut self.alone(way)?)?;
                }
                Ok(())
            };
            let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(take_turns)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
        })
        .map_err(|error: crate::Error| format!("a process for each test: {error}"))?;
        Ok(scaled(start.elapsed(), count))
    }

    fn warm(&self) -> Result<Samples> {
        let mut samples = Samples::default();
        for _ in 0..self.extent.processes() {
            samples.push(finish(&mut self.alone(Way::Ours)?)?.0);
            // The copy that replaces this one is made meanwhile, as between two commands of a person.
            std::thread::sleep(PAUSE);
        }
        Ok(samples)
    }

    /// What the start of a program takes.
    fn nothing(&self) -> Result<Samples> {
        let mut samples = Samples::default();
        for _ in 0..self.extent.processes() {
            samples.push(finish(&mut self.ground.child(&["nothing"])?)?.0);
        }
        Ok(samples)
    }

    fn alone(&self, way: Way) -> Result<Command> {
        let mut child = self.ground.child_for("one", way, self.address(way), &[])?;
        child.env("NEXTEST_EXECUTION_MODE", "process-per-test");
        Ok(child)
    }

    fn address(&self, way: Way) -> &str {
        if way == Way::SqlxDurable { self.durable } else { self.shared }
    }
}

/// Nothing is there: no server, no initialised data folder, no known program.
fn cold(extent: Extent) -> Result<Samples> {
    let mut samples = Samples::default();
    for _ in 0..extent.processes() {
        samples.push(one_on(&Ground::bare("0.05")?, Way::Ours)?);
    }
    Ok(samples)
}

/// An earlier process has left a data folder, and its server has stopped.
fn kept(extent: Extent, way: Way) -> Result<Samples> {
    let mut samples = Samples::default();
    let ground = Ground::bare("0.05")?;
    one_on(&ground, way)?;
    for _ in 0..extent.processes() {
        ground.wait_for_rest()?;
        // What goes on behind an ended process, as between two commands of a person.
        std::thread::sleep(PAUSE);
        samples.push(one_on(&ground, way)?);
    }
    Ok(samples)
}

fn one_on(ground: &Ground, way: Way) -> Result<Duration> {
    let mut child = ground.child_for("one", way, "-", &[])?;
    child.env("NEXTEST_EXECUTION_MODE", "process-per-test");
    Ok(finish(&mut child)?.0)
}

fn rows(ways: &[Way], at_once: &[usize]) -> Vec<Row> {
    let of = |at_once: usize| {
        ways.iter().map(move |&way| Row {
            way,
            at_once,
            times: Samples::default(),
            until_dropped: Samples::default(),
        })
    };
    at_once.iter().flat_map(|&at_once| of(at_once)).collect()
}

fn tests(way: Way, extent: Extent) -> usize {
    if way == Way::SqlxDurable { extent.tests().min(TESTS / 4) } else { extent.tests() }
}

/// As long as a hundred tests would take.
fn scaled(took: Duration, count: usize) -> Duration {
    took.mul_f64(TESTS as f64 / count.max(1) as f64)
}

/// What the times are of.
const TESTS: usize = 100;

/// After how long no other round is begun.
const BUDGET: Duration = Duration::from_secs(150);

const PAUSE: Duration = Duration::from_millis(100);
