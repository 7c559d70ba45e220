//! Carries out migrations that are functions of the program, each in a transaction that the client's driver begins.

use std::collections::HashMap;

use super::job::{Ended, Job};
use super::message::{Message, Text};
use super::settings::Settings;
use super::{Outcome, Run, WRITE, verify};
use crate::client::{At, Call, CallFailure, Client, Failure, Reply, ServerError};
use crate::code::Function;
use crate::error::{Cause, Failed, FailedFunction, Kept};
use crate::event::Event;
use crate::lock::STANDARD_STRINGS;
use crate::plan::{beside, fit};

impl<'a, C: Client> Run<'a, C> {
    /// Calls functions, one after the other.
    ///
    /// The driver begins and ends their transactions with messages of its own, between which nothing can hold the lock but the
    /// session; behind a transaction pooler it would be stranded there. So each transaction takes the lock anew, by itself, and the
    /// record in it fails if somebody else was first. Where `more` is to come, the run looks again at what there is to do.
    pub(super) async fn call_all(
        &mut self,
        jobs: &[Job<'a>],
        settings: &Settings,
        prelude: &str,
        more: bool,
    ) -> Result<Outcome, Cause> {
        // The lock goes with the transaction that has it; a prelude has given it to the session.
        let sql = match prelude {
            "" => "COMMIT;\n".to_owned(),
            prelude => format!("{prelude}{}", self.lock.release()),
        };
        if let Err(failure) = self.session.finish(&sql).await {
            return Err(self.tracker_failure(WRITE, failure).await);
        }
        for job in jobs {
            if let Outcome::Again = self.call(job, settings).await? {
                return Ok(Outcome::Again);
            }
        }
        Ok(if more { Outcome::Again } else { Outcome::Done })
    }

    async fn call(&mut self, job: &Job<'a>, settings: &Settings) -> Result<Outcome, Cause> {
        let Some(function) = job.function().and_then(Function::of) else {
            return Err(self.misfit(job));
        };
        let (goal, id) = (self.goal, job.id());
        (goal.tell)(&Event::Started { migration: id.clone() });
        let before = [
            self.lock.take(),
            goal.tracker.still_to_do(id, job.is_undoing()),
            STANDARD_STRINGS.to_owned(),
            goal.limits.prepare(job.settings()),
        ];
        let mut message = Message::default();
        message.push(0, Text::Migration, "SET CONSTRAINTS ALL IMMEDIATE;\n");
        message.push(0, Text::Session, &settings.restore_but_statements());
        if let Some(text) = job.verify() {
            verify::push(&mut message, 0, &text, goal.limits);
        }
        // This transaction is as old as the function's run.
        let settle = goal.tracker.settle("pg_catalog.transaction_timestamp()");
        message.push(0, Text::Engine, &format!("{}{settle}", job.record(&goal.tracker, Ended::May)));
        // Each by itself, so that any client can tell which one fails.
        let texts: Vec<_> = message.texts().collect();
        let after: Vec<&str> = texts.iter().map(|(_, sql)| *sql).collect();
        let call = Call { function, before: &before.concat(), after: &after };
        let failure = match self.session.call(call).await {
            Ok(reply) => {
                let mut rows = reply.rows("applied").chain(reply.rows("undone"));
                // An earlier run's record may be settled along with this one's.
                let row =
                    rows.find(|row| (id.context(), id.version().as_str()) == (row.text(1), row.text(2)));
                self.note_committed(job, row.map(|row| row.micros(3)).unwrap_or_default());
                return Ok(Outcome::Done);
            }
            Err(failure) => failure,
        };
        match failure {
            CallFailure::Unsupported => Err(self.misfit(job)),
            CallFailure::Overtaken => Ok(Outcome::Again),
            CallFailure::Unproved(reply) => self.unproved(job, &reply).await,
            CallFailure::Function { error, ended } => self.function_failed(job, error, ended).await,
            CallFailure::Engine { failure: Failure::Lost(words), .. } => {
                Err(Cause::ConnectionLost { words, under_way: vec![id.clone()] })
            }
            CallFailure::Engine { failure, at: At::Begin } => {
                Err(self.tracker_failure("take the lock", failure).await)
            }
            CallFailure::Engine { failure: Failure::Server { error, .. }, at } => match at {
                At::After(n) => {
                    let mut failing = Message::default();
                    failing.push(0, texts[n].0.text, texts[n].1);
                    let place = failing.find(&error, settings.unit, Some(0));
                    self.refused_after(job, *error, place.map_or(texts[n].0.text, |place| place.text)).await
                }
                At::Return => {
                    let words = format!("a statement failed, and the function went on: {error}");
                    self.function_failed(job, words.into(), false).await
                }
                _ => self.refused_after(job, *error, Text::Migration).await,
            },
        }
    }

    /// The function returned an error.
    async fn function_failed(
        &mut self,
        job: &Job<'a>,
        error: Box<dyn std::error::Error + Send + Sync>,
        ended: bool,
    ) -> Result<Outcome, Cause> {
        let server = ServerError::behind(&*error);
        if let Some(outcome) = self.again(job, server.as_ref().filter(|_| !ended)).await {
            return Ok(outcome);
        }
        let attempts = self.retries.made(job.id());
        let (id, path) = (job.id().clone(), job.path().into_owned());
        let failed = FailedFunction { id, path, error, server, attempts, ended, undoing: job.is_undoing() };
        if let Some(record) = job.interrupted(&self.goal.tracker).filter(|_| ended) {
            // So that nobody runs it again over what it has left.
            self.note(&record).await;
        }
        self.note(&self.goal.tracker.log("failure", &failed.id, &failed.words().join(": "))).await;
        Err(Cause::Function(Box::new(failed)))
    }

    /// What follows the function failed.
    async fn refused_after(
        &mut self,
        job: &Job<'a>,
        error: ServerError,
        text: Text,
    ) -> Result<Outcome, Cause> {
        let path = job.path();
        let (path, place) = match text {
            Text::Verify(offset) => {
                (beside(&path, "verify"), job.verify().map(|verify| verify.excerpt(offset)))
            }
            Text::Migration | Text::Script(_) => (path.into_owned(), None),
            Text::Engine | Text::Session => {
                // Whoever was first has recorded it.
                if error.code == "23505" && self.is_done(job).await? {
                    return Ok(Outcome::Again);
                }
                let remedy = self.remedy(WRITE, &error).await;
                return Err(Cause::Tracker { doing: WRITE, error: Box::new(error), remedy });
            }
        };
        if let Some(outcome) = self.again(job, Some(&error)).await {
            return Ok(outcome);
        }
        let id = job.id().clone();
        let attempts = self.retries.made(&id);
        self.note(&self.goal.tracker.log("failure", &id, &error.to_string())).await;
        let failed = Failed {
            id,
            path,
            place,
            error,
            attempts,
            blockers: Vec::new(),
            undoing: job.is_undoing(),
            kept: Kept::Nothing,
        };
        Err(Cause::Migration(Box::new(failed)))
    }

    /// Whether the tracker says that somebody has done it.
    async fn is_done(&mut self, job: &Job<'a>) -> Result<bool, Cause> {
        let history = self.history().await?;
        let records: HashMap<_, _> = history.by_id();
        Ok(job.is_done(&records))
    }

    /// Lets whoever is in the way finish, where a failure passes by itself.
    async fn again(&mut self, job: &Job<'a>, error: Option<&ServerError>) -> Option<Outcome> {
        // What a function waited for is not known: it has no text that names a table.
        if !self.retries.take(error?, job.id(), &[]) {
            return None;
        }
        self.pause().await;
        Some(Outcome::Again)
    }

    /// The verify script did not prove what the function did.
    async fn unproved(&mut self, job: &Job<'a>, reply: &Reply) -> Result<Outcome, Cause> {
        let (Job::Apply(step, _), Some(script)) = (job, job.verify()) else { return Ok(Outcome::Again) };
        let findings = verify::findings(reply, step.migration, &script);
        drop(script);
        let detail = findings.first().map(|first| format!("verification failed: {}", first.returned()));
        let id = job.id().clone();
        self.note(&self.goal.tracker.log("failure", &id, &detail.unwrap_or_default())).await;
        Err(Cause::Unverified { id, findings, kept: Kept::Nothing })
    }

    /// The refusal of a function that this client cannot call.
    fn misfit(&self, job: &Job<'a>) -> Cause {
        let functions = std::iter::once((job.id(), job.path(), job.function()));
        match fit(self.session.style(), functions) {
            Err(refusals) => Cause::Refused(refusals),
            Ok(()) => Cause::Invalid(format!("this client did not call the function of {}", job.id())),
        }
    }
}
