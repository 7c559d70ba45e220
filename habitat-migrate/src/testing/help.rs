//! Who makes copies ahead of need and drops what tests have left, while the tests go on.

use super::chores::Threads;
use super::claim::Claim;
use super::hands::Hands;
use super::steward::Gone;

/// The sessions of a shared server, which outlive this process; or, on any other server, threads of this process.
pub(super) enum Help {
    Hands(Box<Hands>),
    Threads(Threads),
}

impl Help {
    /// This process uses the template: that is noted, and what others left is looked for.
    pub(super) fn used(&self, key: &str) {
        match self {
            Self::Hands(hands) => hands.used(key),
            Self::Threads(threads) => threads.used(key),
        }
    }

    /// The template is new: there are no copies of it yet.
    pub(super) fn stock(&self, key: &str) {
        match self {
            Self::Hands(hands) => hands.stock(key),
            Self::Threads(_) => {}
        }
    }

    /// A test has got its database.
    pub(super) fn replace(&self, key: &str, claim: &Claim) {
        match self {
            Self::Hands(hands) => hands.replace(key, claim),
            Self::Threads(threads) => threads.replace(key),
        }
    }

    /// Has a database dropped soon. Only threads make this wait, and only while too many others are waiting.
    pub(super) fn take_back(&self, gone: Gone) {
        match self {
            Self::Hands(hands) => hands.take_back(gone),
            Self::Threads(threads) => threads.take_back(gone),
        }
    }

    /// Databases whose locks nobody needs any more.
    pub(super) fn done(&self) -> Vec<String> {
        match self {
            Self::Hands(hands) => hands.done(),
            Self::Threads(_) => Vec::new(),
        }
    }
}
