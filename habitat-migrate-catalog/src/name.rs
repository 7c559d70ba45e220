//! What a file's name says: [`FileName`].

use crate::{Kind, Version};

/// The name of a script, taken apart: `01_treasury_core.down.sql`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileName {
    pub(crate) version: Version,
    pub(crate) kind: Kind,
    pub(crate) role: Role,
}

/// What a script is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// It migrates: `01_name.sql`, `R__name.sql`.
    Up,
    /// It undoes: `01_name.down.sql`.
    Down,
    /// It verifies: `01_name.verify.sql`.
    Verify,
}

impl Role {
    /// The word for it in messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Up => "migration",
            Self::Down => "down script",
            Self::Verify => "verify script",
        }
    }

    /// The word for it in names of files.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Verify => "verify",
        }
    }

    /// How the names of its files end.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Up => ".sql",
            Self::Down => ".down.sql",
            Self::Verify => ".verify.sql",
        }
    }
}

/// What is wrong with a name, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadName {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl FileName {
    /// Takes a name apart that ends in `.sql`, in any case.
    pub(crate) fn parse(name: &str) -> Result<Self, BadName> {
        let (stem, extension) = name.split_at(name.len().saturating_sub(4));
        if extension != ".sql" {
            return Err(bad("its ending is not lower-case", format!("rename it to `{stem}.sql`")));
        }
        let (stem, role) = match (stem.strip_suffix(".down"), stem.strip_suffix(".verify")) {
            (Some(stem), _) => (stem, Role::Down),
            (_, Some(stem)) => (stem, Role::Verify),
            _ => (stem, Role::Up),
        };
        if stem.len() > MAX_VERSION {
            return Err(bad(
                &format!("its version has {} bytes", stem.len()),
                format!("shorten it to {MAX_VERSION} bytes at most"),
            ));
        }
        let (kind, rest) = match stem.strip_prefix("R__") {
            Some(rest) => (Kind::Repeatable, rest),
            None => (Kind::Versioned, versioned_name(stem, role)?),
        };
        if let Some(wrong) = rest.chars().find(|&character| !may_stand_in_a_name(character)) {
            return Err(wrong_character(stem, role, wrong));
        }
        if rest.is_empty() {
            return Err(bad(
                "nothing stands behind its number",
                format!("name it, `{stem}create_accounts.sql` say"),
            ));
        }
        if kind == Kind::Repeatable && role == Role::Down {
            return Err(bad(
                "a repeatable migration has no down script",
                "remove it; to undo a repeatable one, change its script".to_owned(),
            ));
        }
        Ok(Self { version: Version::new(stem.to_owned()), kind, role })
    }
}

/// The history keeps versions in a btree, and messages show them.
pub(crate) const MAX_VERSION: usize = 200;

/// What stands behind the number and its underscore.
fn versioned_name(stem: &str, role: Role) -> Result<&str, BadName> {
    let digits = stem.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = stem.split_at(digits);
    if let Some(name) = rest.strip_prefix('_').filter(|_| digits > 0) {
        return Ok(name);
    }
    let suffix = role.suffix();
    let message = "it is not named `<number>_<name>.sql`";
    if digits == 0 {
        return Err(foreign_layout(stem, suffix).unwrap_or_else(|| {
            let name = tidy(stem);
            bad(
                message,
                format!(
                    "a versioned migration begins with its number, `01_{name}{suffix}`; \
                     one that runs whenever it changes is called `R__{name}{suffix}`"
                ),
            )
        }));
    }
    if rest.is_empty() {
        return Err(bad(message, format!("name it, `{number}_create_accounts{suffix}` say")));
    }
    if let Some(up) = rest.strip_suffix(".up").filter(|up| up.is_empty()) {
        return Err(bad(message, format!("rename it to `{number}_create_accounts{up}.sql`")));
    }
    // `2024-05-01-120000_name` is a number with marks in it.
    let marked = rest.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.')).count();
    let (more, name) = rest.split_at(marked);
    let number: String = number.chars().chain(more.chars().filter(char::is_ascii_digit)).collect();
    Err(bad(message, format!("rename it to `{number}_{}{suffix}`", tidy(name))))
}

/// The layouts of other tools, for a folder that is not loaded as theirs.
fn foreign_layout(stem: &str, suffix: &str) -> Option<BadName> {
    let layout = |tool: &str, rename: String| {
        bad(&format!("it is named as {tool} does"), format!("{rename}, or name the layout of the folder"))
    };
    if let "up" | "down" = stem {
        let suffix = if stem == "up" { ".sql" } else { ".down.sql" };
        return Some(layout(
            "diesel",
            format!("rename it to `<number>_<name>{suffix}`, outside of its folder"),
        ));
    }
    let (first, rest) = (stem.chars().next()?, stem.get(1..)?);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, name) = rest.split_at(digits);
    let name = tidy(name);
    match first.to_ascii_uppercase() {
        'V' if digits > 0 => {
            Some(layout("flyway and refinery", format!("rename it to `{number}_{name}{suffix}`")))
        }
        'U' if digits > 0 => {
            Some(layout("flyway and refinery", format!("rename it to `{number}_{name}.down.sql`")))
        }
        'R' if rest.starts_with('_') => Some(bad(
            "it is not named `R__<name>.sql`",
            format!("a repeatable migration has a capital R and two underscores: `R__{name}{suffix}`"),
        )),
        _ => None,
    }
}

