//! Runs the scenarios, contenders in turn, and keeps what they took.

use std::time::{Duration, Instant};

use habitat_wire::{Proxy, Stats};

use crate::Result;
use crate::contender::{Contender, Loaded, Role, Session};
use crate::contenders::ONE_ROW;
use crate::scenario::{BUDGET, Case, Distance, Extent, Goal};
use crate::scripts::Script;
use crate::server::{Database, Server};

/// What one contender took in one case.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) case: Case,
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// On the wire, once.
    pub(crate) stats: Stats,
    /// At each distance.
    pub(crate) times: Vec<(Distance, Samples)>,
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

    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    fn total(&self) -> Duration {
        self.0.iter().sum()
    }
}

/// Measures every case at every distance with everybody who takes part.
pub(crate) fn run(server: &Server, contenders: &[Contender], extent: Extent) -> Result<Vec<Outcome>> {
    let counting = server.proxy(Duration::ZERO)?;
    let mut outcomes = Vec::new();
    for case in extent.cases() {
        eprintln!("{case:?}");
        let scripts = Script::first(case.count);
        let mut entries = Vec::new();
        for contender in contenders.iter().filter(|contender| contender.takes_part(case.goal)) {
            entries.push(Entry::prepare(server, contender, case, &scripts, &counting)?);
        }
        for &distance in extent.distances() {
            let proxy = distance.latency().map(|latency| server.proxy(latency)).transpose()?;
            let mut samples = vec![Samples::default(); entries.len()];
            for round in 0..extent.rounds(case) {
                // Everybody comes first in some round.
                for at in (0..entries.len()).map(|at| (at + round) % entries.len()) {
                    if samples[at].total() < BUDGET {
                        samples[at].push(entries[at].time(server, proxy.as_ref())?);
                    }
                }
            }
            for (entry, samples) in entries.iter_mut().zip(samples) {
                let (median, len) = (samples.median(), samples.len());
                eprintln!("  {distance:?} {}: {median:?}, median of {len}", entry.outcome.name);
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
    fn prepare(
        server: &Server,
        contender: &Contender,
        case: Case,
        scripts: &[Script],
        counting: &Proxy,
    ) -> Result<Self> {
        let loaded = (contender.load)(scripts)?;
        let migrated = match case.goal {
            Goal::FirstBoot => None,
            Goal::NothingToDo => Some(migrated(server, contender.role, loaded.as_ref())?),
        };
        let (name, role) = (contender.name, contender.role);
        let outcome = Outcome { case, name, role, stats: Stats::default(), times: Vec::new() };
        let mut entry = Self { loaded, migrated, outcome };
        entry.outcome.stats = entry.count(server, counting)?;
        let Stats { round_trips, bytes_to_client, .. } = entry.outcome.stats;
        eprintln!("  {name}: {round_trips} round trips, {bytes_to_client} bytes");
        Ok(entry)
    }

    /// What passes on the wire during the migration call.
    fn count(&self, server: &Server, proxy: &Proxy) -> Result<Stats> {
        self.with_session(server, Some(proxy), |session| {
            proxy.reset();
            session.migrate()?;
            // Before the session says good-bye.
            Ok(proxy.stats())
        })
    }

    /// How long the migration call takes.
    fn time(&self, server: &Server, proxy: Option<&Proxy>) -> Result<Duration> {
        self.with_session(server, proxy, |session| {
            let start = Instant::now();
            session.migrate()?;
            Ok(start.elapsed())
        })
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
