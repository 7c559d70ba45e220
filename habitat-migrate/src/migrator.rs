//! The verbs: [`Migrator`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use habitat_migrate_catalog::{Catalog, MigrationId};
use tracing::Instrument as _;

use crate::client::Client;
#[cfg(feature = "tokio-postgres")]
use crate::client::Work;
#[cfg(feature = "tokio-postgres")]
use crate::connect::{ConnectError, Connector};
use crate::engine::{self, Goal, Limits, Undoing};
#[cfg(feature = "tokio-postgres")]
use crate::error::ErrorKind;
use crate::error::{Cause, Error, Result};
use crate::event::Event;
use crate::finding::Finding;
use crate::history::History;
use crate::plan::{Plan, Wish};
use crate::policy::{Changed, Missing, NewerDatabase, OutOfOrder, Patience, Policy, Retry, Rollback};
use crate::report::Report;
use crate::sql::check_name;
use crate::tracker::Tracker;

/// Applies a catalog to databases, in the way that its settings say.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::{Catalog, Migrator};
///
/// let catalog = Catalog::from_scripts("shop", [("01_items.sql", "CREATE TABLE items (id int PRIMARY KEY)")])?;
/// let migrator = Migrator::new(catalog).schema("shop");
/// let mut client = postgres::Client::connect("host=localhost user=app", postgres::NoTls)?;
/// println!("{}", migrator.migrate(&mut client)?);
/// # Ok(()) }
/// # #[cfg(not(feature = "postgres"))] fn main() {}
/// ```
#[derive(Clone)]
pub struct Migrator {
    catalog: Catalog,
    schema: String,
    policy: Policy,
    patience: Patience,
    limits: Limits,
    retry: Retry,
    environment: Option<String>,
    target: Option<MigrationId>,
    confirmed: Option<String>,
    assume_session: bool,
    tell: Arc<dyn Fn(&Event) + Send + Sync>,
}

impl Migrator {
    /// A migrator for a catalog, with the default settings.
    pub fn new(catalog: Catalog) -> Self {
        Self {
            catalog,
            schema: "public".to_owned(),
            policy: Policy::default(),
            patience: Patience::default(),
            limits: Limits::default(),
            retry: Retry::default(),
            environment: None,
            target: None,
            confirmed: None,
            assume_session: false,
            tell: Arc::new(|_| {}),
        }
    }

    /// The catalog that it applies.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Keeps the tracker in this schema instead of `public`; it is created if it is not there.
    ///
    /// Services that share a database, each with its own schema, migrate side by side: the lock is the tracker's.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// What to do about an applied migration whose text is another one now. Default: [`Changed::Refuse`].
    #[must_use]
    pub fn changed(mut self, policy: Changed) -> Self {
        self.policy.changed = policy;
        self
    }

    /// What to do about an applied migration that the catalog lacks. Default: [`Missing::Refuse`].
    #[must_use]
    pub fn missing(mut self, policy: Missing) -> Self {
        self.policy.missing = policy;
        self
    }

    /// What to do about a pending migration below an applied one. Default: [`OutOfOrder::Refuse`].
    #[must_use]
    pub fn out_of_order(mut self, policy: OutOfOrder) -> Self {
        self.policy.out_of_order = policy;
        self
    }

    /// What to do about a database with later migrations. Default: [`NewerDatabase::AllowCompatible`].
    #[must_use]
    pub fn newer_database(mut self, policy: NewerDatabase) -> Self {
        self.policy.newer = policy;
        self
    }

    /// How long to wait while another process migrates. Default: 15 minutes.
    #[must_use]
    pub fn lock_wait(mut self, budget: Duration) -> Self {
        self.patience.budget = budget;
        self
    }

    /// How long to wait between the first two looks at a lock that is taken; later ones come up to ten times
    /// as far apart, each a little off, so that many processes do not ask at once. Default: 50 ms.
    #[must_use]
    pub fn lock_poll(mut self, interval: Duration) -> Self {
        self.patience.poll = interval.max(Duration::from_millis(1));
        self
    }

