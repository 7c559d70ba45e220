//! How long `pg_dump` waits for the tables that it reads, and who was in its way.

use std::time::Duration;

use super::error::{Cause, Error};
use super::question;
use crate::client::Client;

/// How long it waits if nobody says otherwise. Nobody is kept waiting behind it meanwhile, so it may be more patient than a migration.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// `--lock-wait-timeout`, in milliseconds.
pub(super) fn argument(patience: Duration) -> String {
    format!("--lock-wait-timeout={}", patience.as_millis().max(1).min(i32::MAX as u128))
}

/// What `pg_dump` failed by, with those who were in its way where that was a lock.
pub(super) async fn explained<C: Client>(client: &mut C, error: Error, patience: Duration) -> Error {
    match error.said() {
        Some(said) if is_lock(said) => {
            // Who cannot be asked for is not named.
            let holders = question::holders(client).await.unwrap_or_default();
            Error::new(Cause::Locked { waited: patience, holders, said: said.to_owned() })
        }
        _ => error,
    }
}

/// Whether a lock that `pg_dump` waited for is what it complains of: it bounds its `LOCK TABLE` by the time that a statement may take.
fn is_lock(said: &str) -> bool {
    said.contains("LOCK TABLE") && said.contains("due to statement timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_told_from_other_refusals() {
        let detail = "detail: Query was: LOCK TABLE public.items IN ACCESS SHARE MODE";
        assert!(is_lock(&format!(
            "error: query failed: ERROR:  canceling statement due to statement timeout\n{detail}"
        )));
        assert!(!is_lock(&format!(
            "error: query failed: ERROR:  permission denied for table items\n{detail}"
        )));
        assert!(!is_lock("error: query failed: ERROR:  canceling statement due to statement timeout"));
    }

    #[test]
    fn a_time_is_told_in_milliseconds_and_never_as_none() {
        assert_eq!(argument(PATIENCE), "--lock-wait-timeout=30000");
        assert_eq!(argument(Duration::ZERO), "--lock-wait-timeout=1");
        assert_eq!(argument(Duration::MAX), "--lock-wait-timeout=2147483647");
    }
}
