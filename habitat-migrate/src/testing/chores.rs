//! Help by threads, in the background: copies made ahead of need, databases dropped, leftovers of killed processes swept.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postgres::{Client, SimpleQueryMessage};

use super::kept::Kept;
use super::session::{Session, column, connect};
use super::steward::{Gone, Place, unlock};
use super::{aside, names, sweep};
use crate::sql::{Ident, Literal};

/// Two threads of this process, with a connection each. They end with this value.
pub(super) struct Threads {
    chores: Sender<Chore>,
    gone: SyncSender<Gone>,
    owner: Arc<Session>,
    kept: Arc<Kept>,
    /// Tells when the last replacement that was ordered is being made.
    order: Mutex<Option<Receiver<()>>>,
}

/// Something to do when there is time.
enum Chore {
    /// Make copies of this template until enough are ready; it is told when the first one is under way.
    Refill(String, Sender<()>),
    /// This process uses the template: note it, and look for what others left.
    Used(String),
}

impl Threads {
    pub(super) fn start(place: &Place, owner: &Arc<Session>, kept: &Arc<Kept>) -> Self {
        let (chores, orders) = channel();
        let (gone, leavers) = sync_channel(MOST_WAITING);
        let (maker, kept_by_others) = (place.clone(), Arc::clone(kept));
        std::thread::spawn(move || make(&maker, &kept_by_others, &orders));
        let (dropper, holder, kept_by_us) = (place.clone(), Arc::clone(owner), Arc::clone(kept));
        std::thread::spawn(move || drop_all(&dropper, &holder, &kept_by_us, &leavers));
        Self { chores, gone, owner: Arc::clone(owner), kept: Arc::clone(kept), order: Mutex::default() }
    }

    pub(super) fn used(&self, key: &str) {
        // Without the thread nothing is swept, and there are no copies made ahead.
        let _ = self.chores.send(Chore::Used(key.to_owned()));
    }

    pub(super) fn replace(&self, key: &str) {
        let (under_way, order) = channel();
        let _ = self.chores.send(Chore::Refill(key.to_owned(), under_way));
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
    }

    pub(super) fn take_back(&self, gone: Gone) {
        if ends_with_its_test() {
            aside(|| self.drop_before_the_end(gone));
        } else {
            let _ = self.gone.send(gone);
        }
    }

    /// The process may end with this test: the statements are sent now and nobody waits for their answers, as the server
    /// completes them also when their client has gone. It sleeps for a tenth of a second if a client is just leaving.
    fn drop_before_the_end(&self, gone: Gone) {
        for name in self.kept.ended(&gone.test) {
            let _ = self.gone.send(Gone { name, test: String::new(), has_roles: true });
        }
        let (sender, dropped) = channel();
        let owner = Arc::clone(&self.owner);
        std::thread::spawn(move || {
            let _ = sender.send(());
            owner.with(|client| drop(drop_database(client, &gone.name, gone.has_roles)));
            let _ = sender.send(());
        });
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(order) = order {
            let _ = order.recv_timeout(ORDERED);
        }
        // From a thread that says that it sends to the bytes on their way.
        let _ = dropped.recv_timeout(ORDERED).and_then(|()| dropped.recv_timeout(SENT));
    }
}

/// Whether the runner starts a process for each test, which says so in the environment.
fn ends_with_its_test() -> bool {
    std::env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test")
}

/// Connects at once: a process of one test needs its replacement ordered before it ends.
fn make(place: &Place, kept: &Kept, orders: &Receiver<Chore>) {
    let Ok(mut client) = connect(&place.config) else { return };
    let mut litter = VecDeque::new();
    loop {
        // Copies before litter: a test may be waiting for them.
        let chore = match orders.try_recv() {
            Ok(chore) => Some(chore),
            Err(_) if !litter.is_empty() => None,
            Err(_) => match orders.recv() {
                Ok(chore) => Some(chore),
                Err(_) => return,
            },
        };
        match chore {
            Some(Chore::Refill(key, under_way)) => {
                let _ = refill(&mut client, place, &key, &under_way);
                continue;
            }
            Some(Chore::Used(key)) => {
                litter.extend(sweep::survey(&mut client, &key, kept).unwrap_or_default());
            }
            None => {}
        }
        // One at once, too: processes of one short test would else leave everything to the next one for ever.
        if let Some(piece) = litter.pop_front() {
            let _ = sweep::sweep(&mut client, &piece);
        }
    }
}

