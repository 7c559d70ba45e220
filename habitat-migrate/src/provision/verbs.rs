//! [`Provision`]: a declaration, and what is done with it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::cluster::Cluster;
use super::declaration::Declaration;
use super::diff::{Difference, diff};
use super::error::{Cause, Error, Result};
use super::finding::{Finding, FindingKind};
use super::live::Live;
use super::probe::Probes;
use super::step::{Place, Plan, Step};
use super::toml::{DeclarationError, Template};
use super::{check, probe_declared, read, safety};
use crate::client::{Client, Failure, Reply};
use crate::lock::Lock;
use crate::sql::Ident;

/// Makes a server what a declaration says, before migrations run.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::provision::{Cluster, Provision};
/// use postgres::{Config, NoTls};
///
/// let provision = Provision::from_toml("provision.toml", std::fs::read_to_string("provision.toml")?, "production")?
///     .confirm("habitat");
/// let config: Config = "host=localhost user=postgres".parse()?;
/// let cluster = Cluster::blocking(|database| config.clone().dbname(database).connect(NoTls));
///
/// print!("{}", provision.plan(&cluster)?);
/// provision.apply(&cluster)?;
/// assert!(provision.plan(&cluster)?.is_empty());
/// # Ok(()) }
/// # #[cfg(not(feature = "postgres"))] fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Provision {
    declaration: Declaration,
    confirmed: BTreeSet<String>,
    recreate: BTreeSet<String>,
    patience: Duration,
    lock_timeout: Duration,
}

impl Provision {
    /// For a declaration that a program has built.
    pub fn new(declaration: Declaration) -> Self {
        Self {
            declaration,
            confirmed: BTreeSet::new(),
            recreate: BTreeSet::new(),
            patience: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(5),
        }
    }

    /// For one environment of a TOML file; `file` is the name that messages give it.
    ///
    /// # Errors
    ///
    /// Those of [`Template::from_toml`] and [`Template::declare`].
    pub fn from_toml(
        file: impl Into<String>,
        text: impl Into<String>,
        environment: &str,
    ) -> Result<Self, DeclarationError> {
        Ok(Self::new(Template::from_toml(file, text)?.declare(environment)?))
    }

    /// What is declared.
    pub fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    /// The name of a database, as a person typed it: in staging and production nothing of it is changed without. Once for each database.
    #[must_use]
    pub fn confirm(mut self, database: impl Into<String>) -> Self {
        self.confirmed.insert(database.into());
        self
    }

    /// DANGER: drops the database of this name with everything in it, and creates it again. The name, as a person typed it, is the confirmation.
    ///
    /// It is done in a test environment only, with a database that is recorded as such.
    #[must_use]
    pub fn dangerously_recreate(mut self, database: impl Into<String>) -> Self {
        self.recreate.insert(database.into());
        self
    }

    /// How long to wait while somebody else provisions the server. Default: one minute.
    #[must_use]
    pub fn lock_wait(mut self, budget: Duration) -> Self {
        self.patience = budget;
        self
    }

