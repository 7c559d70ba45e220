//! Trying the probes: as each role, in transactions that are rolled back.

use super::access::AccessError;
use super::connection::Connection;
use super::probe::{Outcome, Probe, ProbeReport, ProbeResult, Probes};
use super::probe_attempt::Attempt;
use crate::client::{Client, Failure, Work};
use crate::server::ServerError;
use crate::sql::Literal;

impl Probes {
    /// Logs in as each role and tries; nothing that is tried stays.
    ///
    /// Each role needs one of the connections; the first whose user it is. Each attempt is in a transaction of its own that is
    /// rolled back, waits 5 seconds for a lock at most and takes 30 seconds at most. What a rollback does not take back, a sequence that was
    /// advanced or what a function did elsewhere, stays: mind that with `run`.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::AccessErrorKind::Invalid) where a role has no connection, [`Connect`](super::AccessErrorKind::Connect)
    /// where it cannot log in, [`Lost`](super::AccessErrorKind::Lost). What the server refuses is no error.
    ///
    /// # Cancellation
    ///
    /// The connections are closed, and what was under way is rolled back.
    pub async fn run(&self, connections: &[Connection]) -> Result<ProbeReport, AccessError> {
        let mut report = ProbeReport::default();
        for probe in &self.0 {
            let connection = probe.connection(connections)?;
            let mut client =
                connection.connector()?.connect().await.map_err(|error| probe.cannot_log_in(error))?;
            report.0.extend(probe.run(&mut client).await?);
        }
        Ok(report)
    }

    /// [`Probes::run`] for a program without an async runtime.
    ///
    /// # Errors
    ///
    /// Those of [`Probes::run`].
    ///
    /// # Panics
    ///
    /// Within an async runtime, as every function of the `postgres` crate.
    #[cfg(feature = "postgres")]
    pub fn run_blocking(&self, connections: &[Connection]) -> Result<ProbeReport, AccessError> {
        let mut report = ProbeReport::default();
        for probe in &self.0 {
            let connection = probe.connection(connections)?;
            let mut client =
                connection.connector()?.connect_blocking().map_err(|error| probe.cannot_log_in(error))?;
            report.0.extend(postgres::Client::complete(Box::pin(probe.run(&mut client)))?);
        }
        Ok(report)
    }
}

impl Probe {
    fn connection<'a>(&self, connections: &'a [Connection]) -> Result<&'a Connection, AccessError> {
        connections.iter().find(|connection| connection.user == self.role).ok_or_else(|| {
            AccessError::invalid(format!(
                "role {:?} cannot be probed: none of the connections is its own",
                self.role
            ))
        })
    }

    fn cannot_log_in(&self, error: crate::connect::ConnectError) -> AccessError {
        AccessError::connect(format!("role {:?} cannot be probed", self.role), error)
    }

    async fn run<C: Session>(&self, client: &mut C) -> Result<Vec<ProbeResult>, AccessError> {
        let mut results = Vec::new();
        for (expectation, attempt) in &self.attempts {
            let outcome = self.attempt(client, attempt).await.map_err(|failure| {
                AccessError::database(
                    format!("role {:?} cannot be probed with `{attempt}`", self.role),
                    failure,
                )
            })?;
            results.push(ProbeResult {
                role: self.role.clone(),
                settings: self.settings.clone(),
                expectation: *expectation,
                attempt: attempt.clone(),
                outcome,
            });
        }
        Ok(results)
    }

    async fn attempt<C: Session>(&self, client: &mut C, attempt: &Attempt) -> Result<Outcome, Failure> {
        // The server makes no database in a transaction.
        let alone = *attempt == Attempt::CreateDatabase;
        let column = match attempt.column_query() {
            Some(query) => client.run(&query).await?.first("column").map(|row| row.text(1).to_owned()),
            None => None,
        };
        let trial = attempt.trial(column.as_deref(), &unique()?);
        if !alone {
            client.run(&self.beginning()).await?;
        }
        let tried = client.execute(&trial.sql).await;
        if !alone {
            client.run("ROLLBACK").await?;
        }
        match tried {
            Ok(0) if trial.counts => Ok(Outcome::NoRows),
            Ok(_) => Ok(Outcome::Allowed),
            Err(Failure::Server { error, .. }) => Ok(outcome(attempt, *error)),
            Err(lost) => Err(lost),
        }
    }

    fn beginning(&self) -> String {
        let settings = self.settings.iter().map(|(name, value)| {
            format!("SELECT pg_catalog.set_config({}, {}, true);\n", Literal(name), Literal(value))
        });
        let begin =
            "BEGIN READ WRITE;\nSET LOCAL lock_timeout = '5s';\nSET LOCAL statement_timeout = '30s';\n";
        std::iter::once(begin.to_owned()).chain(settings).collect()
    }
}

fn outcome(attempt: &Attempt, error: ServerError) -> Outcome {
    match error.code.as_str() {
        "42501" => Outcome::Refused(error),
        code if attempt.success() == Some(code) => Outcome::Allowed,
        _ => Outcome::Failed(error),
    }
}

/// A name that no object has.
fn unique() -> Result<String, Failure> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).map_err(|error| Failure::Lost(format!("no random bytes: {error}")))?;
    Ok(format!("habitat_probe_{:016x}", u64::from_ne_bytes(random)))
}

/// A client that runs one statement, no more, and counts its rows.
trait Session: Client {
    fn execute<'a>(&'a mut self, sql: &'a str) -> Work<'a, Result<u64, Failure>>;
}

// By the extended protocol, which takes no second statement: a COMMIT behind a semicolon would keep what was tried.
impl Session for tokio_postgres::Client {
    fn execute<'a>(&'a mut self, sql: &'a str) -> Work<'a, Result<u64, Failure>> {
        Box::pin(async move {
            tokio_postgres::Client::execute(self, sql, &[])
                .await
                .map_err(|error| Failure::from_driver(&error, None))
        })
    }
}

#[cfg(feature = "postgres")]
impl Session for postgres::Client {
    fn execute<'a>(&'a mut self, sql: &'a str) -> Work<'a, Result<u64, Failure>> {
        let outcome = postgres::Client::execute(self, sql, &[]);
        Box::pin(std::future::ready(outcome.map_err(|error| Failure::from_driver(&error, None))))
    }
}
