//! The server that the tests of all processes share: which one it is, and how it is started if none runs.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::account::Account;
use super::binaries::Installation;
use super::builder::{Durability, FOR_TESTS};
use super::cache::Cache;
use super::common::{Common, Lock};
use super::data::Segments;
use super::error::{Kind, ServerError};
use super::keeper::{self, Keeper, Start};
use super::lease::{self, Lease, State};
use super::local::DEFAULT_PORT;
use super::machine::Machine;
use super::prepared::{Filling, Prepared};
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
        self.ours(common).filter_map(|folder| Some((Lease::take(&folder)?, folder))).find_map(
            |(lease, folder)| {
                // One that does not answer was killed, or its starter was: it goes when its users have gone.
                lease.is_ready().then(|| self.server(folder, lease))
            },
        )
    }

    /// The folders of servers such as the one that is wanted.
    fn ours(&self, common: &Common) -> impl Iterator<Item = PathBuf> {
        let prefix = format!("{}-", self.key());
        let name = |folder: &Path| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        common.servers().into_iter().filter(move |folder| name(folder).starts_with(&prefix))
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
        let (mut tries, end) = (0, Instant::now() + PATIENCE);
        loop {
            let mut lock = Some(common.lock()?);
            // Whoever held the lock may have started it.
            if let Some(server) = self.running_in(common) {
                return Ok(server);
            }
            if self.ours(common).any(|folder| lease::is_unfinished(&folder)) && Instant::now() < end {
                drop(lock);
                std::thread::sleep(MOMENT);
                continue;
            }
            self.sweep(common);
            let started = self.start_new(common, idle, recipe, &mut lock);
            let is_gone = lock.is_some_and(|lock| !lock.is_in_place());
            match started {
                // The keeper of the last server removes the common folder, which may have been just now.
                Err(error) if error.is_of_folder() && is_gone && tries < TRIES => tries += 1,
                // Whoever needs the template builds it then, and is told why it cannot be built.
                Ok(None) => recipe = None,
                Ok(Some(server)) => return Ok(server),
                Err(error) => return Err(error),
            }
        }
    }

    /// Starts a server; `None` if what the recipe asks for could not be prepared.
    fn start_new(
        &self,
        common: &Common,
        idle: Duration,
        recipe: Option<&Recipe>,
        lock: &mut Option<Lock>,
    ) -> Result<Option<Server>, ServerError> {
        let folder = common.path().join(format!("{}-{}", self.key(), unique()));
        let data = folder.join("data");
        let postgres = data::text(&self.installation.bin.join("postgres"));
        let settings = settings(&folder);
        let command: Vec<String> =
            [postgres, "-D".to_owned(), data::text(&data)].into_iter().chain(settings).collect();
        let keeper = Keeper::new(&folder, idle, &command, self.account.as_ref())?;
        let Some((recipe, prepared)) = recipe.and_then(|recipe| Some((recipe, self.prepared(recipe)?)))
        else {
            self.initialise(&data)?;
            let lease = keeper.start(Start::Whole)?;
            return Ok(Some(self.started(folder, lease)));
        };
        let lease = match prepared.fill(&folder) {
            Some(filling) => begin(keeper, filling, &prepared),
            None => {
                self.initialise(&data)?;
                let lease = keeper.start(Start::Unfinished)?;
                // Others may start their servers, and those who want this one wait for it, however long the migrations take.
                drop(lock.take());
                build(recipe, &prepared, &folder, &command).then_some(lease)
            }
        };
        Ok(lease.map(|lease| self.started(folder, lease)))
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

    fn started(&self, folder: PathBuf, lease: Lease) -> Server {
        self.server(folder, lease).started_here()
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

/// Starts a server in a data folder that is being filled. Where that does not come off, what it is filled from is not kept any longer.
fn begin(keeper: Keeper, filling: Filling, prepared: &Prepared<'_>) -> Option<Lease> {
    let started = keeper.start(Start::Unfinished).and_then(|lease| filling.finish().map(|()| lease));
    let of_no_use = |error: &ServerError| {
        tracing::debug!(%error, "a data folder that was kept is of no use");
        prepared.discard();
    };
    started.inspect_err(of_no_use).ok()
}

/// Builds the template on a server that nobody else uses yet, keeps its data folder and says that it is whole; whether that came off.
fn build(recipe: &Recipe, prepared: &Prepared<'_>, folder: &Path, command: &[String]) -> bool {
    let url = address::url(&data::text(folder), DEFAULT_PORT, "postgres", "postgres");
    let built = steward::build_alone(&url, recipe).map_err(|error| error.to_string());
    let put =
        built.and_then(|is_quiet| prepared.put(folder, is_quiet, command).map_err(|error| error.to_string()));
    put.inspect_err(|error| tracing::debug!(error, "the template is built when a test needs it")).is_ok()
}

/// As the server's arguments.
fn settings(folder: &Path) -> impl Iterator<Item = String> {
    let socket = ("unix_socket_directories", data::text(folder));
    let others = FOR_TESTS.into_iter().chain(SHARED).map(|(name, value)| (name, value.to_owned()));
    let settings = std::iter::once(socket).chain(others);
    settings.flat_map(|(name, value)| ["-c".to_owned(), format!("{name}={value}")])
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

/// How long others' migrations may take before this process starts a server of its own.
const PATIENCE: Duration = Duration::from_secs(600);

const MOMENT: Duration = Duration::from_millis(5);

/// How often in a row the common folder may be removed while a server is about to be started in it.
const TRIES: u32 = 100;

/// What many processes need who come and go, and whose databases last for seconds.
const SHARED: [(&str, &str); 9] = [
    ("listen_addresses", ""),
    ("port", "5432"),
    ("max_connections", "250"),
    // Each copy and each drop of a database looks through all of them; the data is in memory anyway.
    ("shared_buffers", "32MB"),
    // As many in all as a server has by default.
    ("max_pred_locks_per_transaction", "26"),
    // In memory, the log of what was written is in nobody's interest.
    ("max_wal_size", "256MB"),
    // Tests are short queries; and no locks that a test has not taken.
    ("jit", "off"),
    ("autovacuum", "off"),
    ("log_checkpoints", "off"),
];
