//! Names of files in the layouts of other tools: [`parse`].

use super::{Layout, name_it};
use crate::name::{BadName, FileName, MAX_VERSION, Role, bad, tidy};
use crate::suggestion::nearest;
use crate::{Kind, Version};

/// Takes the name of a script apart; `folder` is the one that it lies in, for layouts with a folder for each migration.
pub(crate) fn parse(layout: Layout, folder: Option<&str>, name: &str) -> Result<FileName, BadName> {
    let (stem, extension) = name.split_at(name.len().saturating_sub(4));
    if layout == Layout::Habitat || extension != ".sql" {
        return FileName::parse(name);
    }
    let (version, kind, role) = match layout {
        Layout::Diesel => diesel(folder, stem)?,
        _ if stem.starts_with("R__") => repeatable(layout, stem)?,
        Layout::Refinery | Layout::Flyway => prefixed(layout, stem)?,
        _ => numbered(layout, stem)?,
    };
    if version.len() > MAX_VERSION {
        return Err(bad(
            &format!("its version has {} bytes", version.len()),
            format!("shorten it to {MAX_VERSION} bytes at most"),
        ));
    }
    Ok(FileName { version: Version::new(version), kind, role })
}

type Parsed = (String, Kind, Role);

/// `2024-01-31-000000_name/up.sql`; what stands before the first underscore counts without its hyphens.
fn diesel(folder: Option<&str>, stem: &str) -> Result<Parsed, BadName> {
    let role = match stem {
        "up" => Role::Up,
        "down" => Role::Down,
        "verify" => Role::Verify,
        _ => {
            let help = match nearest(stem, ["up", "down", "verify"]) {
                Some(meant) => format!("did you mean `{meant}.sql`?"),
                None => {
                    "a migration is a folder `2024-01-31-000000_name` with `up.sql` and `down.sql`".to_owned()
                }
            };
            return Err(bad("it is no script of diesel's layout", help));
        }
    };
    let Some(folder) = folder else {
        let help = "put it into a folder of its own, `2024-01-31-000000_create_accounts` say";
        return Err(bad("it lies in no folder that names its migration", help.to_owned()));
    };
    let (number, name) = folder.split_once('_').unwrap_or((folder, ""));
    let digits: String = number.chars().filter(|character| *character != '-').collect();
    let (Some(name), true) = (cleaned(name), is_number(&digits)) else {
        let help = format!("rename the folder to `2024-01-31-000000_{}`, say", tidy(folder));
        return Err(bad("its folder is not named `<number>_<name>`", help));
    };
    Ok((format!("{digits}_{name}"), Kind::Versioned, role))
}

/// `R__name.sql`.
fn repeatable(layout: Layout, stem: &str) -> Result<Parsed, BadName> {
    let (stem, role) = ending(layout, stem, &[Role::Verify])?;
    match cleaned(&stem[3..]) {
        Some(name) => Ok((format!("R__{name}"), Kind::Repeatable, role)),
        None => Err(bad("nothing stands behind its prefix", "name it, `R__balances.sql` say".to_owned())),
    }
}

/// `V1__name.sql`, `V1.2__name.sql`, `U1__name.sql`.
fn prefixed(layout: Layout, stem: &str) -> Result<Parsed, BadName> {
    let shape = if layout == Layout::Flyway { "V<version>__<name>.sql" } else { "V<number>__<name>.sql" };
    let message = format!("it is not named `{shape}`, as {} does", layout.tool());
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        let name = tidy(&stem[digits..]);
        return Err(bad(&message, format!("rename it to `V{}__{name}.sql`", &stem[..digits])));
    }
    let (prefix, number, rest) =
        match (stem.chars().next(), stem.get(1..).and_then(|rest| rest.split_once("__"))) {
            (Some(prefix @ ('V' | 'U')), Some((number, rest))) => (prefix, number, rest),
            _ => return Err(bad(&message, misnamed(stem))),
        };
    let number = number.replace('_', ".");
    let parts = number.split('.').collect::<Vec<_>>();
    if !parts.iter().all(|part| is_number(part)) {
        return Err(bad(&message, misnamed(stem)));
    }
    if layout == Layout::Refinery && parts.len() > 1 {
        let help = format!(
            "give it a whole number; if this is a folder of Flyway's, say so: {}",
            name_it(Layout::Flyway)
        );
        return Err(bad("refinery's versions are whole numbers", help));
    }
    // In refinery U is a migration that may come late; in Flyway it undoes.
    let undoes = prefix == 'U' && layout == Layout::Flyway;
    let allowed: &[Role] = match layout {
        _ if undoes => &[],
        Layout::Flyway => &[Role::Verify],
        // refinery itself undoes nothing and passes such a file by.
        _ => &[Role::Down, Role::Verify],
    };
    let (rest, role) = ending(layout, rest, allowed)?;
    let role = if undoes { Role::Down } else { role };
    match cleaned(rest) {
        Some(name) => Ok((format!("{number}_{name}"), Kind::Versioned, role)),
        None => Err(bad(
            "nothing stands behind its number",
            format!("name it, `{prefix}{number}__create_accounts.sql` say"),
        )),
    }
}

