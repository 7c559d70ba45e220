//! The server that the tests of all processes share: which one it is, and how it is started if none runs.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::account::Account;
use super::binaries::Installation;
use super::builder::{Durability, FOR_TESTS};
use super::cache::Cache;
use super::common::Common;
use super::data::Segments;
use super::error::{Kind, ServerError};
use super::keeper::{self, Keeper, Start};
use super::lease::{self, Lease, State};
use super::local::DEFAULT_PORT;
use super::machine::Machine;
use super::prepared::Prepared;
use super::recipe::Recipe;
use super::server::Server;
use super::{address, binaries, builder, data, environment, fetch, steward, unique};

/// The server for this major version, or for any; found once by each process, and kept until it ends. One that has yet to be
/// started is started with the template of the recipe.
pub(super) fn server(
    wanted: Option<u32>,
    recipe: Option<&Recipe>,
) -> Result<&'static Server, &'static ServerError> {
    type Found = Result<&'static Server, &'static ServerError>;
    static FOUND: Mutex<BTreeMap<Option<u32>, Found>> = Mutex::new(BTreeMap::new());
    // Held while the server starts: all of this process's tests wait for the one that starts it.
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    *found.entry(wanted).or_insert_with(|| match find(wanted, recipe) {
        Ok(server) => Ok(Box::leak(Box::new(server))),
        Err(error) => Err(Box::leak(Box::new(error))),
    })
}

fn find(wanted: Option<u32>, recipe: Option<&Recipe>) -> Result<Server, ServerError> {
    let mut tried = Vec::new();
    if let Some(server) = environment::server(wanted, &mut tried)? {
        return Ok(server);
    }
    let wanted = builder::version(wanted)?;
    let account = Account::for_server()?;
    let cache = Cache::open();
    let machine = Machine { account: account.as_ref(), cache: cache.as_ref() };
    let installation = match binaries::find(&machine, wanted) {
        Ok(installation) => installation,
        Err(more) => {
            tried.extend(more);
            fetch::fetch(&machine, wanted, tried)?
        }
    };
    let wish = Wish { installation, account, cache };
    wish.running().map_or_else(|| wish.start(recipe), Ok)
}

/// What is known of the server that is wanted.
struct Wish {
    installation: Installation,
    account: Option<Account>,
    cache: Option<Cache>,
}

impl Wish {
    /// The server that an earlier process started.
    fn running(&self) -> Option<Server> {
        let account = self.account.as_ref();
        // Also where nothing would be started any more, because the servers there have used up the room.
        let places = data::places(Durability::ForTests, account);
        let places = named_place().map_or(places, |place| vec![place]);
        places.iter().find_map(|place| self.running_in(&Common::new(place, account)))
    }

    fn running_in(&self, common: &Common) -> Option<Server> {
        let prefix = format!("{}-", self.key());
        let name = |folder: &Path| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ours = common.servers().into_iter().filter(|folder| name(folder).starts_with(&prefix));
        ours.filter_map(|folder| Some((Lease::take(&folder)?, folder))).find_map(|(lease, folder)| {
            // One that does not answer was killed, or its starter was: it goes when its users have gone.
            lease.is_ready().then(|| self.server(folder, lease))
        })
    }

    /// Starts a server, unless another process is faster.
    fn start(&self, recipe: Option<&Recipe>) -> Result<Server, ServerError> {
        let idle = idle()?;
        let account = self.account.as_ref();
        let mut refused = ServerError::from(Kind::Folder { folder: std::env::temp_dir() });
        let parents = match named_place() {
            Some(place) if !data::is_short(&place) => {
                let (text, wanted) = (data::text(&place), "a folder with a short absolute path");
                return Err(Kind::Variable { name: PLACE, text, wanted }.into());
            }
            Some(place) => vec![place],
            None => data::parents(Durability::ForTests, account),
        };
        for parent in parents {
            match self.start_in(&Common::new(&parent, account), idle, recipe) {
                // Not for lack of a folder: it would not start elsewhere either.
                Err(error) if error.is_of_folder() => refused = error,
                other => return other,
            }
        }
        Err(refused)
    }

    /// Removes what killed keepers have left. Hold the folder's lock.
    fn sweep(&self, common: &Common) {
        let mut abandoned = common.servers();
        abandoned.retain(|folder| lease::state(folder) == State::Abandoned);
        keeper::sweep(&abandoned, self.account.as_ref());
    }

    fn start_in(
        &self,
        common: &Common,
        idle: Duration,
        mut recipe: Option<&Recipe>,
    ) -> Result<Server, ServerError> {
        let mut tries = 0;
        loop {
            let lock = common.lock()?;
            // Whoever held the lock may have started it.
            if let Some(server) = self.running_in(common) {
                return Ok(server);
            }
            self.sweep(common);
            match self.start_new(common, idle, recipe) {
                // The keeper of the last server removes the common folder, which may have been just now.
                Err(error) if error.is_of_folder() && !lock.is_in_place() && tries < TRIES => tries += 1,
                // Whoever needs the template builds it then, and is told why it cannot be built.
                Err(_) if recipe.take().is_some() => {}
                started => return started,
            }
        }
    }

