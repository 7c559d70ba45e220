//! Runs the scenarios, contenders in turn, and keeps what they took.

use std::time::{Duration, Instant};

use habitat_wire::{Proxy, Stats};

use crate::Result;
use crate::contender::{Contender, Loaded, Role, Session};
use crate::contenders::ONE_ROW;
use crate::scenario::{Case, Distance, Extent, Goal};
use crate::scripts::Script;
use crate::server::{Database, Server};

/// What one contender took in one case.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// What passed on the wire in each run through a proxy.
    pub(crate) wire: Vec<Stats>,
    /// At each distance.
    pub(crate) times: Vec<(Distance, Samples)>,
}

impl Outcome {
    /// The run with the median number of round trips. Most contenders need the same number in every run, but a driver
    /// that closes a statement without waiting for the answer sometimes seems to wait for it.
    pub(crate) fn typical_wire(&self) -> Option<&Stats> {
        let mut sorted: Vec<_> = self.wire.iter().collect();
        sorted.sort_by_key(|stats| stats.round_trips);
        sorted.get(sorted.len().saturating_sub(1) / 2).copied()
    }
}

/// The times of one contender in one scenario.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let (lower, upper) = (sorted.len().saturating_sub(1) / 2, sorted.len() / 2);
        match (sorted.get(lower), sorted.get(upper)) {
            (Some(lower), Some(upper)) => (*lower + *upper) / 2,
            _ => Duration::ZERO,
        }
    }

    /// How many times as long as `other` it took, in the median round.
    pub(crate) fn typical_ratio(&self, other: &Self) -> f64 {
        let rounds = self.0.iter().zip(&other.0);
        let mut ratios: Vec<f64> = rounds.map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    fn total(&self) -> Duration {
        self.0.iter().sum()
    }
}

/// Measures every case at every distance with everybody who takes part.
pub(crate) fn run(server: &Server, contenders: &[Contender], extent: Extent) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for case in extent.cases() {
        eprintln!("{case:?}");
        let scripts = Script::first(case.count);
        let mut entries = Vec::new();
        for contender in contenders.iter().filter(|contender| contender.takes_part(case.goal)) {
            entries.push(Entry::prepare(server, contender, case, &scripts)?);
        }
        for &distance in extent.distances() {
            let proxy = distance.latency().map(|latency| server.proxy(latency)).transpose()?;
            let everybody = entries.len();
            let mut samples = vec![Samples::default(); everybody];
            for round in 0..extent.rounds(case) {
                // Everybody comes first in some round.
                for at in (0..everybody).map(|at| (at + round) % everybody) {
                    if samples[at].total() < extent.budget() {
                        samples[at].push(entries[at].time(server, proxy.as_ref())?);
                    }
                }
            }
            for (entry, samples) in entries.iter_mut().zip(samples) {
                let (name, median, len) = (entry.outcome.name, samples.median(), samples.len());
                let trips = entry.outcome.typical_wire().map_or(0, |stats| stats.round_trips);
                eprintln!("  {distance:?} {name}: {median:?}, median of {len}, {trips} round trips");
                entry.outcome.times.push((distance, samples));
            }
        }
        outcomes.extend(entries.into_iter().map(|entry| entry.outcome));
    }
    Ok(outcomes)
}

/// A contender in a case.
struct Entry {
    loaded: Box<dyn Loaded>,
    /// Where everything is applied already, for the goal that needs it.
    migrated: Option<Database>,
    outcome: Outcome,
}

impl Entry {
    fn prepare(server: &Server, contender: &Contender, case: Case, scripts: &[Script]) -> Result<Self> {
        let loaded = (contender.load)(scripts)?;
        let migrated = match case.goal {
            Goal::FirstBoot => None,
            Goal::NothingToDo => Some(migrated(server, contender.role, loaded.as_ref())?),
        };
        let (name, role) = (contender.name, contender.role);
        Ok(Self {
            loaded,
            migrated,
            outcome: Outcome { case, name, role, wire: Vec::new(), times: Vec::new() },
        })
    }

    /// How long the migration call takes; what passed on the wire is kept.
    fn time(&mut self, server: &Server, proxy: Option<&Proxy>) -> Result<Duration> {
        let (took, stats) = self.with_session(server, proxy, |session| {
            if let Some(proxy) = proxy {
                proxy.reset();
            }
            let start = Instant::now();
            session.migrate()?;
            // Before the session says good-bye.
            Ok((start.elapsed(), proxy.map(Proxy::stats)))
        })?;
        self.outcome.wire.extend(stats);
        Ok(took)
    }

    /// Connects to the migrated database, or to a new one; the latter goes after `call`.
    fn with_session<T>(
        &self,
        server: &Server,
        proxy: Option<&Proxy>,
        call: impl FnOnce(&mut dyn Session) -> Result<T>,
    ) -> Result<T> {
        let empty;
        let database = match &self.migrated {
            Some(database) => database,
            None => {
                empty = server.create_database()?;
                &empty
            }
        };
        let address = match proxy {
            Some(proxy) => database.address().through(proxy),
            None => database.address().clone(),
        };
        let mut session = self.loaded.connect(&address)?;
        call(session.as_mut())
    }
}

/// A database in which there is nothing left to do.
fn migrated(server: &Server, role: Role, loaded: &dyn Loaded) -> Result<Database> {
    let database = server.create_database()?;
    database.seed(|| match role {
        Role::Baseline(_) => Ok(database.address().connect()?.batch_execute(ONE_ROW)?),
        Role::Ours | Role::Peer => loaded.connect(database.address())?.migrate(),
    })?;
    Ok(database)
}