    /// `lock_timeout` of every step; whoever comes behind a step that waits for a table waits, too. Default: 5 s.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// What [`Provision::apply`] would do now, without doing it: the SQL, and why. Takes no lock and writes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](super::ErrorKind::Refused) and [`ErrorKind::WrongEnvironment`](super::ErrorKind::WrongEnvironment) with every reason;
    /// [`ErrorKind::Connect`](super::ErrorKind::Connect), [`ErrorKind::Read`](super::ErrorKind::Read).
    pub fn plan<'a, C: Client + 'a>(&'a self, cluster: &'a Cluster<'_, C>) -> C::Outcome<'a, Result<Plan>> {
        C::complete(Box::pin(async move {
            let mut server = cluster.open(cluster.maintenance_name()).await?;
            self.planned(&mut server, cluster, &self.recreate).await
        }))
    }

    /// Makes the server what is declared, and returns what it did; an empty plan where there was nothing to do.
    ///
    /// Roles are one transaction, then each database is created by itself, then what is about databases is one, then each database's
    /// insides. What was done by a transaction before a failure stays, and the next run goes on behind it. Two runs at once
    /// wait for each other. Nothing is dropped, and no privilege is taken back that the declaration does not name as revoked.
    ///
    /// # Errors
    ///
    /// Those of [`Provision::plan`]; [`ErrorKind::Unconfirmed`](super::ErrorKind::Unconfirmed),
    /// [`ErrorKind::Busy`](super::ErrorKind::Busy), [`ErrorKind::Step`](super::ErrorKind::Step),
    /// [`ErrorKind::Unfinished`](super::ErrorKind::Unfinished).
    ///
    /// # Cancellation
    ///
    /// When the future is dropped its connections are closed: the transaction that is under way leaves nothing, those before it stay.
    pub fn apply<'a, C: Client + 'a>(&'a self, cluster: &'a Cluster<'_, C>) -> C::Outcome<'a, Result<Plan>> {
        C::complete(Box::pin(async move {
            // The lock belongs to this connection, and goes with it.
            let mut server = cluster.open(cluster.maintenance_name()).await?;
            self.lock(&mut server).await?;
            let plan = self.planned(&mut server, cluster, &self.recreate).await?;
            let missing = safety::unconfirmed(&self.declaration, &plan, &self.confirmed);
            if !missing.is_empty() {
                return Err(Error::new(Cause::Unconfirmed(missing)));
            }
            self.carry_out(&mut server, cluster, &plan).await?;
            if !plan.is_empty() {
                let after = self.planned(&mut server, cluster, &BTreeSet::new()).await?;
                if !after.is_empty() {
                    return Err(Error::new(Cause::Unfinished(after.steps)));
                }
            }
            Ok(plan)
        }))
    }

    /// Compares the server with the declaration: what is missing, what belongs to somebody else, what is there and not declared. Takes no lock and writes nothing.
    ///
    /// It looks at what is declared: these roles, these databases, these schemas. Other roles, other schemas, what extensions brought, and
    /// what PostgreSQL gives everybody by itself are out of its scope, the latter unless it is declared as revoked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`](super::ErrorKind::Connect), [`ErrorKind::Read`](super::ErrorKind::Read), and
    /// [`ErrorKind::Refused`](super::ErrorKind::Refused) where PostgreSQL cannot have a declared name, or a database does not let the
    /// administrator in. What it finds is no error.
    pub fn audit<'a, C: Client + 'a>(
        &'a self,
        cluster: &'a Cluster<'_, C>,
    ) -> C::Outcome<'a, Result<Vec<Finding>>> {
        C::complete(Box::pin(self.findings(cluster)))
    }

    /// [`Provision::audit`], to be awaited.
    pub(crate) async fn findings<C: Client>(&self, cluster: &Cluster<'_, C>) -> Result<Vec<Finding>> {
        let mut server = cluster.open(cluster.maintenance_name()).await?;
        let live = self.read(&mut server, cluster).await?;
        let nothing = BTreeSet::new();
        let Difference { plan, refusals: _, surplus } = diff(&self.declaration, &live, &nothing);
        let mut findings: Vec<Finding> = contradicting(&self.declaration, &live);
        findings.extend(plan.steps.into_iter().filter_map(found));
        findings.extend(plan.remains);
        findings.extend(surplus);
        Ok(findings)
    }

    /// What the declaration says that each role may do in a database and must not, to be tried: databases and roles that it would make,
    /// each declared schema, and each table that is there now. It takes no lock and writes nothing.
    ///
    /// [`Probes::run_blocking`](super::Probes::run_blocking) tries them. What is about functions, single columns and single rows is
    /// not among them: add probes of your own.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`](super::ErrorKind::Connect), [`ErrorKind::Read`](super::ErrorKind::Read); where the database is not
    /// declared or not there, [`ErrorKind::Refused`](super::ErrorKind::Refused).
    pub fn probes<'a, C: Client + 'a>(
        &'a self,
        cluster: &'a Cluster<'_, C>,
        database: &'a str,
    ) -> C::Outcome<'a, Result<Probes>> {
        C::complete(Box::pin(async move {
            let mut server = cluster.open(cluster.maintenance_name()).await?;
            let live = self.read(&mut server, cluster).await?;
            let contents = live.databases.get(database).and_then(|found| found.contents.as_ref());
            match (self.declaration.database(database), contents) {
                (Some(declared), Some(contents)) => {
                    Ok(probe_declared::probes(&self.declaration, declared, contents))
                }
                _ => {
                    let reason =
                        format!("database {database} is not declared or not there: provision it first");
                    Err(Error::new(Cause::Refused(vec![reason])))
                }
            }
        }))
    }

    /// Reads the server, and compares it.
    async fn planned<C: Client>(
        &self,
        server: &mut C,
        cluster: &Cluster<'_, C>,
        recreate: &BTreeSet<String>,
    ) -> Result<Plan> {
        let live = self.read(server, cluster).await?;
        let reasons = safety::contradictions(&self.declaration, &live, recreate);
        if !reasons.is_empty() {
            return Err(Error::new(Cause::WrongEnvironment(reasons)));
        }
        let difference = diff(&self.declaration, &live, recreate);
        if !difference.refusals.is_empty() {
            return Err(Error::new(Cause::Refused(difference.refusals)));
        }
        Ok(difference.plan)
    }

