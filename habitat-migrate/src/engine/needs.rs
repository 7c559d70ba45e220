//! What migrations declare that they need of the server, checked before the first statement.

use std::collections::HashSet;

use habitat_migrate_catalog::{Migration, Need};

use super::Run;
use crate::client::Client;
use crate::error::Cause;
use crate::plan::{Refusal, Refusals, Step};

impl<C: Client> Run<'_, C> {
    /// Refuses a plan of which some migration needs what the server has not.
    pub(super) async fn check_needs(&mut self, version: u32, steps: &[Step<'_>]) -> Result<(), Cause> {
        let mut needs: Vec<(&Migration, &Need)> = Vec::new();
        for Step { migration, .. } in steps {
            needs.extend(migration.settings().needs.iter().map(|need| (*migration, need)));
        }
        if needs.is_empty() {
            return Ok(());
        }
        let reply = self.run("list its extensions", EXTENSIONS).await?;
        let extensions: HashSet<&str> = reply.rows("extension").map(|row| row.text(1)).collect();
        let lacking = needs.into_iter().filter(|(_, need)| match need {
            Need::Postgres(oldest) => version / 10_000 < *oldest,
            Need::Extension(name) => !extensions.contains(name.as_ref()),
            _ => true,
        });
        let refusals: Vec<Refusal> = lacking
            .map(|(migration, need)| Refusal::Lacking {
                migration: migration.id().clone(),
                need: words(need),
                server: version / 10_000,
            })
            .collect();
        if refusals.is_empty() { Ok(()) } else { Err(Cause::Refused(Refusals::new(refusals))) }
    }
}

/// A need as a person says it.
pub(super) fn words(need: &Need) -> String {
    match need {
        Need::Postgres(oldest) => format!("PostgreSQL {oldest} or newer"),
        Need::Extension(name) => format!("the extension {name}"),
        other => format!("{other:?}"),
    }
}

const EXTENSIONS: &str =
    "SELECT 'extension' AS \"habitat-migrate\", e.name FROM pg_catalog.pg_available_extensions AS e;\n";