    /// `lock_timeout` for scripts that do not declare one. Default: 2 s.
    ///
    /// While a migration waits for a lock on a table, everybody who comes later waits behind it; so it gives up soon, lets
    /// them pass, and is tried again: see [`Migrator::retry_budget`]. A statement that works `CONCURRENTLY` lets everybody pass while it
    /// waits, so that only what its script declares bounds it.
    /// <https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT>
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.limits.lock_timeout = Some(timeout);
        self
    }

    /// `statement_timeout` for scripts that do not declare one; without it the role's own counts.
    ///
    /// <https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-STATEMENT-TIMEOUT>
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.limits.statement_timeout = Some(timeout);
        self
    }

    /// How long to pause, in all, between attempts at a migration that met a lock, a deadlock or a serialization conflict. It is tried
    /// again as a whole: nothing of it was kept. The pauses grow and are each a little off. Default: one minute; zero tries once.
    #[must_use]
    pub fn retry_budget(mut self, budget: Duration) -> Self {
        self.retry.budget = budget;
        self
    }

    /// What kind of database this is: `production`, `development`, `test`, or a name of your own. It is recorded in the database when it is said
    /// for the first time; a run that says something else later is refused.
    ///
    /// Migrations with `-- habitat: environments development, test` are applied only where the database is recorded as one of
    /// these; where nothing is recorded or said, they are not.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }

    /// Applies this migration, those before it in its context and what they require, and nothing else. Default: everything.
    #[must_use]
    pub fn target(mut self, migration: MigrationId) -> Self {
        self.target = Some(migration);
        self
    }

    /// The name of the database, as a person typed it: what cannot be undone is done in a database that is recorded as
    /// production only with it.
    #[must_use]
    pub fn confirm(mut self, database: impl Into<String>) -> Self {
        self.confirmed = Some(database.into());
        self
    }

    /// Takes your word that the connection is a session of its own, although a pooler stands between: one in *session* mode.
    ///
    /// A migration without a transaction needs such a session, and is refused where a pooler is noticed; with the blocking driver also
    /// where the caller has set `client_encoding`. Behind a pooler in transaction
    /// mode that is told otherwise, the lock stays with a session that nobody can reach, and nobody migrates until it ends.
    #[must_use]
    pub fn assume_session(mut self) -> Self {
        self.assume_session = true;
        self
    }

    /// Calls a function at every step of a run. It must not block for long: the run waits for it.
    #[must_use]
    pub fn on_event(mut self, tell: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.tell = Arc::new(tell);
        self
    }

    /// Applies everything that is pending: returns a [`Report`] for a `postgres::Client`, a future of one for a `tokio_postgres::Client`.
    ///
    /// Nothing to do costs one round trip, and needs no right but SELECT on the tracker; two, where a policy or
    /// `accepts` lets a difference pass. Each migration commits together with its record, or leaves nothing. Any
    /// number of processes may do this at once.
    ///
    /// What scripts leave in the session is undone, and what the caller had set comes back, apart from
    /// settings with a dot in their name (`app.tenant`), which the server does not list: set those afterwards.
    ///
    /// # Errors
    ///
    /// See [`ErrorKind`](crate::ErrorKind). What was applied before the error stays, and is in [`Error::report`].
    ///
    /// # Cancellation
    ///
    /// The future may be dropped at any time. The message that is under way is completed by the server or
    /// rolled back; the lock is given back and no transaction stays open.
    ///
    /// # Panics
    ///
    /// With `tokio-postgres`, while waiting for another process, on a runtime without its timer.
    pub fn migrate<'a, C: Client>(&'a self, client: &'a mut C) -> C::Outcome<'a, Result<Report>> {
        let span = tracing::info_span!("migrate", schema = %self.schema);
        C::complete(Box::pin(async move { engine::migrate(&self.goal()?, client).await }.instrument(span)))
    }

    /// Takes migrations back: the last one, several, or all that were applied after one. Of a program's contexts; what others applied stays.
    ///
    /// Last applied goes first, so whatever builds on a migration goes before it. The whole plan is checked before the first statement;
    /// each down script commits together with the removal of its record. The scripts are those that the tracker keeps from the time of
    /// applying, so that an older program takes back what a newer one applied.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) with every migration that cannot be taken back,
    /// [`ErrorKind::Unconfirmed`](crate::ErrorKind::Unconfirmed) for a database that is recorded as production, and those of
    /// [`Migrator::migrate`]. What was taken back before the error is in [`Report::undone`].
    ///
    /// # Cancellation
    ///
    /// As [`Migrator::migrate`].
    pub fn rollback<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        rollback: Rollback,
    ) -> C::Outcome<'a, Result<Report>> {
        let span = tracing::info_span!("rollback", schema = %self.schema);
        C::complete(Box::pin(async move { self.undo(client, &rollback, false).await }.instrument(span)))
    }

    /// Takes the migration that was applied last back, and applies what is pending then: for work on a migration that nobody else has.
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::rollback`] and [`Migrator::migrate`].
    pub fn redo<'a, C: Client>(&'a self, client: &'a mut C) -> C::Outcome<'a, Result<Report>> {
        let span = tracing::info_span!("redo", schema = %self.schema);
        let redo = async move {
            let undone = self.undo(client, &Rollback::Last, true).await?;
            match engine::migrate(&self.goal()?, client).await {
                Ok(report) => Ok(undone.followed_by(report)),
                Err(error) => {
                    let report = undone.followed_by(error.report().clone());
                    Err(error.with_report(report))
                }
            }
        };
        C::complete(Box::pin(redo.instrument(span)))
    }

    async fn undo<C: Client>(&self, client: &mut C, rollback: &Rollback, redo: bool) -> Result<Report> {
        let undoing = Undoing { rollback, confirmed: self.confirmed.as_deref(), redo };
        engine::rollback(&self.goal()?, client, undoing).await
    }

    /// Runs the verify scripts of everything that is applied, read only: empty where the database is what they say.
    ///
    /// A statement of a verify script fails it by returning a row whose first column is `false`, or no row at all where it returns rows,
    /// or by an error. Each script runs in a transaction of its own that is rolled back, as the role that it names by
    /// `-- habitat: verify-as app_user`.
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::history`]. What a script finds is no error.
    pub fn verify<'a, C: Client>(&'a self, client: &'a mut C) -> C::Outcome<'a, Result<Vec<Finding>>> {
        let span = tracing::info_span!("verify", schema = %self.schema);
        C::complete(Box::pin(async move { engine::verify(&self.goal()?, client).await }.instrument(span)))
    }

    /// Connects and applies everything that is pending; a connection that breaks midway is opened again.
    ///
    /// Whatever was under way is then known from the tracker: it is applied and recorded, or it left nothing.
    ///
    /// ```no_run
    /// # async fn example(migrator: &habitat_migrate::Migrator) -> Result<(), Box<dyn std::error::Error>> {
    /// use habitat_migrate::Connector;
    ///
    /// let connector = Connector::new("postgresql://app@db.internal/app?sslmode=verify-full")?;
    /// let report = migrator.migrate_with(&connector).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::migrate`], and [`ErrorKind::Connect`](crate::ErrorKind::Connect).
    ///
    /// # Cancellation
    ///
    /// As [`Migrator::migrate`]; the connection is closed.
    #[cfg(feature = "tokio-postgres")]
    pub async fn migrate_with(&self, connector: &Connector) -> Result<Report> {
        self.persist(|| -> Work<'_, _> { Box::pin(connector.connect()) }).await
    }

    /// [`Migrator::migrate_with`] for a program without an async runtime.
    ///
    /// ```no_run
    /// # fn example(migrator: &habitat_migrate::Migrator) -> Result<(), Box<dyn std::error::Error>> {
    /// use habitat_migrate::Connector;
    ///
    /// let report = migrator.migrate_with_blocking(&Connector::new("postgresql://app@localhost/app")?)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::migrate`], and [`ErrorKind::Connect`](crate::ErrorKind::Connect).
    ///
    /// # Panics
    ///
    /// Within an async runtime, as every function of the `postgres` crate.
    #[cfg(feature = "postgres")]
    pub fn migrate_with_blocking(&self, connector: &Connector) -> Result<Report> {
        let connect = || -> Work<'_, _> { Box::pin(std::future::ready(connector.connect_blocking())) };
        postgres::Client::complete(Box::pin(self.persist(connect)))
    }

    /// Migrates, and connects again when the connection is lost.
    #[cfg(feature = "tokio-postgres")]
    async fn persist<'a, C: Client>(
        &self,
        connect: impl Fn() -> Work<'a, std::result::Result<C, ConnectError>>,
    ) -> Result<Report> {
        let goal = self.goal()?;
        let mut done = Report::default();
        for left in (0..CONNECTIONS).rev() {
            let mut client = match connect().await {
                Ok(client) => client,
                Err(error) => return Err(Error::new(Cause::Connect(error), done)),
            };
            match engine::migrate(&goal, &mut client).await {
                Ok(report) => return Ok(done.followed_by(report)),
                Err(error) if error.kind() == ErrorKind::ConnectionLost && left > 0 => {
                    tracing::warn!(%error, "connecting again");
                    (self.tell)(&Event::Reconnecting);
                    done = done.followed_by(error.report().clone());
                }
                Err(error) => {
                    let report = done.followed_by(error.report().clone());
                    return Err(error.with_report(report));
                }
            }
        }
        unreachable!("the last connection's outcome is returned")
    }

    /// Reads which migrations a database has; empty where there is no tracker. Needs no right but SELECT on the tracker.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Tracker`](crate::ErrorKind::Tracker) where it may not be read,
    /// [`ErrorKind::ForeignTracker`](crate::ErrorKind::ForeignTracker) where it is another tool's,
    /// [`ErrorKind::InTransaction`](crate::ErrorKind::InTransaction),
    /// [`ErrorKind::ConnectionLost`](crate::ErrorKind::ConnectionLost).
    pub fn history<'a, C: Client>(&'a self, client: &'a mut C) -> C::Outcome<'a, Result<History>> {
        C::complete(Box::pin(async move { engine::history(&self.goal()?, client).await }))
    }

    /// Tells what [`Migrator::migrate`] would do now, without doing it. Needs no right but SELECT on the tracker.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) with every reason where it would be refused, and those of [`Migrator::history`].
    pub fn plan<'a, C: Client>(&'a self, client: &'a mut C) -> C::Outcome<'a, Result<Plan<'a>>> {
        C::complete(Box::pin(async move {
            let history = engine::history(&self.goal()?, client).await?;
            Plan::of(&self.catalog, &history, self.wish())
                .map_err(|refusals| Error::new(Cause::Refused(refusals), Report::default()))
        }))
    }

    fn wish(&self) -> Wish<'_> {
        Wish { policy: self.policy, environment: self.environment.as_deref(), target: self.target.as_ref() }
    }

    /// Checks what can be checked without a server.
    fn goal(&self) -> Result<Goal<'_>> {
        if let Err(reason) = check_name(&self.schema) {
            let what = format!("PostgreSQL cannot have a schema named {:?}: {reason}", self.schema);
            return Err(Error::new(Cause::Invalid(what), Report::default()));
        }
        let odd = |c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-');
        if let Some(name) = self.environment.as_deref().filter(|name| name.is_empty() || name.contains(odd)) {
            let what = format!("an environment's name has letters, digits, `_` and `-`: not {name:?}");
            return Err(Error::new(Cause::Invalid(what), Report::default()));
        }
        if let Some(what) = crate::stale::stale(&self.catalog) {
            return Err(Error::new(Cause::Stale(what), Report::default()));
        }
        Ok(Goal {
            catalog: &self.catalog,
            tracker: Tracker::new(&self.schema),
            wish: self.wish(),
            patience: self.patience,
            limits: self.limits,
            retry: self.retry,
            assume_session: self.assume_session,
            tell: &*self.tell,
        })
    }
}

impl fmt::Debug for Migrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator")
            .field("schema", &self.schema)
            .field("contexts", &self.catalog.contexts())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// How many connections one run opens at the most: a server that drops every one of them has to be looked at.
#[cfg(feature = "tokio-postgres")]
const CONNECTIONS: u32 = 5;
