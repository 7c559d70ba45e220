//! What the process ends with: [`Exit`].

use std::process::ExitCode;

/// How a verb ended, as the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// 0: it is done, or there was nothing to do.
    Done,
    /// 1: it failed.
    Failed,
    /// 2: the arguments, the configuration or the migrations are not sound; nothing was tried.
    Usage,
    /// 3: something is pending, or is not as it is recorded.
    Pending,
    /// 4: another process held the lock for too long.
    Locked,
    /// 5: a policy forbids it, or a confirmation is missing.
    Refused,
}

impl Exit {
    /// The number that a shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Pending => 3,
            Self::Locked => 4,
            Self::Refused => 5,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