/// What to do about a name without a good prefix.
fn misnamed(stem: &str) -> String {
    // `beforeMigrate.sql`, `afterEachMigrate__name.sql`
    if ["before", "after"].iter().any(|when| stem.starts_with(when)) {
        return "callbacks of Flyway are not run; put its statements into a migration, a repeatable one say"
            .to_owned();
    }
    let rest = stem.trim_start_matches(|character: char| character.is_ascii_alphabetic());
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = if digits == 0 { "1" } else { &rest[..digits] };
    let name = tidy(if digits == 0 { stem } else { &rest[digits..] });
    format!(
        "rename it to `V{number}__{name}.sql`; one that runs whenever it changes is called `R__{name}.sql`"
    )
}

/// `1_name.sql`, `1_name.up.sql`, `1_name.down.sql`.
fn numbered(layout: Layout, stem: &str) -> Result<Parsed, BadName> {
    let allowed: &[Role] = match layout.has_sections() {
        true => &[Role::Verify],
        false => &[Role::Up, Role::Down, Role::Verify],
    };
    let (named, role) = ending(layout, stem, allowed)?;
    if layout == Layout::GolangMigrate && named == stem {
        return Err(bad(
            "it says neither `.up` nor `.down`, and golang-migrate would not read it",
            format!("rename it to `{}.up.sql`", tidy(stem)),
        ));
    }
    let digits = named.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = named.split_at(digits);
    let message =
        format!("it is not named `<number>_<name>{}`, as {} does", written(layout, role), layout.tool());
    match (digits, rest.strip_prefix('_').map(cleaned)) {
        (1.., Some(Some(name))) => Ok((format!("{number}_{name}"), Kind::Versioned, role)),
        (0, _) => {
            Err(bad(&message, format!("rename it to `1_{}{}`, say", tidy(named), written(layout, role))))
        }
        _ => Err(bad(&message, format!("rename it to `{number}_{}{}`", tidy(rest), written(layout, role)))),
    }
}

/// The ending that a layout writes.
fn written(layout: Layout, role: Role) -> &'static str {
    match (layout, role) {
        (Layout::GolangMigrate, Role::Up) => ".up.sql",
        (_, role) => role.suffix(),
    }
}

/// Takes off the ending that says what a script is for.
fn ending<'a>(layout: Layout, stem: &'a str, allowed: &[Role]) -> Result<(&'a str, Role), BadName> {
    let Some((name, ending)) = stem.rsplit_once('.') else { return Ok((stem, Role::Up)) };
    if let Some(&role) = allowed.iter().find(|role| role.word() == ending) {
        return Ok((name, role));
    }
    let lower = ending.to_ascii_lowercase();
    let meant = match lower.as_str() {
        "undo" | "revert" | "rollback" => Some("down"),
        "do" => Some("up"),
        ending => nearest(ending, ["up", "down", "verify"]),
    };
    // Any other dot belongs to the name.
    let Some(meant) = meant else { return Ok((stem, Role::Up)) };
    let message = format!("`.{}` is no ending that scripts of {} have", short(ending), layout.tool());
    let help = match (allowed.iter().any(|role| role.word() == meant), layout) {
        (true, _) => format!("rename it to `{}.{meant}.sql`", tidy_stem(name)),
        (_, Layout::Dbmate) => "write `-- migrate:up` and `-- migrate:down` into one file".to_owned(),
        (_, Layout::Goose) => "write `-- +goose Up` and `-- +goose Down` into one file".to_owned(),
        (_, Layout::Flyway) => {
            "a migration begins with V, what undoes it with U, and what runs whenever it changes with R__"
                .to_owned()
        }
        _ => format!("remove `.{}`; {} knows no such script", short(ending), layout.tool()),
    };
    Err(bad(&message, help))
}

/// A stem for display, without what a terminal would obey.
fn tidy_stem(stem: &str) -> String {
    stem.chars().map(|character| if character.is_control() { '_' } else { character }).take(200).collect()
}

fn short(text: &str) -> String {
    text.chars().flat_map(char::escape_default).take(40).collect()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name of characters that a version has; `None` where there is no letter or digit in it.
fn cleaned(name: &str) -> Option<String> {
    let kept =
        |character: char| if character.is_alphanumeric() || character == '-' { character } else { '_' };
    name.contains(char::is_alphanumeric).then(|| name.chars().map(kept).collect())
}
