//! What a [`Migrator`] does with a database.

use habitat_migrate_catalog::MigrationId;
use tracing::Instrument as _;

use super::Migrator;
use crate::backfill::{Backfill, Wanted};
use crate::client::Client;
#[cfg(feature = "tokio-postgres")]
use crate::client::Work;
#[cfg(feature = "tokio-postgres")]
use crate::connect::{ConnectError, Connector};
use crate::engine::{self, Undoing};
#[cfg(feature = "tokio-postgres")]
use crate::error::ErrorKind;
use crate::error::{Cause, Error, Result};
#[cfg(feature = "tokio-postgres")]
use crate::event::Event;
use crate::finding::Finding;
use crate::history::History;
use crate::plan::Plan;
use crate::policy::Rollback;
use crate::report::Report;
use crate::status::Status;

impl Migrator {
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
    /// A statement of a verify script fails it by returning a row whose first column is `false` or NULL, or no row at all where it returns rows,
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

    /// Tells where a database stands: what is applied, since when and by whom, what is pending, what is not as this program has it; and
    /// whether somebody changed the tracker's rows by hand, which its log tells. Takes no lock and writes nothing.
    ///
    /// ```no_run
    /// # #[cfg(feature = "postgres")]
    /// # fn example(migrator: &habitat_migrate::Migrator, client: &mut postgres::Client) -> habitat_migrate::Result<()> {
    /// let status = migrator.status(client)?;
    /// print!("{status}");
    /// assert!(status.is_current() && status.drift().is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// Needs SELECT on the tracker and on its log; without the latter, [`Status::log`] says that drift is not told.
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::history`].
    pub fn status<'a, C: Client>(&'a self, client: &'a mut C) -> C::Outcome<'a, Result<Status>> {
        let span = tracing::info_span!("status", schema = %self.schema);
        C::complete(Box::pin(async move { engine::status(&self.goal()?, client).await }.instrument(span)))
    }

    /// [`Migrator::status`], to be awaited.
    #[cfg(feature = "provision")]
    pub(crate) async fn status_of<C: Client>(&self, client: &mut C) -> Result<Status> {
        engine::status(&self.goal()?, client).await
    }

    /// Tells what [`Migrator::migrate`] would do now, without doing it. Needs no right but SELECT on the tracker.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) with every reason where it would be refused, and those of [`Migrator::history`].
    pub fn plan<'a, C: Client>(&'a self, client: &'a mut C) -> C::Outcome<'a, Result<Plan<'a>>> {
        C::complete(Box::pin(async move {
            let history = engine::history(&self.goal()?, client).await?;
            let refused = |refusals| Error::new(Cause::Refused(refusals), Report::default());
            let plan = Plan::of(&self.catalog, &history, self.wish()).map_err(refused)?;
            plan.fits(client.style()).map_err(refused)?;
            Ok(plan)
        }))
    }

    /// Lists the batched backfills that were begun in a database, those that began last first: how far each is, and whether it goes on.
    /// Needs no right but SELECT on the tracker's tables.
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::history`].
    pub fn backfills<'a, C: Client>(&'a self, client: &'a mut C) -> C::Outcome<'a, Result<Vec<Backfill>>> {
        C::complete(Box::pin(async move { engine::backfills(&self.goal()?, client).await }))
    }

    /// Pauses a backfill, from any connection: its worker ends behind the batch that is under way, with [`Report::paused`].
    ///
    /// No process goes on with it until it is [resumed](Migrator::resume_backfill); `migrate` applies what stands before it, and
    /// returns. That is so for every program that boots, so look at [`Report::paused`] if one needs what stands behind it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where it has not begun or is done, and those of [`Migrator::history`].
    pub fn pause_backfill<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        migration: &'a MigrationId,
    ) -> C::Outcome<'a, Result<Backfill>> {
        self.want(client, migration, Wanted::Pause)
    }

    /// Lets a paused backfill go on with the next [`Migrator::migrate`], where it stopped.
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::pause_backfill`].
    pub fn resume_backfill<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        migration: &'a MigrationId,
    ) -> C::Outcome<'a, Result<Backfill>> {
        self.want(client, migration, Wanted::Resume)
    }

    /// Forgets how far a backfill has come, so that rows that are done are done again: the next [`Migrator::migrate`] begins at
    /// the beginning of its table, with the text that the script has then. What its batches changed stays.
    ///
    /// A worker that is under way ends with [`ErrorKind::LockLost`](crate::ErrorKind::LockLost).
    ///
    /// # Errors
    ///
    /// Those of [`Migrator::pause_backfill`].
    pub fn restart_backfill<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        migration: &'a MigrationId,
    ) -> C::Outcome<'a, Result<Backfill>> {
        self.want(client, migration, Wanted::Restart)
    }

    fn want<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        migration: &'a MigrationId,
        wanted: Wanted,
    ) -> C::Outcome<'a, Result<Backfill>> {
        C::complete(Box::pin(async move { engine::want(&self.goal()?, client, migration, wanted).await }))
    }

    /// The SQL of [`Migrator::migrate`] as one script for psql, made without a server: to review, or for a person who may run it.
    ///
    /// It is for a database with this history: an empty one for a new database, [`Migrator::history`] of a live one. Run on another one it fails
    /// before it changes anything. It takes the lock, creates the tracker where there is none, applies each migration in a
    /// transaction with its verification and its record, and stops at the first error; what was committed by then stays,
    /// and what is left wants a script of its own.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use habitat_migrate::{Catalog, History, Migrator};
    ///
    /// let catalog = Catalog::from_scripts("shop", [("01_items.sql", "CREATE TABLE items (id int PRIMARY KEY)")])?;
    /// let script = Migrator::new(catalog).to_sql(&History::default())?;
    /// assert!(script.contains("CREATE TABLE items"));
    /// # Ok(()) }
    /// ```
    /// Run it by `psql -X -v ON_ERROR_STOP=1 -f migrate.sql`, in a session of its own and past any transaction pooler.
    ///
    /// Where a colon stands before a name in a subscript, the script has a space between them, since psql would look for a variable;
    /// everywhere else a catalog has neither variables nor commands of psql. A statement of a verify script that returns rows
    /// is judged in a DO block, any other fails by an error only.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) with every reason where `migrate` would be refused, and
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid).
    pub fn to_sql(&self, history: &History) -> Result<String> {
        engine::to_sql(&self.goal()?, history)
    }

    /// Takes over a database that another tool migrated: records what is applied there and is in the catalog,
    /// without running it, so that [`Migrator::migrate`] goes on behind it. See [`adopt`](crate::adopt).
    ///
    /// All of it is recorded in one transaction, or nothing; the other tool's table is only read. What was adopted before is left as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Adopt`](crate::ErrorKind::Adopt) where there is no history to adopt or something does not match, each
    /// with what to do next; [`ErrorKind::LockTimeout`](crate::ErrorKind::LockTimeout), and those of [`Migrator::history`].
    ///
    /// # Cancellation
    ///
    /// The future may be dropped at any time: everything is recorded, or nothing.
    #[cfg(feature = "adopt")]
    pub fn adopt<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        adopt: crate::adopt::Adopt,
    ) -> C::Outcome<'a, Result<crate::adopt::Adoption>> {
        let span = tracing::info_span!("adopt", schema = %self.schema);
        let work = async move { crate::takeover::adopt(&self.goal()?, client, &adopt).await };
        C::complete(Box::pin(work.instrument(span)))
    }
}

/// How many connections one run opens at the most: a server that drops every one of them has to be looked at.
#[cfg(feature = "tokio-postgres")]
const CONNECTIONS: u32 = 5;
