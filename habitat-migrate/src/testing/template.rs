//! A template: a database that is migrated once, that nobody can connect to, and that tests' databases are copied from.
//!
//! It is built under another name and renamed when it is whole: what has the name of a template is one. All builders of a
//! server take turns, since migrations that create roles change the whole server.

use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use tokio_postgres::Config;

use super::chores::drop_database;
use super::kept::now;
use super::recipe::Recipe;
use super::session::{APPLICATION, column, connect};
use super::steward::{Place, Steward, lock, unlock};
use super::test_error::{Kind, TestError};
use super::{fixture, names};
use crate::code::{Function, Style};
use crate::migrator::Migrator;
use crate::sql::{Ident, Literal};

/// Sees to it that there is a template of this recipe, and that it stays while this process lives; whether it was built for
/// that.
pub(super) fn ensure(steward: &Steward, key: &str, recipe: &Recipe) -> Result<bool, TestError> {
    let failed =
        |source| Kind::Sql { what: "look for the template of the test's database".to_owned(), source };
    let template = names::template(key);
    // Whoever sweeps it holds the lock for a moment only.
    let hold = format!("SELECT pg_catalog.pg_try_advisory_lock_shared({})", lock(&template));
    wait(|| {
        let messages = steward.owner().with(|client| client.simple_query(&hold))?;
        Ok((column(&messages) == ["t"]).then_some(()))
    })
    .map_err(failed)?
    .ok_or(Kind::Waited)?;
    let messages = steward.owner().with(|client| client.simple_query(&exists(&template))).map_err(failed)?;
    if column(&messages) == ["t"] {
        return Ok(false);
    }
    let mut client = connect(&steward.place().config).map_err(failed)?;
    // The lock is this session's, so that a builder that is killed gives it back.
    let take = format!("SELECT pg_catalog.pg_try_advisory_lock({})", lock(BUILDERS));
    let turn = wait(|| {
        if column(&client.simple_query(&exists(&template))?) == ["t"] {
            return Ok(Some(Turn::Built));
        }
        Ok((column(&client.simple_query(&take)?) == ["t"]).then_some(Turn::Ours))
    });
    match turn.map_err(failed)?.ok_or(Kind::Waited)? {
        Turn::Built => Ok(false),
        Turn::Ours => {
            let built = build(&mut client, steward.place(), key, recipe);
            let _ = client.batch_execute(&unlock(BUILDERS));
            built.map(|()| true)
        }
    }
}

enum Turn {
    /// Somebody else has built it.
    Built,
    Ours,
}

/// Builds the template, unless it is there; nobody else builds one on this server meanwhile.
pub(super) fn build(client: &mut Client, place: &Place, key: &str, recipe: &Recipe) -> Result<(), TestError> {
    let failed = |source| Kind::Sql { what: "build the template of the test's database".to_owned(), source };
    // It may have been finished between the two questions.
    let template = names::template(key);
    if column(&client.simple_query(&exists(&template)).map_err(failed)?) == ["t"] {
        return Ok(());
    }
    sweep_half_built(client).map_err(failed)?;
    let name = names::building(key);
    let create = place.create(&name, "template0");
    client.batch_execute(&create).map_err(failed)?;
    let mut inside = place.config.clone();
    inside.dbname(&name).application_name(APPLICATION);
    let built = fill(&inside, recipe)
        .and_then(|()| finish(client, &name, &template).map_err(|source| failed(source).into()));
    if built.is_err() {
        let _ = drop_database(client, &name, false);
    }
    built
}

/// What killed builders left: nobody else is building, as the lock is ours. Their own sessions may still be at work.
fn sweep_half_built(client: &mut Client) -> Result<(), postgres::Error> {
    let left = format!(
        "SELECT datname FROM pg_catalog.pg_database WHERE datname LIKE {} AND datconnlimit = {}",
        Literal(&names::pattern(names::BUILDING)),
        names::MARK
    );
    let messages = client.simple_query(&left)?;
    for name in column(&messages) {
        // Another login's is not ours to drop, and in nobody's way.
        let _ = drop_database(client, name, false);
    }
    Ok(())
}

/// Migrates the database and runs the fixtures.
fn fill(config: &Config, recipe: &Recipe) -> Result<(), TestError> {
    let failed = |source| Kind::Sql { what: "fill the template of the test's database".to_owned(), source };
    let mut client = postgres::Config::from(config.clone()).connect(NoTls).map_err(failed)?;
    if let Some(role) = &recipe.role {
        let what = || format!("create role {role}");
        create_role(&mut client, role).map_err(|source| Kind::Sql { what: what(), source })?;
    }
    // Without anything to apply or to record, an empty database is what was asked for.
    if !recipe.applied.migrations().is_empty() || recipe.environment.is_some() {
        migrate(config, &mut client, recipe)?;
    }
    for (file, text) in &recipe.fixtures {
        fixture::run(&mut client, file, text)?;
    }
    Ok(())
}

