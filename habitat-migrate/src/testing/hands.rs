//! Help by the sessions that a shared server has for orders: whoever orders waits for nothing, and may end.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::Duration;

use super::chores::AHEAD;
use super::claim::Claim;
use super::kept::Kept;
use super::orders::Orders;
use super::server::Server;
use super::session::{Session, connect};
use super::steward::{Gone, Place};
use super::{data, names, sweep, template};

pub(super) struct Hands {
    orders: Orders,
    place: Place,
    owner: Arc<Session>,
    kept: Arc<Kept>,
    folder: PathBuf,
    /// How many more copies this process has ordered than taken, of each template.
    ordered: Mutex<HashMap<String, isize>>,
    /// How many databases of tests there may be before those that are done with are dropped while others run.
    most: AtomicUsize,
    done: Mutex<Vec<String>>,
    /// Tell when what others left is known.
    surveys: Mutex<Vec<Receiver<()>>>,
    /// Whether a server that this process has started has had no test yet.
    is_fresh: AtomicBool,
    begun: Once,
}

impl Hands {
    /// Those of `server`, if it has them.
    pub(super) fn find(
        server: &Server,
        place: &Place,
        owner: &Arc<Session>,
        kept: &Arc<Kept>,
    ) -> Option<Self> {
        let folder = server.socket_dir()?.to_owned();
        Some(Self {
            orders: Orders::find(&folder)?,
            place: place.clone(),
            owner: Arc::clone(owner),
            kept: Arc::clone(kept),
            folder,
            ordered: Mutex::default(),
            most: AtomicUsize::new(FEWEST),
            done: Mutex::default(),
            surveys: Mutex::default(),
            is_fresh: AtomicBool::new(server.is_new()),
            begun: Once::new(),
        })
    }

    /// Sweeps what others left, but for databases of tests: whoever is done with one has ordered that it is dropped, and
    /// those of killed processes are few, or are swept when a test finds that they are many.
    pub(super) fn used(&self, key: &str) {
        let (owner, kept, place, key) =
            (Arc::clone(&self.owner), Arc::clone(&self.kept), self.place.clone(), key.to_owned());
        let (known, survey) = channel();
        self.surveys.lock().unwrap_or_else(PoisonError::into_inner).push(survey);
        std::thread::spawn(move || {
            let litter = owner.with(|client| sweep::survey(client, &key, &kept)).unwrap_or_default();
            let _ = known.send(());
            let mut litter = litter.into_iter().filter(|piece| !piece.is_tests()).peekable();
            if litter.peek().is_none() {
                return;
            }
            let Ok(mut client) = connect(&place.config) else { return };
            for piece in litter {
                let _ = sweep::sweep(&mut client, &piece);
            }
        });
    }

    pub(super) fn stock(&self, key: &str) {
        (1..self.ahead()).for_each(|_| self.copy(key));
    }

    pub(super) fn replace(&self, key: &str, claim: &Claim) {
        // A single test would wait for them, and has no use for them. Orders are kept for the next one's, or go with the server.
        if !self.is_fresh.swap(false, Ordering::Relaxed) {
            self.begun.call_once(|| Orders::begin(&self.folder));
        }
        let size = template::size(&claim.template).unwrap_or(SIZE).max(1);
        let room = data::room(&self.folder) / SHARE;
        let most = usize::try_from(room / size).unwrap_or(MOST).clamp(FEWEST, MOST);
        self.most.store(most, Ordering::Relaxed);
        let ordered = self.count(key, if claim.taken { -1 } else { 0 });
        // A copy that was made for want of a ready one leaves as many as before.
        if claim.ready < self.ahead() && (claim.taken || ordered <= 0) {
            self.copy(key);
        }
        if claim.tests > 2 * most {
            self.relieve(key);
        }
    }

    pub(super) fn take_back(&self, gone: Gone) {
        let most = self.most.load(Ordering::Relaxed);
        self.orders.drop(&gone.name, most, gone.has_roles);
        // The process may end with this test, and would not know what earlier runs of it left to look at.
        for survey in self.surveys.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = survey.recv_timeout(SURVEY);
        }
        for name in self.kept.ended(&gone.test) {
            self.orders.drop(&name, most, true);
        }
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(gone.name);
    }

    /// Databases whose locks may be given back.
    pub(super) fn done(&self) -> Vec<String> {
        std::mem::take(&mut *self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many copies are ready ahead of need: more where there is room.
    fn ahead(&self) -> usize {
        (self.most.load(Ordering::Relaxed) / 16).clamp(AHEAD, MOST_AHEAD)
    }

    fn copy(&self, key: &str) {
        if self.orders.copy(&self.place.copy(key, &names::ready(key))) {
            self.count(key, 1);
        }
    }

    /// Adds to how many more copies were ordered than taken.
    fn count(&self, key: &str, more: isize) -> isize {
        let mut ordered = self.ordered.lock().unwrap_or_else(PoisonError::into_inner);
        let count = ordered.entry(key.to_owned()).or_default();
        *count += more;
        *count
    }

    /// There are too many databases: killed processes left some, or the session that drops is behind. This test helps out.
    fn relieve(&self, key: &str) {
        let Ok(mut client) = connect(&self.place.config) else { return };
        let litter = sweep::survey(&mut client, key, &self.kept).unwrap_or_default();
        let mut litter: Vec<_> = litter.into_iter().filter(|piece| piece.is_tests()).collect();
        // Others begin elsewhere.
        let first = std::process::id() as usize % litter.len().max(1);
        litter.rotate_left(first);
        let mut dropped = 0;
        for piece in &litter {
            dropped += usize::from(sweep::sweep(&mut client, piece).unwrap_or(false));
            if dropped == SOME {
                break;
            }
        }
    }
}

/// Of the free room where the server is, tests' databases that are done with may take up an eighth.
const SHARE: u64 = 8;

/// What an empty database takes up, in bytes.
const SIZE: u64 = 8 << 20;

/// As many databases of tests may always wait, and never more than these.
const FEWEST: usize = 8;
const MOST: usize = 128;

/// How long a test's end waits for the process's look at what others left: one question, asked when the test began.
const SURVEY: Duration = Duration::from_millis(500);

/// So many copies are ready at the most. Each takes up as much room as a test's database.
const MOST_AHEAD: usize = 8;

/// How many databases a test drops when there are too many.
const SOME: usize = 4;