    fn start_new(
        &self,
        common: &Common,
        idle: Duration,
        recipe: Option<&Recipe>,
    ) -> Result<Server, ServerError> {
        let folder = common.path().join(format!("{}-{}", self.key(), unique()));
        let data = folder.join("data");
        let (bin, socket) = (&self.installation.bin, data::text(&folder));
        let mut command = vec![data::text(&bin.join("postgres")), "-D".to_owned(), data::text(&data)];
        let settings =
            [("unix_socket_directories", socket.as_str())].into_iter().chain(FOR_TESTS).chain(SHARED);
        command.extend(settings.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")]));
        let keeper = Keeper::new(&folder, idle, &command, self.account.as_ref())?;
        let Some((recipe, prepared)) = recipe.and_then(|recipe| Some((recipe, self.prepared(recipe)?)))
        else {
            self.initialise(&data)?;
            let lease = keeper.start(Start::Whole)?;
            return Ok(self.server(folder, lease).started_here());
        };
        let lease = match prepared.fill(&folder) {
            Some(filling) => keeper
                .start(Start::Unfinished)
                .and_then(|lease| filling.finish().map(|()| lease))
                .inspect_err(|_| prepared.discard())?,
            None => {
                let _ = std::fs::remove_dir_all(&data);
                self.initialise(&data)?;
                let lease = keeper.start(Start::Unfinished)?;
                let url = address::url(&socket, DEFAULT_PORT, "postgres", "postgres");
                steward::build_alone(&url, recipe).map_err(|_| Kind::Supervisor)?;
                prepared.put(&folder, &command)?;
                lease
            }
        };
        Ok(self.server(folder, lease).started_here())
    }

    fn initialise(&self, data: &Path) -> Result<(), ServerError> {
        let (account, cache) = (self.account.as_ref(), self.cache.as_ref());
        data::initialise(data, &self.installation, account, cache, Segments::Small)
    }

    fn prepared(&self, recipe: &Recipe) -> Option<Prepared<'_>> {
        let account = self.account.as_ref();
        let folder = data::template_name(&self.installation, account, Segments::Small);
        Prepared::of(recipe, &format!("{folder} {}", self.key()), self.cache.as_ref()?, account)
    }

    fn server(&self, folder: PathBuf, lease: Lease) -> Server {
        Server::held(folder, lease, self.installation.version.clone())
    }

    /// Told apart by everything that makes a server what it is.
    fn key(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (&self.installation.version.line, &self.installation.bin).hash(&mut hasher);
        self.account.as_ref().map(|account| account.uid).hash(&mut hasher);
        self.cache.as_ref().map(Cache::root).hash(&mut hasher);
        (env!("CARGO_PKG_VERSION"), FOR_TESTS, SHARED, keeper::SCRIPT).hash(&mut hasher);
        // Short, for the sake of the socket's path.
        format!("{}-{:08x}", self.installation.version.major, hasher.finish() as u32)
    }
}

/// How long a server waits for another user, by `HABITAT_TEST_SERVER_IDLE` in seconds.
fn idle() -> Result<Duration, ServerError> {
    const NAME: &str = "HABITAT_TEST_SERVER_IDLE";
    match std::env::var(NAME) {
        Ok(text) if !text.trim().is_empty() => {
            let seconds = text.trim().parse().ok().filter(|seconds| *seconds <= lease::LONGEST as f64);
            let idle = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            idle.ok_or_else(|| Kind::Variable { name: NAME, text, wanted: "a number of seconds, 10" }.into())
        }
        _ => Ok(IDLE),
    }
}

/// Where servers are to be, by `HABITAT_TEST_SERVER_FOLDER`.
fn named_place() -> Option<PathBuf> {
    std::env::var_os(PLACE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

const PLACE: &str = "HABITAT_TEST_SERVER_FOLDER";

/// Long enough for the next test binary of a run to start, short enough to leave no server behind for long.
const IDLE: Duration = Duration::from_secs(10);

/// How often in a row the common folder may be removed while a server is about to be started in it.
const TRIES: u32 = 100;

/// What many processes need who come and go, and whose databases last for seconds.
const SHARED: [(&str, &str); 10] = [
    ("listen_addresses", ""),
    ("port", "5432"),
    ("max_connections", "250"),
    // Each copy and each drop of a database looks through all of them; the data is in memory anyway.
    ("shared_buffers", "32MB"),
    // As many in all as a server has by default.
    ("max_pred_locks_per_transaction", "26"),
    // There is nothing to replicate with this `wal_level`.
    ("max_logical_replication_workers", "0"),
    // In memory, the log of what was written is in nobody's interest.
    ("max_wal_size", "256MB"),
    // Tests are short queries; and no locks that a test has not taken.
    ("jit", "off"),
    ("autovacuum", "off"),
    ("log_checkpoints", "off"),
];
