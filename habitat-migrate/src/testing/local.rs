//! A server that runs on this machine because of us: what keeps it, its folder, how it starts and stops.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use postgres::Config;

use super::builder::Plan;
use super::data;
use super::error::{Kind, ServerError};
use super::lease::Lease;
use super::server::Shutdown;
use super::supervisor::Supervisor;

/// The server, for as long as it is wanted here.
pub(super) struct Local {
    hold: Hold,
    folder: PathBuf,
    port: u16,
    tcp: bool,
    /// What it was started with; `None` for a server that others use too.
    plan: Option<Plan>,
}

/// What keeps the server alive as long as we live.
enum Hold {
    Own(Supervisor),
    /// Held until the end of the process, which gives it back.
    Shared(Lease),
}

impl Local {
    /// Starts what was planned, in the first parent folder that will have it.
    pub(super) fn start_planned(plan: Plan) -> Result<Self, ServerError> {
        let mut refused = None;
        for parent in data::parents(plan.durability, plan.account.as_ref()) {
            let folder = parent.join(format!("habitat-{}", super::unique()));
            let postgres = data::text(&plan.installation.bin.join("postgres"));
            let command = [postgres, "-D".to_owned(), data::text(&folder.join("data"))];
            match Supervisor::new(&folder, &command, plan.account.as_ref()) {
                Ok(supervisor) => return Self::start_in(folder, supervisor, plan),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| Kind::Folder { folder: std::env::temp_dir() }.into()))
    }

    fn start_in(folder: PathBuf, supervisor: Supervisor, plan: Plan) -> Result<Self, ServerError> {
        let hold = Hold::Own(supervisor);
        let mut local = Self { hold, folder, port: DEFAULT_PORT, tcp: plan.tcp, plan: None };
        plan.initialise(&local.folder)?;
        let mut attempts = 0;
        loop {
            if local.tcp {
                local.port = free_port()?;
            }
            plan.place(&local.folder, local.port)?;
            match local.start() {
                // Somebody else took the port that was free a moment ago.
                Err(error) if attempts < 5 && error.log_has("could not create any TCP/IP sockets") => {
                    attempts += 1
                }
                started => break started?,
            }
        }
        local.plan = Some(plan);
        Ok(local)
    }

    /// One that others use too, for as long as this process lives.
    pub(super) fn held(folder: PathBuf, lease: Lease) -> Self {
        Self { hold: Hold::Shared(lease), folder, port: DEFAULT_PORT, tcp: false, plan: None }
    }

    pub(super) fn config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&self.folder).port(self.port).user("postgres").dbname("postgres");
        config
    }

    pub(super) fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(super) fn log(&self) -> Result<String, ServerError> {
        data::log(&self.log_path())
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn tcp_port(&self) -> Option<u16> {
        self.tcp.then_some(self.port)
    }

    pub(super) fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// The process of the server, while it runs.
    pub(super) fn pid(&self) -> Option<u32> {
        match &self.hold {
            Hold::Own(supervisor) => supervisor.postgres(),
            Hold::Shared(_) => {
                let status = std::fs::read_to_string(self.status_path()).ok()?;
                status.lines().next()?.trim().parse().ok()
            }
        }
    }

    /// Waits at least `time` for another user, where others use it.
    pub(super) fn linger(&self, time: Duration) -> Result<(), ServerError> {
        match &self.hold {
            Hold::Shared(lease) => lease.extend(time).map_err(|_| Kind::Supervisor.into()),
            Hold::Own(_) => Ok(()),
        }
    }

    /// Stops the server and starts it again with the same data, also if it has crashed or was killed.
    pub(super) fn restart(&mut self, shutdown: Shutdown) -> Result<(), ServerError> {
        self.stop(shutdown)?;
        let end = Instant::now() + PATIENCE;
        loop {
            match self.start() {
                // Killed servers leave clients' processes behind, which end when they notice.
                Err(error) if error.log_has("pre-existing shared memory block") && Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                started => return started,
            }
        }
    }

    pub(super) fn stop(&mut self, shutdown: Shutdown) -> Result<(), ServerError> {
        let supervisor = self.supervisor("shutdown")?;
        supervisor.signal(shutdown.signal());
        if supervisor.wait_for_exit(PATIENCE) { Ok(()) } else { Err(Kind::NotStopped.into()) }
    }

    /// Starts the server and waits until it accepts connections.
    ///
    /// It reads what the server writes into its own folder, as pg_ctl does: attempts to connect would show as errors
    /// in its log, and tests want that clean.
    fn start(&mut self) -> Result<(), ServerError> {
        let logged = std::fs::metadata(self.log_path()).map_or(0, |log| log.len());
        let (status, log) = (self.status_path(), self.log_path());
        let supervisor = self.supervisor("restart")?;
        supervisor.start()?;
        let end = Instant::now() + PATIENCE;
        while !std::fs::read_to_string(&status).is_ok_and(|text| is_ready(&text, supervisor.postgres())) {
            if supervisor.exited() || Instant::now() > end {
                return Err(Kind::NotStarted { log: data::end_of_log(&log, logged) }.into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// What the server writes of itself.
    fn status_path(&self) -> PathBuf {
        self.data_dir().join("postmaster.pid")
    }

    fn supervisor(&mut self, what: &'static str) -> Result<&mut Supervisor, ServerError> {
        match &mut self.hold {
            Hold::Own(supervisor) => Ok(supervisor),
            Hold::Shared(_) => Err(Kind::Shared { what }.into()),
        }
    }
}

/// The first line is the process, as a killed server leaves its file; the eighth is the status.
fn is_ready(text: &str, postgres: Option<u32>) -> bool {
    let pid = text.lines().next().and_then(|pid| pid.trim().parse().ok());
    let status = text.lines().nth(7).map(str::trim);
    pid.is_some() && pid == postgres && matches!(status, Some("ready" | "standby"))
}

/// A port that was free a moment ago. The system hands out others until it comes round to this one again.
fn free_port() -> Result<u16, ServerError> {
    let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let failed = |source| Kind::Io { what: "find a free port on", path: "127.0.0.1".into(), source };
    Ok(port.map_err(failed)?.port())
}

/// Only the name of a socket in a folder of ours: nothing listens on TCP there.
pub(super) const DEFAULT_PORT: u16 = 5432;

/// How long a server may take to start or to stop: recovery on a machine under load.
const PATIENCE: Duration = Duration::from_secs(60);
