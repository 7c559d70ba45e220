//! The values of directives, each read from its text.

use std::borrow::Cow;
use std::time::Duration;

use crate::{Checksum, Need, Version};

/// A migration that another one requires, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// The context, unless it is the requiring migration's own.
    pub(crate) context: Option<String>,
    pub(crate) version: String,
    /// Where in the script it stands.
    pub(crate) offset: usize,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where in the script, if not at the value's beginning.
    pub(crate) place: Option<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
}

pub(crate) fn fault(message: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { place: None, message: message.into(), help: help.into() }
}

pub(crate) fn fault_at(place: usize, message: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { place: Some(place), ..fault(message, help) }
}

/// `treasury:01_treasury_core, 02_accounts`; `offset` is where the value stands.
pub(crate) fn requirements(value: &str, offset: usize) -> Result<Vec<Requirement>, Fault> {
    let mut requirements = Vec::new();
    for (item, place) in items(value, offset) {
        let (context, version) = match item.split_once(':') {
            Some((context, version)) => (Some(context.trim().to_owned()), version.trim()),
            None => (None, item),
        };
        let odd = |text: &str| text.is_empty() || text.contains([':', ' ', '\t']);
        if odd(version) || context.as_deref().is_some_and(odd) {
            return Err(fault_at(
                place,
                "this is not the name of a migration",
                "write `context:version` or `version`, with commas between several",
            ));
        }
        let version = version.strip_suffix(".sql").unwrap_or(version).to_owned();
        requirements.push(Requirement { context, version, offset: place });
    }
    Ok(requirements)
}

/// `0001_accounts, 0002_entries`; `offset` is where the value stands. Each comes with its own place.
pub(crate) fn replaced(value: &str, offset: usize) -> Result<Vec<(Version, usize)>, Fault> {
    let mut versions = Vec::new();
    for (item, place) in items(value, offset) {
        let version = item.strip_suffix(".sql").unwrap_or(item);
        let help = match version {
            version if version.contains("..") => {
                "name each version: a range cannot tell which ones there were"
            }
            version if version.contains(':') => {
                "write the version alone: a migration replaces those of its own context"
            }
            version
                if version.starts_with(|first: char| first.is_ascii_digit())
                    && !version.contains(char::is_whitespace) =>
            {
                versions.push((Version::new(version.to_owned()), place));
                continue;
            }
            _ => {
                "write versions with their numbers and with commas between several: 0001_accounts, 0002_entries"
            }
        };
        return Err(fault_at(place, "this is not the version of a migration", help));
    }
    Ok(versions)
}

/// `schema, app_role`; `offset` is where the value stands. Each comes with its own place.
pub(crate) fn placeholders(value: &str, offset: usize) -> Result<Vec<(String, usize)>, Fault> {
    let mut names = Vec::new();
    for (item, place) in items(value, offset) {
        if !is_name(item) {
            let help = match item.split(':').next().map(str::trim) {
                // The kind belongs to where the value goes: one name may be used as both.
                Some(name) if is_name(name) && item.contains(':') => {
                    format!("declare `{name}` alone; the kind stands where it is used")
                }
                _ => "a name has letters, digits and `_`, and begins with no digit: schema, app_role"
                    .to_owned(),
            };
            return Err(fault_at(place, "this is not the name of a placeholder", help));
        }
        names.push((item.to_owned(), place));
    }
    Ok(names)
}

/// Whether a placeholder may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What stands between the commas of a value, and where in the script.
fn items(value: &str, offset: usize) -> impl Iterator<Item = (&str, usize)> {
    let mut at = offset;
    value.split(',').map(move |item| {
        let place = at + item.len() - item.trim_start().len();
        at += item.len() + 1;
        (item.trim(), place.min(offset + value.len()))
    })
}

/// `2s`, `10min`: a number and a unit, as PostgreSQL writes them.
pub(crate) fn timeout(value: &str) -> Result<Duration, Fault> {
    let help = "write a whole number with its unit: 500ms, 2s, 10min, 1h";
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let factor = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "" if digits > 0 => return Err(fault("the timeout lacks its unit", help)),
        _ => return Err(fault("this is no timeout", help)),
    };
    if digits == 0 {
        return Err(fault("the timeout lacks its number", help));
    }
    // The server keeps milliseconds in 31 bits.
    let milliseconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    match milliseconds.filter(|&milliseconds| milliseconds <= i32::MAX as u64) {
        Some(0) => Err(fault("a timeout of 0 would mean none at all", help)),
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        None => Err(fault("the timeout is longer than PostgreSQL allows", "596h is the most")),
    }
}

/// The name of a role, without quotes, exactly as the server has it.
pub(crate) fn role(value: &str) -> Result<String, Fault> {
    if value == "none" {
        // SET ROLE reads it as a key word even in quotes.
        return Err(fault("`none` is no role", "leave the line out to run as the role that connected"));
    }
    if value.contains(['"', '\'']) || value.chars().any(char::is_control) {
        return Err(fault(
            "this is not the name of a role",
            "write the name without quotes, as `\\du` shows it",
        ));
    }
    // The server would cut a longer name, and might find another role by it.
    if value.len() > 63 {
        return Err(fault("the role's name is longer than 63 bytes", "PostgreSQL has no longer names"));
    }
    Ok(value.to_owned())
}

/// `development, test`.
pub(crate) fn environments(value: &str) -> Result<Vec<Cow<'static, str>>, Fault> {
    let mut names = Vec::new();
    for name in value.split(',').map(str::trim) {
        let odd = |character: char| !character.is_alphanumeric() && !matches!(character, '_' | '-');
        if name.is_empty() || name.contains(odd) {
            let help =
                "write names of letters, digits, `_` and `-`, with commas between several: development, test";
            return Err(fault("this is no list of environments", help));
        }
        names.push(Cow::Owned(name.to_owned()));
    }
    Ok(names)
}

/// `sha256:…, sha256:…`.
pub(crate) fn checksums(value: &str) -> Result<Vec<Checksum>, Fault> {
    let read = |item: &str| item.trim().parse();
    value.split(',').map(read).collect::<Result<_, _>>().map_err(|reason: crate::ParseChecksumError| {
        fault("this is no checksum", format!("{reason}; the tracker's column `checksum` shows it"))
    })
}

/// `postgres>=15, extension pgcrypto`.
pub(crate) fn needs(value: &str) -> Result<Vec<Need>, Fault> {
    value.split(',').map(|item| need(item.trim())).collect()
}

fn need(item: &str) -> Result<Need, Fault> {
    if let Some(version) =
        item.strip_prefix("postgres").map(str::trim_start).and_then(|rest| rest.strip_prefix(">="))
    {
        return match version.trim().parse() {
            Ok(version @ 9..=999) => Ok(Need::Postgres(version)),
            _ => Err(fault("this is no major version of PostgreSQL", "write `postgres>=15`, for example")),
        };
    }
    match item.strip_prefix("extension").filter(|name| name.starts_with([' ', '\t'])).map(str::trim) {
        Some(name) if !name.is_empty() && name.len() <= 63 && !name.contains(['"', '\'', ' ', '\t']) => {
            Ok(Need::Extension(Cow::Owned(name.to_owned())))
        }
        Some(_) => {
            Err(fault("this is not the name of an extension", "write `extension pgcrypto`, without quotes"))
        }
        None => Err(fault(
            format!("there is no need `{}`", item.chars().take(60).collect::<String>()),
            "write `postgres>=15` or `extension pgcrypto`, with commas between several",
        )),
    }
}
