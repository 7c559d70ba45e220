//! Passwords of roles: where they come from, how they get to the server, how they change.

use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::access::AccessError;
use super::declaration::Declaration;
use super::role::Password as Source;
use super::scram;
use super::secret::{self, Written};
use crate::client::{Client, Failure};
use crate::sql::{Ident, Literal};

/// A role's password, which nothing shows: neither `Debug` nor an error, and its memory is wiped when it is dropped.
///
/// Any character is good in it but NUL and line breaks, which no file of connections could hold.
///
/// ```
/// use habitat_migrate::provision::Password;
///
/// let password = Password::generate()?;
/// assert_eq!(password.expose().len(), 43);
/// assert_eq!(format!("{password:?}"), "Password(…)");
/// # Ok::<(), habitat_migrate::provision::AccessError>(())
/// ```
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::AccessErrorKind::Invalid) where it is empty, has NUL or a line break, or one of some three hundred rare characters
    /// that libpq and Rust's drivers [prepare](https://www.rfc-editor.org/rfc/rfc4013) differently, so that one of them could not log in.
    pub fn new(text: impl Into<String>) -> Result<Self, AccessError> {
        let password = Self(Zeroizing::new(text.into()));
        let why = match password.expose() {
            "" => "it is empty",
            text if text.contains('\0') => "it has NUL in it",
            text if text.contains(['\r', '\n']) => "it has a line break in it",
            text if !scram::is_agreed(text) => {
                "it has a character that clients do not agree on how to prepare"
            }
            _ => return Ok(password),
        };
        Err(AccessError::invalid(format!("the password cannot be used: {why}")))
    }

    /// Makes a password of 32 random bytes of the system, in 43 characters that mean nothing to a shell, a URL or YAML.
    ///
    /// # Errors
    ///
    /// [`File`](super::AccessErrorKind::File) where the system has no random bytes.
    pub fn generate() -> Result<Self, AccessError> {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            getrandom::fill(&mut *bytes)
                .map_err(|error| AccessError::io("no random bytes", std::io::Error::other(error)))?;
            let text = URL_SAFE_NO_PAD.encode(*bytes);
            // Many a program would take a first `-` for an option.
            if !text.starts_with('-') {
                return Self::new(text);
            }
        }
    }

    /// Takes the password that an environment variable holds.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::AccessErrorKind::Invalid) where there is none, and those of [`Password::new`].
    pub fn from_env(name: &str) -> Result<Self, AccessError> {
        let text = std::env::var(name).map_err(|error| {
            // The error's own text would show what is not UTF-8.
            let why = if error == std::env::VarError::NotPresent { "is not set" } else { "is not UTF-8" };
            AccessError::invalid(format!("the environment variable {name} {why}"))
        })?;
        Self::new(text)
            .map_err(|error| AccessError::invalid(format!("the environment variable {name}: {error}")))
    }

    /// Takes the password that a file holds: its one line, whose end is not part of it.
    ///
    /// # Errors
    ///
    /// [`File`](super::AccessErrorKind::File) where it is not there, is a symbolic link, or others than its owner may read it, and
    /// those of [`Password::new`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, AccessError> {
        let path = path.as_ref();
        Self::read(path)?.ok_or_else(|| AccessError::file(format!("{} is not there", path.display())))
    }

    /// Takes the password that a file holds; where it is not there, makes one and writes it there first.
    ///
    /// Two processes that do this at once have the same password.
    ///
    /// # Errors
    ///
    /// Those of [`Password::from_file`] and [`Password::generate`].
    pub fn from_file_or_generate(path: impl AsRef<Path>) -> Result<Self, AccessError> {
        let path = path.as_ref();
        if let Some(password) = Self::read(path)? {
            return Ok(password);
        }
        let password = Self::generate()?;
        if secret::create(path, &password.line())? { Ok(password) } else { Self::from_file(path) }
    }

    /// Writes it to a file that its owner alone may read.
    ///
    /// # Errors
    ///
    /// [`File`](super::AccessErrorKind::File) where that is not possible, or the file that is there is a symbolic link or open to others.
    pub fn write_to(&self, path: impl AsRef<Path>) -> Result<Written, AccessError> {
        secret::write(path.as_ref(), &self.line())
    }

    /// The password, in clear.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn read(path: &Path) -> Result<Option<Self>, AccessError> {
        let Some(text) = secret::read(path)? else { return Ok(None) };
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let password = Self::new(line);
        password.map(Some).map_err(|error| AccessError::invalid(format!("{}: {error}", path.display())))
    }

    fn line(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}\n", self.expose()))
    }
}

impl Source {
    /// The password that a declaration names the source of; makes it where that is said, and it is not there.
    ///
    /// # Errors
    ///
    /// Those of [`Password::from_env`], [`Password::from_file`] and [`Password::from_file_or_generate`].
    pub fn load(&self) -> Result<Password, AccessError> {
        match self {
            Self::Variable(name) => Password::from_env(name),
            Self::File(path) => Password::from_file(path),
            Self::Generate(path) => Password::from_file_or_generate(path),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What became of a role's password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordChange {
    /// The server's verifier was one of this password: it was left as it is.
    Unchanged,
    /// The role had none, another one, or one that was kept as an MD5 hash.
    Changed,
    /// It was set without a look at the one before it, for which a superuser's rights are needed.
    Unseen,
}

/// Gives a role a password, unless it has it: the server gets a SCRAM verifier, and never the password.
///
/// It is one statement and may be part of a transaction. Who may not read `pg_authid` sets it each time; log in with it first, to
/// see whether that is needed.
///
/// # Errors
///
/// [`Server`](super::AccessErrorKind::Server) where there is no such role or it may not be changed,
/// [`Lost`](super::AccessErrorKind::Lost).
///
/// # Cancellation
///
/// The statement may have been sent by then.
pub fn set_password<'a, C: Client>(
    client: &'a mut C,
    role: &'a str,
    password: &'a Password,
) -> C::Outcome<'a, Result<PasswordChange, AccessError>> {
    C::complete(Box::pin(set(client, role, password)))
}