/// Applies what is to be applied; functions that are async are called through a client of their kind.
fn migrate(config: &Config, client: &mut postgres::Client, recipe: &Recipe) -> Result<(), TestError> {
    let failed = |source| Kind::Sql { what: "fill the template of the test's database".to_owned(), source };
    let migrator = migrator(recipe);
    let migrated = if has_async_functions(recipe) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(Kind::Runtime)?.block_on(async {
            let (mut client, connection) = config.connect(NoTls).await.map_err(failed)?;
            let connection = tokio::spawn(connection);
            let migrated = migrator.migrate(&mut client).await;
            drop(client);
            let _ = connection.await;
            Ok::<_, Kind>(migrated)
        })?
    } else {
        migrator.migrate(client)
    };
    migrated.map_err(Kind::Migration)?;
    Ok(())
}

fn migrator(recipe: &Recipe) -> Migrator {
    let mut migrator = Migrator::new(recipe.applied.clone());
    if let Some(target) = &recipe.target {
        migrator = migrator.target(target.clone());
    }
    if let Some(schema) = &recipe.schema {
        migrator = migrator.schema(schema);
    }
    if let Some(environment) = &recipe.environment {
        migrator = migrator.environment(environment);
    }
    recipe.placeholders.iter().fold(migrator, |migrator, (name, value)| migrator.placeholder(name, value))
}

fn has_async_functions(recipe: &Recipe) -> bool {
    let functions = recipe.applied.migrations().iter().filter_map(|migration| migration.code());
    functions.filter_map(|code| Function::of(code.function)).any(|function| function.style() == Style::Async)
}

/// Creates a role that is not there; who is no superuser is made a member, to be able to act as it.
fn create_role(client: &mut Client, role: &str) -> Result<(), postgres::Error> {
    let there = format!("SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {})", Literal(role));
    if column(&client.simple_query(&there)?) == ["t"] {
        return Ok(());
    }
    client.batch_execute(&format!("CREATE ROLE {}", Ident(role)))?;
    let superuser = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER";
    if column(&client.simple_query(superuser)?) != ["t"] {
        client.batch_execute(&format!("GRANT {} TO CURRENT_USER", Ident(role)))?;
    }
    Ok(())
}

/// Makes a database that is whole a template. The new name comes last: it is what others go by.
fn finish(client: &mut Client, name: &str, template: &str) -> Result<(), postgres::Error> {
    client.batch_execute(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", Ident(name)))?;
    let size = format!("SELECT pg_catalog.pg_database_size({})", Literal(name));
    let size = column(&client.simple_query(&size)?).first().and_then(|size| size.parse().ok());
    client.batch_execute(&note_use(name, size.unwrap_or_default()))?;
    let inside = format!("FROM pg_catalog.pg_stat_activity WHERE datname = {}", Literal(name));
    let is_occupied = |client: &mut Client| {
        let messages = client.simple_query(&format!("SELECT datname {inside} LIMIT 1"))?;
        Ok::<_, postgres::Error>(!column(&messages).is_empty())
    };
    let end = Instant::now() + LEAVING;
    while is_occupied(client)? && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    // A pooler in session mode keeps its own session there; a migration may have left one by dblink.
    client.batch_execute(&format!("SELECT pg_catalog.pg_terminate_backend(pid) {inside}"))?;
    client.batch_execute(&format!("ALTER DATABASE {} RENAME TO {}", Ident(name), Ident(template)))
}

/// Says in the comment when a template was used last, and how large it is.
pub(super) fn note_use(name: &str, size: u64) -> String {
    let comment = format!("{LAST_USED}{}{SIZE}{size}", now());
    format!("COMMENT ON DATABASE {} IS {}", Ident(name), Literal(&comment))
}

/// Seconds since 1970, as the comment says.
pub(super) fn last_used(comment: &str) -> Option<u64> {
    comment.strip_prefix(LAST_USED)?.split_once(SIZE)?.0.parse().ok()
}

/// In bytes, as the comment says.
pub(super) fn size(comment: &str) -> Option<u64> {
    comment.strip_prefix(LAST_USED)?.split_once(SIZE)?.1.parse().ok()
}

fn exists(template: &str) -> String {
    format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = {} AND datconnlimit = {})",
        Literal(template),
        names::MARK
    )
}

/// Asks until there is an answer: a session that waits in the server would hold a snapshot all the while.
fn wait<T>(
    mut ask: impl FnMut() -> Result<Option<T>, postgres::Error>,
) -> Result<Option<T>, postgres::Error> {
    let end = Instant::now() + PATIENCE;
    loop {
        match ask()? {
            Some(answer) => return Ok(Some(answer)),
            None if Instant::now() > end => return Ok(None),
            None => std::thread::sleep(POLL),
        }
    }
}

/// The lock of whoever builds a template or sweeps a half-built one.
pub(super) const BUILDERS: &str = "habitat_builders";

const LAST_USED: &str = "habitat-migrate: template, last used ";
const SIZE: &str = ", bytes: ";

/// How long the migrating session may still be leaving.
const LEAVING: Duration = Duration::from_millis(500);

/// How long others may take to build: their catalogs' migrations from scratch.
const PATIENCE: Duration = Duration::from_secs(600);

const POLL: Duration = Duration::from_millis(5);
