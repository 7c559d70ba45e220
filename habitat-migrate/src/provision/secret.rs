//! Files that their owner alone may read: read with suspicion, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::access::AccessError;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was not there.
    Created,
    /// It had another text.
    Replaced,
    /// It had this text already; it was not touched.
    Unchanged,
}

/// The text of a private file; none where there is no such file.
///
/// A symbolic link, anything but a regular file, and a file that others than its owner may read are refused.
pub(super) fn read(path: &Path) -> Result<Option<Zeroizing<String>>, AccessError> {
    let mut file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(_) if path.is_symlink() => {
            return Err(AccessError::file(format!(
                "{} is a symbolic link: name the file itself",
                path.display()
            )));
        }
        Err(error) => return Err(AccessError::io(format!("{} cannot be read", path.display()), error)),
    };
    check(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text)
        .map_err(|error| AccessError::io(format!("{} cannot be read", path.display()), error))?;
    Ok(Some(text))
}

/// Writes a private file: mode 0600 from its creation, replaced in one step, and not at all where the text is there already.
pub(super) fn write(path: &Path, text: &str) -> Result<Written, AccessError> {
    let written = match read(path)? {
        Some(there) if *there == text => return Ok(Written::Unchanged),
        Some(_) => Written::Replaced,
        None => Written::Created,
    };
    let aside = Aside::write(path, text)?;
    fs::rename(&aside.0, path).map_err(|error| cannot_write(path, error))?;
    settle(path)?;
    Ok(written)
}

/// Writes a private file that must not be there: false, and nothing done, where it is.
pub(super) fn create(path: &Path, text: &str) -> Result<bool, AccessError> {
    let aside = Aside::write(path, text)?;
    // A link, unlike a renaming, does not replace; and who finds the file finds all of it.
    match fs::hard_link(&aside.0, path) {
        Ok(()) => settle(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(cannot_write(path, error)),
    }
}

/// Gives a private file its final name, over what was there: false where another process has done it.
pub(super) fn promote(from: &Path, to: &Path) -> Result<bool, AccessError> {
    read(to)?;
    match fs::rename(from, to) {
        Ok(()) => settle(to).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot_write(to, error)),
    }
}

/// A file beside the one that is meant, removed when it has not been renamed.
struct Aside(PathBuf);

impl Aside {
    fn write(path: &Path, text: &str) -> Result<Self, AccessError> {
        let name = path
            .file_name()
            .ok_or_else(|| AccessError::file(format!("{} does not name a file", path.display())))?;
        let folder = folder(path);
        make_folder(folder)
            .map_err(|error| AccessError::io(format!("{} cannot be made", folder.display()), error))?;
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| cannot_write(path, io::Error::other(error)))?;
        let mut aside = std::ffi::OsString::from(".");
        aside.push(name);
        aside.push(format!(".{:016x}", u64::from_ne_bytes(random)));
        let place = folder.join(aside);
        let mut file = create_new(&place).map_err(|error| cannot_write(path, error))?;
        let aside = Self(place);
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|error| cannot_write(path, error))?;
        Ok(aside)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        // After a renaming it is not there.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes the folder's entry last, so that a machine that stops keeps the name, too.
fn settle(path: &Path) -> Result<(), AccessError> {
    File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(|error| cannot_write(path, error))
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot_write(path: &Path, error: io::Error) -> AccessError {
    AccessError::io(format!("{} cannot be written", path.display()), error)
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt as _;

    // A pipe must not make us wait for its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

#[cfg(unix)]
fn check(path: &Path, file: &File) -> Result<(), AccessError> {
    use std::os::unix::fs::PermissionsExt as _;

    let about = file
        .metadata()
        .map_err(|error| AccessError::io(format!("{} cannot be read", path.display()), error))?;
    let mode = about.permissions().mode() & 0o777;
    if !about.is_file() {
        return Err(AccessError::file(format!("{} is not a regular file", path.display())));
    }
    if mode & 0o077 != 0 {
        return Err(AccessError::file(format!(
            "{path} has mode {mode:04o}, so others than its owner can use it: run `chmod 600 {path}`, and consider what it held as known",
            path = path.display()
        )));
    }
    Ok(())
}

#[cfg(unix)]
fn create_new(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
const NO_MODES: &str = "files that their owner alone may read are made on Unix only";

#[cfg(not(unix))]
fn open(_: &Path) -> io::Result<File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, NO_MODES))
}

#[cfg(not(unix))]
fn check(_: &Path, _: &File) -> Result<(), AccessError> {
    Ok(())
}

#[cfg(not(unix))]
fn create_new(_: &Path) -> io::Result<File> {
    Err(io::Error::new(io::ErrorKind::Unsupported, NO_MODES))
}

#[cfg(not(unix))]
fn make_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn r47_a_file_is_private_whole_and_written_only_when_it_differs() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/app");
        assert_eq!(write(&path, "one").expect("written"), Written::Created);
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        let before = fs::metadata(&path).expect("it is there").modified().expect("a time");
        assert_eq!(write(&path, "one").expect("written"), Written::Unchanged);
        assert_eq!(fs::metadata(&path).expect("it is there").modified().expect("a time"), before);
        assert_eq!(write(&path, "two").expect("written"), Written::Replaced);
        assert_eq!((fs::read_to_string(&path).expect("a text"), mode(&path)), ("two".to_owned(), 0o600));
        assert_eq!(
            fs::read_dir(path.parent().expect("a folder")).expect("entries").count(),
            1,
            "nothing beside it"
        );
    }

    #[test]
    fn r47_links_and_files_that_others_may_read_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link, open) =
            (folder.path().join("target"), folder.path().join("link"), folder.path().join("open"));
        write(&target, "kept").expect("written");
        symlink(&target, &link).expect("a link");
        for outcome in [write(&link, "lost").map(|_| ()), read(&link).map(|_| ())] {
            let error = outcome.expect_err("a refusal").to_string();
            assert!(error.contains("symbolic link"), "{error}");
        }
        assert_eq!(fs::read_to_string(&target).expect("a text"), "kept");
        for bad in [0o640, 0o604, 0o620, 0o660] {
            fs::write(&open, "x").expect("written");
            fs::set_permissions(&open, fs::Permissions::from_mode(bad)).expect("changed");
            let error = write(&open, "secret").expect_err("a refusal").to_string();
            assert!(error.contains(&format!("{bad:04o}")) && error.contains("chmod 600"), "{error}");
            assert_eq!(fs::read_to_string(&open).expect("a text"), "x");
        }
    }

    #[test]
    fn a_file_that_is_there_is_not_created_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pending");
        assert!(create(&path, "first").expect("created"));
        assert!(!create(&path, "second").expect("looked at"));
        assert_eq!((fs::read_to_string(&path).expect("a text"), mode(&path)), ("first".to_owned(), 0o600));
        assert_eq!(fs::read_dir(folder.path()).expect("entries").count(), 1);
    }
}