    async fn read<C: Client>(&self, server: &mut C, cluster: &Cluster<'_, C>) -> Result<Live> {
        let problems = check::problems(&self.declaration);
        if !problems.is_empty() {
            return Err(Error::new(Cause::Refused(problems)));
        }
        let what = || "the server's catalogs".to_owned();
        let reply = ask(server, read::VERSION, what).await?;
        let major = read::version(&reply);
        let reply = ask(server, &read::server(&self.declaration, major), what).await?;
        let mut live = read::read_server(&reply, major);
        for database in &self.declaration.databases {
            let Some(found) = live.databases.get_mut(&database.name) else { continue };
            if !found.is_open {
                let who = &live.administrator.name;
                let grant = format!("GRANT CONNECT ON DATABASE {} TO {}", Ident(&database.name), Ident(who));
                let reason = format!(
                    "{who} may not connect to database {}: let {} or a superuser run `{grant}`",
                    database.name, found.owner
                );
                return Err(Error::new(Cause::Refused(vec![reason])));
            }
            let mut client = cluster.open(&database.name).await?;
            let what = || format!("the catalogs of database {}", database.name);
            let reply = ask(&mut client, &read::contents(database), what).await?;
            found.contents = Some(read::read_contents(&reply));
        }
        Ok(live)
    }

    async fn lock<C: Client>(&self, server: &mut C) -> Result<()> {
        const POLL: Duration = Duration::from_millis(50);
        let lock = Lock::named("provision").try_session();
        let sql = format!("SELECT 'lock' AS \"habitat-migrate\", {lock};\n");
        let mut waited = Duration::ZERO;
        loop {
            let reply = ask(server, &sql, || "the lock".to_owned()).await?;
            if reply.first("lock").is_some_and(|row| row.is_true(1)) {
                return Ok(());
            }
            if waited >= self.patience {
                return Err(Error::new(Cause::Busy));
            }
            server.pause(POLL).await;
            waited += POLL;
        }
    }

    /// Runs the steps as they stand, each transaction on the connection that it belongs to.
    async fn carry_out<C: Client>(
        &self,
        server: &mut C,
        cluster: &Cluster<'_, C>,
        plan: &Plan,
    ) -> Result<()> {
        let steps = &plan.steps;
        let mut at = 0;
        while at < steps.len() {
            let place = &steps[at].place;
            let end = match place {
                Place::Alone => at + 1,
                place => at + steps[at..].iter().take_while(|step| step.place == *place).count(),
            };
            let failed = match place {
                Place::Alone => send(server, &steps[at].sql).await.err().map(|failure| (at, failure)),
                Place::Within(name) => {
                    let mut client = cluster.open(name).await?;
                    self.transaction(&mut client, steps, at..end).await
                }
                _ => self.transaction(server, steps, at..end).await,
            };
            if let Some((n, failure)) = failed {
                let done = steps[..at].to_vec();
                return Err(Error::new(Cause::Step { step: steps[n].clone(), failure, done }));
            }
            at = end;
        }
        Ok(())
    }

    /// Runs steps in one transaction; on a failure nothing of it stays, and it is told which step it was.
    async fn transaction<C: Client>(
        &self,
        client: &mut C,
        steps: &[Step],
        range: std::ops::Range<usize>,
    ) -> Option<(usize, Failure)> {
        let begin = format!(
            "BEGIN;\nSET LOCAL search_path = pg_catalog;\nSET LOCAL lock_timeout = {}",
            self.lock_timeout.as_millis()
        );
        let first = range.start;
        let last = range.end - 1;
        if let Err(failure) = send(client, &begin).await {
            return Some((first, failure));
        }
        for n in range {
            if let Err(failure) = send(client, &steps[n].sql).await {
                // A connection that is gone has rolled back by itself.
                let _ = send(client, "ROLLBACK").await;
                return Some((n, failure));
            }
        }
        send(client, "COMMIT").await.err().map(|failure| (last, failure))
    }
}

async fn send<C: Client>(client: &mut C, sql: &str) -> std::result::Result<Reply, Failure> {
    client.run(sql).await
}

async fn ask<C: Client>(client: &mut C, sql: &str, what: impl Fn() -> String) -> Result<Reply> {
    send(client, sql).await.map_err(|failure| Error::new(Cause::Read { what: what(), failure }))
}

/// A step as a finding; what only serves other steps is none.
fn found(step: Step) -> Option<Finding> {
    let database = match &step.place {
        Place::Within(name) => Some(name.clone()),
        _ => None,
    };
    let finding = Finding {
        kind: step.kind,
        database,
        subject: step.subject,
        message: step.why,
        suggestion: Some(step.sql),
    };
    (finding.kind != FindingKind::Borrowing).then_some(finding)
}

fn contradicting(declaration: &Declaration, live: &Live) -> Vec<Finding> {
    let reasons = safety::contradictions(declaration, live, &BTreeSet::new());
    let finding = |message| Finding {
        kind: FindingKind::Environment,
        database: None,
        subject: format!("environment {}", declaration.environment.name),
        message,
        suggestion: None,
    };
    reasons.into_iter().map(finding).collect()
}
