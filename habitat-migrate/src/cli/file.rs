//! Results that go to a file: written in one step, so that nobody finds half of one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::answer::Answer;
use super::failure::Failure;

/// A text in a file, or on the standard output where none is named; `member` is its name in JSON.
pub(crate) fn or_printed(text: String, file: Option<&Path>, member: &str) -> Result<Answer, Failure> {
    let Some(path) = file else {
        let answer = Answer::exact(text.clone(), json!({ "file": null }));
        return Ok(answer.and(member, json!(text)));
    };
    Ok(written(path, &text)?.and(member, json!(null)))
}

/// Writes a file, and says so.
pub(crate) fn written(path: &Path, text: &str) -> Result<Answer, Failure> {
    write(path, text)?;
    let shown = path.display().to_string();
    Ok(Answer::new(format!("wrote {shown}"), json!({ "file": shown })))
}

/// Writes a file beside its place and puts it there. What fails leaves the file that was there.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, text.as_bytes()).map_err(|error| Failure::unwritten("write", path, &error))
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // A link stays, and what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let there = fs::metadata(&path).ok();
    // A pipe or a device takes what it is given, and a file that may not be written to says so.
    if there.as_ref().is_some_and(|there| !there.is_file() || there.permissions().readonly()) {
        return fs::write(&path, text);
    }
    let beside = beside(&path)?;
    let written = fs::write(&beside, text)
        .and_then(|()| there.map_or(Ok(()), |there| fs::set_permissions(&beside, there.permissions())))
        .and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A name in the same folder that no other process takes.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.new", std::process::id()));
    Ok(path.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::replace;

    #[cfg(unix)]
    #[test]
    fn a_file_is_replaced_with_its_rights_and_nothing_is_left_beside_it() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("schema.sql");
        replace(&path, b"one").expect("a new file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a file of one's own");
        let before = fs::metadata(&path).expect("a file");
        replace(&path, b"two").expect("the folder may be written to");
        let after = fs::metadata(&path).expect("a file");
        assert_eq!(fs::read(&path).expect("a file"), b"two");
        assert_eq!(after.mode() & 0o777, 0o640);
        assert_ne!(before.ino(), after.ino(), "another file is in its place: nobody has seen half of it");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn what_cannot_be_put_in_its_place_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("file"), "").expect("a file");
        assert!(replace(&folder.path().join("file/schema.sql"), b"one").is_err());
        assert!(replace(folder.path(), b"one").is_err(), "a folder is no file");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real.sql"), folder.path().join("link.sql"));
        fs::write(&real, "one").expect("a file");
        std::os::unix::fs::symlink(&real, &link).expect("a link");
        replace(&link, b"two").expect("written");
        assert_eq!(fs::read(&real).expect("a file"), b"two");
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    }
}
