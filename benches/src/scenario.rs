//! What is measured.

use std::time::Duration;

/// What there is to do in a migration call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// Everything is applied already: what every boot but the first costs.
    NothingToDo,
    /// The database is empty.
    FirstBoot,
}

/// A goal for a number of migrations: what round trips and bytes depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) goal: Goal,
    pub(crate) count: usize,
}

/// How far the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distance {
    /// On its own socket, without the proxy.
    Direct,
    /// Behind the proxy, which delays everything by this many milliseconds each way.
    EachWay(u64),
}

impl Distance {
    pub(crate) fn latency(self) -> Option<Duration> {
        match self {
            Self::Direct => None,
            Self::EachWay(milliseconds) => Some(Duration::from_millis(milliseconds)),
        }
    }
}

/// How much of everything is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Every scenario.
    Full,
    /// What takes seconds for each contender, a few times.
    Quick,
    /// The first boot of many, and nothing else, often: for this library beside what is done by hand.
    ByHand,
}

impl Extent {
    pub(crate) fn cases(self) -> Vec<Case> {
        let (nothing, first): (&[usize], &[usize]) = match self {
            Self::Full => (&[10, 1_000, 5_000], &[10, 100, 1_000]),
            Self::Quick => (&[10, 1_000], &[10, 100]),
            Self::ByHand => (&[], &[1_000]),
        };
        let cases = |goal, counts: &[usize]| {
            counts.iter().map(move |&count| Case { goal, count }).collect::<Vec<_>>()
        };
        [cases(Goal::NothingToDo, nothing), cases(Goal::FirstBoot, first)].concat()
    }

    pub(crate) fn distances(self) -> &'static [Distance] {
        match self {
            Self::Full => &[Distance::Direct, Distance::EachWay(1), Distance::EachWay(5)],
            Self::Quick => &[Distance::Direct, Distance::EachWay(1)],
            Self::ByHand => &[Distance::Direct, Distance::EachWay(5)],
        }
    }

    /// How often each contender migrates, unless that takes longer than its [`budget`](Self::budget).
    pub(crate) fn rounds(self, case: Case) -> usize {
        match (self, case.goal, case.count) {
            (Self::Quick, ..) => 3,
            (Self::ByHand, ..) => 13,
            (Self::Full, Goal::NothingToDo, _) => 15,
            (Self::Full, Goal::FirstBoot, ..=10) => 9,
            (Self::Full, Goal::FirstBoot, _) => 5,
        }
    }

    /// A contender that has used up this time in a scenario is not run again in it: some would take minutes.
    pub(crate) fn budget(self) -> Duration {
        match self {
            Self::Full | Self::Quick => Duration::from_secs(12),
            Self::ByHand => Duration::MAX,
        }
    }
}