/// Gives every role of a declaration the password that its source has, unless it has it; tells what became of each role that has a source.
///
/// All passwords are read, or made, before the first is set; the roles must be there, so call it behind
/// [`Provision::apply`](super::Provision::apply).
///
/// # Errors
///
/// Those of [`PasswordSource::load`](super::PasswordSource::load), with nothing set, and of [`set_password`]; roles before the one that
/// failed have their passwords then.
///
/// # Cancellation
///
/// As [`set_password`].
pub fn set_passwords<'a, C: Client>(
    client: &'a mut C,
    declaration: &'a Declaration,
) -> C::Outcome<'a, Result<Vec<(String, PasswordChange)>, AccessError>> {
    C::complete(Box::pin(async move {
        let sourced = declaration.roles().iter().filter_map(|role| Some((role, role.password_source()?)));
        let loaded = sourced.map(|(role, source)| match source.load() {
            Ok(password) => Ok((role.name(), password)),
            Err(error) => Err(error.about(&format!("the password of {:?} is not set", role.name()))),
        });
        let mut changes = Vec::new();
        for (role, password) in loaded.collect::<Result<Vec<_>, _>>()? {
            changes.push((role.to_owned(), set(client, role, &password).await?));
        }
        Ok(changes)
    }))
}

/// Gives a role a new, generated password, and writes it to the file. Also what ends a rotation that was broken off.
///
/// The password is written to a file beside it, whose name ends in `.pending`, then the server has it, then that file takes the
/// place of `file`. Wherever this is broken off, the role's password is in one of the two; a rotation that finds a pending file
/// goes on with the password in it. A transaction that is rolled back afterwards makes the file wrong: call it in none.
///
/// # Errors
///
/// Those of [`set_password`] and [`Password::write_to`]. The role has the password of `file` or of the pending file.
///
/// # Cancellation
///
/// As after an error: call it again.
pub fn rotate<'a, C: Client>(
    client: &'a mut C,
    role: &'a str,
    file: &'a Path,
) -> C::Outcome<'a, Result<Password, AccessError>> {
    C::complete(Box::pin(async move {
        let pending = pending(file);
        // Looked at before anything changes: a file that cannot be replaced is a reason not to begin.
        secret::read(file)?;
        let password = Password::from_file_or_generate(&pending)?;
        set(client, role, &password).await?;
        if secret::promote(&pending, file)? {
            return Ok(password);
        }
        // Another process has ended this rotation, and maybe another one since: what the file says is right.
        let password = Password::from_file(file)?;
        set(client, role, &password).await?;
        Ok(password)
    }))
}

async fn set<C: Client>(
    client: &mut C,
    role: &str,
    password: &Password,
) -> Result<PasswordChange, AccessError> {
    let failed =
        |failure: Failure| AccessError::database(format!("the password of {role:?} is not set"), failure);
    let mut change = PasswordChange::Unseen;
    // Asked first: a refusal would abort the caller's transaction.
    let reply = client.run(MAY_READ).await.map_err(failed)?;
    if reply.first("may read").is_some_and(|row| row.is_true(1)) {
        let reply = client.run(&stored(role)).await.map_err(failed)?;
        let kept = reply.first("stored").and_then(|row| row.value(1));
        if kept.is_some_and(|kept| scram::accepts(kept, password.expose())) {
            return Ok(PasswordChange::Unchanged);
        }
        change = PasswordChange::Changed;
    }
    let verifier = scram::verifier(password.expose());
    let alter = Zeroizing::new(format!("ALTER ROLE {} PASSWORD {}", Ident(role), Literal(&verifier)));
    client.run(&alter).await.map_err(failed)?;
    Ok(change)
}

fn stored(role: &str) -> String {
    format!(
        "SELECT 'stored' AS \"habitat-migrate\", rolpassword FROM pg_catalog.pg_authid WHERE rolname = {}",
        Literal(role)
    )
}

fn pending(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".pending");
    name.into()
}

const MAY_READ: &str = "SELECT 'may read' AS \"habitat-migrate\", \
     pg_catalog.has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r47_nothing_shows_a_password() {
        let password = Password::new("hunter2 'x").expect("a password");
        assert_eq!(format!("{password:?} {password:#?}"), "Password(…) Password(…)");
        for bad in ["", "a\0hunter2", "hunter2\nb", "\rhunter2", "\u{ad}"] {
            let error = Password::new(bad).expect_err("a refusal");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_generated_password_is_another_each_time_and_safe_everywhere() {
        let made: std::collections::HashSet<_> =
            (0..50).map(|_| Password::generate().expect("random").expose().to_owned()).collect();
        assert_eq!(made.len(), 50);
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        assert!(made.iter().all(|text| text.len() == 43 && text.chars().all(safe) && !text.starts_with('-')));
    }

    #[test]
    fn a_password_is_generated_once_for_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("app");
        let first = Password::from_file_or_generate(&path).expect("made");
        assert_eq!(Password::from_file_or_generate(&path).expect("read").expose(), first.expose());
        let odd = Password::new(" a'\"\\$`@:/%é\u{1f600} ").expect("a password");
        assert_eq!(odd.write_to(&path).expect("written"), Written::Replaced);
        assert_eq!(Password::from_file(&path).expect("read").expose(), odd.expose());
    }
}