fn wrong_character(stem: &str, role: Role, wrong: char) -> BadName {
    let suffix = role.suffix();
    let Some((name, ending)) = stem.rsplit_once('.') else {
        let message = format!("its name holds {wrong:?}");
        return bad(&message, format!("use letters, digits, `_` and `-`: `{}{suffix}`", tidy(stem)));
    };
    let name = tidy(name);
    let meant = match ending.to_ascii_lowercase().as_str() {
        "up" | "do" => {
            return bad(
                "it is named as sqlx and other tools do",
                format!("rename it to `{name}.sql`, or name the layout of the folder"),
            );
        }
        "undo" | "revert" | "rollback" => Some("down"),
        ending => crate::suggestion::nearest(ending, ["down", "verify"]),
    };
    let message = format!("`.{}` is no ending that scripts have", printable(ending));
    match meant {
        Some(meant) => bad(&message, format!("rename it to `{name}.{meant}.sql`")),
        None => bad(
            &message,
            format!("only `.down.sql` and `.verify.sql` have a dot: rename it to `{}{suffix}`", tidy(stem)),
        ),
    }
}

fn may_stand_in_a_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-')
}

/// A name of allowed characters only that is as near as can be.
pub(crate) fn tidy(name: &str) -> String {
    let name: String =
        name.chars().map(|character| if may_stand_in_a_name(character) { character } else { '_' }).collect();
    match name.trim_matches(['_', '-']) {
        "" => "create_accounts".to_owned(),
        name => name.to_owned(),
    }
}

fn printable(text: &str) -> String {
    text.chars().flat_map(char::escape_default).take(40).collect()
}

pub(crate) fn bad(message: &str, help: String) -> BadName {
    BadName { message: message.to_owned(), help }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str) -> (String, Kind, Role) {
        let name = FileName::parse(name).expect("a good name");
        (name.version.to_string(), name.kind, name.role)
    }

    fn help(name: &str) -> String {
        FileName::parse(name).expect_err("a bad name").help
    }

    #[test]
    fn names_are_taken_apart() {
        use Kind::{Repeatable, Versioned};
        assert_eq!(parsed("01_a.sql"), ("01_a".into(), Versioned, Role::Up));
        assert_eq!(
            parsed("20240501120000_a-b.down.sql"),
            ("20240501120000_a-b".into(), Versioned, Role::Down)
        );
        assert_eq!(parsed("01_a.verify.sql"), ("01_a".into(), Versioned, Role::Verify));
        assert_eq!(parsed("R__balances.sql"), ("R__balances".into(), Repeatable, Role::Up));
        assert_eq!(parsed("R__balances.verify.sql"), ("R__balances".into(), Repeatable, Role::Verify));
        assert_eq!(parsed("1_größe.sql"), ("1_größe".into(), Versioned, Role::Up));
    }

    #[test]
    fn r42_numbers_have_any_length() {
        for number in ["1", "0001", "20240501120000", "00000000000000000001", "99999999999999999999999"] {
            assert_eq!(parsed(&format!("{number}_a.sql")).0, format!("{number}_a"));
        }
    }

    #[test]
    fn r42_a_version_that_is_too_long_is_refused() {
        let name = format!("1_{}.sql", "a".repeat(199));
        assert!(FileName::parse(&name).expect_err("201 bytes").message.contains("201 bytes"));
    }

    #[test]
    fn a_bad_name_is_answered_with_a_good_one() {
        for (name, good) in [
            ("01-name.sql", "`01_name.sql`"),
            ("01.name.sql", "`01_name.sql`"),
            ("01 name.sql", "`01_name.sql`"),
            ("01name.down.sql", "`01_name.down.sql`"),
            ("2024-05-01-120000_a.sql", "`20240501120000_a.sql`"),
            ("0001.sql", "`0001_create_accounts.sql`"),
            ("01_.sql", "`01_create_accounts.sql`"),
            ("accounts.sql", "`01_accounts.sql`"),
            ("01_a.SQL", "`01_a.sql`"),
            ("V1__a.sql", "`1_a.sql`"),
            ("U1__a.sql", "`1_a.down.sql`"),
            ("01_a.up.sql", "`01_a.sql`"),
            ("up.sql", "`<number>_<name>.sql`"),
            ("r__a.sql", "`R__a.sql`"),
            ("R_a.sql", "`R__a.sql`"),
            ("01_a.donw.sql", "`01_a.down.sql`"),
            ("01_a.Verify.sql", "`01_a.verify.sql`"),
            ("01_a.undo.sql", "`01_a.down.sql`"),
            ("01_a.b.sql", "`01_a_b.sql`"),
            ("01_a b.sql", "`01_a_b.sql`"),
        ] {
            assert!(help(name).contains(good), "{name}: {}", help(name));
        }
    }

    #[test]
    fn a_repeatable_migration_has_no_down_script() {
        assert!(FileName::parse("R__a.down.sql").is_err());
    }
}