/// One copy at a time: between two the other chores have their turn, as each test orders again.
fn refill(
    client: &mut Client,
    place: &Place,
    key: &str,
    under_way: &Sender<()>,
) -> Result<(), postgres::Error> {
    let name = names::ready(key);
    let prefix = names::pattern(&name[..names::READY.len() + key.len() + 1]);
    let count = format!("SELECT datname FROM pg_catalog.pg_database WHERE datname LIKE {}", Literal(&prefix));
    while column(&client.simple_query(&count)?).len() < AHEAD {
        let _ = under_way.send(());
        client.batch_execute(&place.copy(key, &names::ready(key)))?;
    }
    Ok(())
}

fn drop_all(place: &Place, owner: &Session, kept: &Kept, leavers: &Receiver<Gone>) {
    let mut client = None;
    let mut waiting: Vec<(Gone, Instant)> = Vec::new();
    loop {
        if waiting.is_empty() {
            let Ok(gone) = leavers.recv() else { return };
            waiting.push((gone, Instant::now()));
        }
        while waiting.len() < MOST_WAITING {
            let Ok(gone) = leavers.try_recv() else { break };
            waiting.push((gone, Instant::now()));
        }
        if client.as_ref().is_none_or(Client::is_closed) {
            client = connect(&place.config).ok();
        }
        let Some(client) = &mut client else {
            // A server that is gone has taken them along; another process sweeps those of one that is only busy.
            waiting.clear();
            continue;
        };
        let Ok(occupied) = client.simple_query(&occupied(&waiting)) else { continue };
        let occupied = column(&occupied);
        let before = waiting.len();
        waiting.retain(|(gone, since)| {
            // DROP DATABASE sleeps in steps of 100 ms for a client that is only just leaving.
            if occupied.contains(&gone.name.as_str()) && since.elapsed() < LEAVING {
                return true;
            }
            if drop_database(client, &gone.name, gone.has_roles).is_ok() {
                owner.with(|owner| {
                    let _ = owner.batch_execute(&unlock(&gone.name));
                });
            }
            for name in kept.ended(&gone.test) {
                let _ = drop_database(client, &name, true);
            }
            false
        });
        if waiting.len() == before {
            std::thread::sleep(POLL);
        }
    }
}

/// Which of the databases somebody is still connected to.
fn occupied(waiting: &[(Gone, Instant)]) -> String {
    let names: Vec<String> = waiting.iter().map(|(gone, _)| Literal(&gone.name).to_string()).collect();
    format!(
        "SELECT DISTINCT datname FROM pg_catalog.pg_stat_activity WHERE datname IN ({})",
        names.join(", ")
    )
}

/// Drops a database and the roles that were made for it.
pub(super) fn drop_database(client: &mut Client, name: &str, has_roles: bool) -> Result<(), postgres::Error> {
    client.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", Ident(name)))?;
    if has_roles {
        let roles = names::pattern(&names::roles_of(name));
        let find = format!("SELECT rolname FROM pg_catalog.pg_roles WHERE rolname LIKE {}", Literal(&roles));
        let found = client.simple_query(&find)?;
        for role in column(&found) {
            // One that owns something elsewhere stays; nothing else can hold it now.
            let _ = client.batch_execute(&format!("DROP ROLE IF EXISTS {}", Ident(role)));
        }
    }
    Ok(())
}

/// Rows of two columns; nothing stands for NULL.
pub(super) fn pairs(messages: &[SimpleQueryMessage]) -> Vec<(&str, &str)> {
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0)?, row.get(1).unwrap_or_default())),
        _ => None,
    });
    rows.collect()
}

/// How many copies are ready ahead of need.
pub(super) const AHEAD: usize = 3;

/// How long the last test of a process waits for the order of a replacement to be under way; the thread may have yet to connect.
const ORDERED: Duration = Duration::from_millis(100);

/// How long a statement takes to the server, at the most.
const SENT: Duration = Duration::from_millis(2);

/// How many databases may wait to be dropped in the channel, and again as many on the thread.
const MOST_WAITING: usize = 8;

/// How long a client that has been dropped may still be leaving; whoever stays longer is disconnected.
const LEAVING: Duration = Duration::from_millis(500);

const POLL: Duration = Duration::from_micros(500);
