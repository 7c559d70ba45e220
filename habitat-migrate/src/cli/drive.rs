//! Runs that may call functions of the program, each by the client that its functions are written for.

use habitat_migrate_catalog::Catalog;

use super::failure::Failure;
use crate::code::{Function, Style};
use crate::connect::Connector;
use crate::migrator::Migrator;
use crate::policy::Rollback;
use crate::report::Report;

/// What is to be run.
pub(crate) enum Work {
    Up,
    Down(Rollback),
    Redo,
}

/// Connects and does it.
pub(crate) fn drive(migrator: &Migrator, connector: &Connector, work: Work) -> Result<Report, Failure> {
    if !is_async(migrator.catalog()) {
        if let Work::Up = work {
            return Ok(migrator.migrate_with_blocking(connector)?);
        }
        let reached = connector.connect_blocking();
        let mut client = reached.map_err(|error| Failure::unreached(connector, error))?;
        return Ok(match work {
            Work::Down(rollback) => migrator.rollback(&mut client, rollback)?,
            Work::Redo | Work::Up => migrator.redo(&mut client)?,
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        Failure::failed(format!("no runtime for async functions: {error}"), "free some file handles")
    })?;
    runtime.block_on(async {
        if let Work::Up = work {
            return Ok(migrator.migrate_with(connector).await?);
        }
        let reached = connector.connect().await;
        let mut client = reached.map_err(|error| Failure::unreached(connector, error))?;
        Ok(match work {
            Work::Down(rollback) => migrator.rollback(&mut client, rollback).await?,
            Work::Redo | Work::Up => migrator.redo(&mut client).await?,
        })
    })
}

/// Whether some function of the program is `async`.
fn is_async(catalog: &Catalog) -> bool {
    let functions = catalog.migrations().iter().filter_map(|migration| migration.code());
    functions.filter_map(|code| Function::of(code.function)).any(|function| function.style() == Style::Async)
}
