//! The contenders, in the order of the tables' columns. A new one is a module and a line here.

mod baseline;
#[cfg(feature = "diesel")]
mod diesel;
mod ours;
mod refinery;
mod sqlx;

pub(crate) use baseline::ONE_ROW;
pub(crate) use sqlx::migrations as sqlx_migrations;

use crate::contender::Contender;

/// This library, and what is done by hand.
pub(crate) fn ours_and_by_hand() -> Vec<Contender> {
    ours::CONTENDERS.into_iter().take(1).chain(baseline::CONTENDERS).collect()
}

/// Everybody who takes part.
pub(crate) fn all() -> Vec<Contender> {
    let mut all = Vec::from(ours::CONTENDERS);
    all.extend(refinery::CONTENDERS);
    all.extend(sqlx::CONTENDERS);
    #[cfg(feature = "diesel")]
    all.extend(diesel::CONTENDERS);
    all.extend(baseline::CONTENDERS);
    all
}
