//! What to do about an error.

use super::{Cause, Kept};

impl Cause {
    /// What to do next.
    pub(super) fn next(&self) -> Option<String> {
        Some(match self {
            Self::Migration(failed) if !failed.blockers.is_empty() => {
                "let these sessions finish, or end them with pg_terminate_backend, and run migrate again".to_owned()
            }
            Self::Migration(failed) if matches!(failed.kept, Kept::Statements { .. }) => {
                let verb = if failed.undoing { "roll back" } else { "run migrate" };
                format!("correct that statement, or what stands in its way, and {verb} again: it goes on there; what is done has to stay as it is")
            }
            Self::Unverified { kept: Kept::Statements { .. }, .. } => {
                "correct what the statements behind it have to do, or the verify script, and run migrate again: it goes on there".to_owned()
            }
            Self::InvalidIndex(invalid) => invalid.next(),
            Self::Pooler { address, .. } => {
                let address = address.as_ref().map(|address| format!(" ({address})")).unwrap_or_default();
                format!(
                    "connect to the server itself{address}; if the pooler is in session mode, say so with `Migrator::assume_session`"
                )
            }
            Self::Migration(failed) if failed.undoing => "correct what stands in its way and roll back again".to_owned(),
            Self::Migration(failed) if matches!(failed.kept, Kept::Batches(1..)) => {
                "correct what stands in its way and run migrate again: it goes on where it stopped; if the file has to change, the error \
                 that tells so then says how to go on"
                    .to_owned()
            }
            Self::Hindered(hindered) => hindered.hindrance.next(),
            Self::Migration(_) => "correct the file and run migrate again".to_owned(),
            Self::Function(failed) if failed.ended => {
                "leave COMMIT and ROLLBACK to the library; then complete or undo by hand what it did, and delete its row \
                 or set its state to 'applied'"
                    .to_owned()
            }
            Self::Function(failed) if failed.undoing => {
                "correct what stands in its way and roll back again".to_owned()
            }
            Self::Function(_) => "correct the function or the data, and run migrate again".to_owned(),
            Self::Unverified { .. } => "correct the migration or its verify script and run migrate again".to_owned(),
            Self::NewerTracker { .. } => "deploy a program with a newer version of the library".to_owned(),
            Self::EndedItself { .. } => {
                "take the COMMIT or ROLLBACK out of the script; then complete or undo by hand what it did, and delete its row \
                 or set its state to 'applied'"
                    .to_owned()
            }
            Self::Tracker { remedy, .. } => remedy.clone()?,
            Self::ForeignTracker { .. } => {
                "give the tracker a schema of its own with `Migrator::schema`".to_owned()
            }
            Self::Unconfirmed { database } => {
                format!("if this is the database that was meant, confirm it by its name: `Migrator::confirm({database:?})`")
            }
            Self::ReadOnly { .. } => "migrate on the primary, or, if this is the primary, without default_transaction_read_only".to_owned(),
            Self::LockTimeout { .. } => {
                "wait for that process, or end it with pg_terminate_backend; no lock outlives its session".to_owned()
            }
            Self::LockLost | Self::ConnectionLost { .. } => {
                "run migrate again: it reads from the tracker what is applied".to_owned()
            }
            Self::InTransaction => "commit or roll back before migrating".to_owned(),
            Self::Refused(_) | Self::Stale(_) | Self::Invalid(_) | Self::UnsupportedServer { .. } => return None,
            #[cfg(feature = "tokio-postgres")]
            Self::Connect(_) => return None,
            #[cfg(feature = "adopt")]
            Self::Adopt(_) => return None,
        })
    }
}
