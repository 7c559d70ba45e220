//! [`Migrator`]: what a program wants of its databases. What it does with them is in `verbs`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use habitat_migrate_catalog::{Catalog, MigrationId, Placeholders};

use crate::engine::{Goal, Limits};
use crate::error::{Cause, Error, Result};
use crate::event::Event;
use crate::plan::Wish;
use crate::policy::{Changed, Missing, NewerDatabase, OutOfOrder, Patience, Policy, Retry};
use crate::report::Report;
use crate::sql::check_name;
use crate::tracker::Tracker;

mod repairs;
mod verbs;

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
    placeholders: Placeholders,
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
            placeholders: Placeholders::default(),
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

    /// The value of a placeholder, for scripts that declare it by `-- habitat: placeholders name`. `${name:identifier}` and `${name:literal}` quote it;
    /// plain `${name}` takes letters, digits and `_` only.
    ///
    /// The tracker keeps down scripts as they are when a migration is applied, with their values.
    #[must_use]
    pub fn placeholder(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.placeholders = self.placeholders.set(name, value);
        self
    }

    /// The values of all placeholders.
    #[cfg(all(feature = "testing", unix))]
    pub(crate) fn placeholders(mut self, values: Placeholders) -> Self {
        self.placeholders = values;
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

    fn wish(&self) -> Wish<'_> {
        Wish {
            policy: self.policy,
            environment: self.environment.as_deref(),
            target: self.target.as_ref(),
            values: Some(&self.placeholders),
        }
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
