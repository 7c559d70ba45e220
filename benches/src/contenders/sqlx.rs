//! sqlx's migrator on one connection.

use std::borrow::Cow;

use ::sqlx::migrate::{Migration, MigrationType, Migrator};
use ::sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, SqlSafeStr};

use crate::Result;
use crate::contender::{Contender, Loaded, Role, Session, runtime};
use crate::scripts::Script;
use crate::server::Address;

pub(crate) const CONTENDERS: [Contender; 1] = [Contender {
    name: "sqlx",
    role: Role::Peer,
    load: |scripts| Ok(Box::new(Sqlx(Migrator::with_migrations(migrations(scripts)?)))),
}];

/// The scripts as the macro embeds them.
pub(crate) fn migrations(scripts: &[Script]) -> Result<Vec<Migration>> {
    let migration = |script: &Script| {
        let sql = AssertSqlSafe(script.sql()).into_sql_str();
        let name = Cow::Owned(script.table());
        Ok(Migration::new(i64::try_from(script.number())?, name, MigrationType::Simple, sql, false))
    };
    scripts.iter().map(migration).collect()
}

struct Sqlx(Migrator);

impl Loaded for Sqlx {
    fn connect(&self, address: &Address) -> Result<Box<dyn Session + '_>> {
        let runtime = runtime()?;
        let options: ::sqlx::postgres::PgConnectOptions = address.url().parse()?;
        // Others log nothing either.
        let client = runtime.block_on(options.disable_statement_logging().connect())?;
        Ok(Box::new(SqlxSession { migrator: &self.0, client, runtime }))
    }
}

struct SqlxSession<'a> {
    migrator: &'a Migrator,
    client: PgConnection,
    runtime: tokio::runtime::Runtime,
}

impl Session for SqlxSession<'_> {
    fn migrate(&mut self) -> Result<()> {
        // A single connection is already acquired, so no pool adds to its round trips.
        self.runtime.block_on(self.migrator.run(&mut self.client))?;
        Ok(())
    }
}
