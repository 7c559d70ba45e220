//! The account that a server runs as when the tests are run by root, whom PostgreSQL refuses.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::error::{Kind, ServerError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// `postgres`, else `nobody`, if this process is root's; `None` if the server can run as we do.
    pub(super) fn for_server() -> Result<Option<Self>, ServerError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self::choose(&passwd).map(Some).ok_or_else(|| Kind::Account.into())
    }

    fn choose(passwd: &str) -> Option<Self> {
        ["postgres", "_postgres", "nobody"].iter().find_map(|name| {
            passwd.lines().find_map(|line| {
                let mut fields = line.split(':');
                (fields.next() == Some(name)).then_some(())?;
                // macOS writes nobody's as -2, which is what a u32 makes of it.
                let mut ids = fields.skip(1).map(|id| id.parse::<i64>().map(|id| id as u32));
                let account = Self { uid: ids.next()?.ok()?, gid: ids.next()?.ok()? };
                (account.uid != 0).then_some(account)
            })
        })
    }

    /// Gives a folder of ours to `account`.
    pub(super) fn give(account: Option<&Self>, folder: &Path) -> Result<(), ServerError> {
        let Some(account) = account else { return Ok(()) };
        let given = std::os::unix::fs::chown(folder, Some(account.uid), Some(account.gid));
        given.map_err(|source| Kind::Io { what: "give away", path: folder.to_owned(), source }.into())
    }

    /// Makes `command` run as `account`, in a folder that everybody may enter.
    pub(super) fn apply(account: Option<&Self>, command: &mut Command) {
        command.current_dir("/");
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\n\
        nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin\n";

    #[test]
    fn postgres_is_preferred_to_nobody() {
        let passwd = format!("{PASSWD}postgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\n");
        assert_eq!(Account::choose(&passwd), Some(Account { uid: 101, gid: 104 }));
        assert_eq!(Account::choose(PASSWD), Some(Account { uid: 65534, gid: 65533 }));
    }

    #[test]
    fn negative_ids_of_macos_are_understood() {
        let passwd = "nobody:*:-2:-2:Unprivileged User:/var/empty:/usr/bin/false\n";
        assert_eq!(Account::choose(passwd), Some(Account { uid: u32::MAX - 1, gid: u32::MAX - 1 }));
    }

    #[test]
    fn no_account_and_roots_own_id_are_no_choice() {
        assert_eq!(Account::choose("root:x:0:0::/root:/bin/sh"), None);
        assert_eq!(Account::choose("postgres:x:0:0::/:/bin/sh\nbroken"), None);
    }
}
