//! Everything about a database's migrations on one page of HTML, to send and to print: [`Page`].

mod html;
mod tables;

use chrono::{DateTime, Utc};

use crate::client::Client;
use crate::doctor::{self, Diagnosis, Examination};
use crate::error::Result;
use crate::graph::Graph;
use crate::provision::Finding;
use crate::status::Status;
use tables::Table;

/// One page: where a database stands, what a doctor finds, its history as a time line, what requires what, its tables with their owners
/// and policies.
///
/// It is one file without scripts, and loads nothing from anywhere. It is light or dark as its reader likes it, and prints well.
#[derive(Clone, Debug)]
pub struct Page {
    database: String,
    server: String,
    at: DateTime<Utc>,
    status: Status,
    graph: Graph,
    diagnosis: Diagnosis,
    provision: Option<Vec<Finding>>,
    tables: Vec<Table>,
}

impl Page {
    /// Adds what an audit of a declaration found: see [`Provision::audit`](crate::provision::Provision::audit). An empty list is told as such.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.provision = Some(findings);
        self
    }

    /// The page.
    pub fn to_html(&self) -> String {
        html::page(self)
    }
}

/// Reads what a [`Page`] shows, and changes nothing.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn example(migrator: habitat_migrate::Migrator, client: &mut postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::doctor::Examination;
///
/// let page = habitat_migrate::page::read(client, &Examination::new(migrator))?;
/// std::fs::write("migrations.html", page.to_html())?;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// Those of [`Migrator::status`](crate::Migrator::status) and of [`doctor::examine`].
///
/// # Cancellation
///
/// Nothing is left behind.
pub fn read<'a, C: Client>(client: &'a mut C, examination: &'a Examination) -> C::Outcome<'a, Result<Page>> {
    C::complete(Box::pin(async move {
        let migrator = examination.migrator();
        let doctor::Seen { database, server, at, status, diagnosis } =
            doctor::look(client, examination).await?;
        let status = status?;
        let graph = Graph::of(migrator.catalog()).with_status(&status);
        let tables = tables::read(client).await?;
        Ok(Page { database, server, at, status, graph, diagnosis, provision: None, tables })
    }))
}
