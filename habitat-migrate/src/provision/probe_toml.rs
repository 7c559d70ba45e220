//! Probes in TOML: what is expected of roles, beside the declaration of what they are.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::access::AccessError;
use super::probe::{Expectation, Probe, Probes};
use super::probe_attempt::Attempt;

impl Probes {
    /// Reads the `[[probe]]` tables of a TOML file; other tables are not looked at.
    ///
    /// ```
    /// use habitat_migrate::provision::Probes;
    ///
    /// let text = r#"
    /// [[probe]]
    /// role = "habitat_write"
    /// settings = { "app.current_member_id" = "0b4c7a36-0000-4000-8000-000000000001" }
    /// may = ["update public.members", "see public.members"]
    /// must-not = ["delete public.members", "create table in public", "create database"]
    /// "#;
    /// assert!(Probes::from_toml("probes.toml", text).is_ok());
    ///
    /// let error = Probes::from_toml("probes.toml", "[[probe]]\nrole = \"app\"\nmay = [\"drop everything\"]").unwrap_err();
    /// assert!(error.to_string().starts_with("probes.toml:3:8: \"drop everything\" is nothing that can be tried"));
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::AccessErrorKind::Invalid) with every problem on a line of its own, each with file, line and column.
    pub fn from_toml(path: impl AsRef<Path>, text: &str) -> Result<Self, AccessError> {
        let mut reader = Reader { path: path.as_ref(), text, problems: Vec::new() };
        let probes = reader.probes();
        match reader.problems.is_empty() {
            true => Ok(Self(probes)),
            false => Err(AccessError::invalid(reader.problems.join("\n"))),
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn probes(&mut self) -> Vec<Probe> {
        let document = match DeTable::parse(self.text) {
            Ok(document) => document,
            Err(error) => {
                self.problem(error.span().map_or(0, |span| span.start), error.message());
                return Vec::new();
            }
        };
        let Some(tables) = document.get_ref().get("probe") else { return Vec::new() };
        let DeValue::Array(tables) = tables.get_ref() else {
            self.problem(tables.span().start, "`probe` is a list of tables: write [[probe]]");
            return Vec::new();
        };
        tables.iter().filter_map(|table| self.probe(table)).collect()
    }

    fn probe(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Probe> {
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(value.span().start, "a probe is a table: write [[probe]]");
            return None;
        };
        let mut probe = Probe::new("");
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "role" => probe.role = self.text(value).unwrap_or_default(),
                "settings" => probe.settings = self.settings(value),
                "may" => self.attempts(value, Expectation::May, &mut probe),
                "must-not" => self.attempts(value, Expectation::MustNot, &mut probe),
                other => {
                    let text =
                        format!("`{other}` is no key of a probe; there are role, settings, may, must-not");
                    self.problem(key.span().start, &text);
                }
            }
        }
        if !table.contains_key("role") {
            self.problem(value.span().start, "this probe has no `role`");
        }
        if !table.contains_key("may") && !table.contains_key("must-not") {
            self.problem(value.span().start, "this probe expects nothing: write `may` or `must-not`");
        }
        Some(probe)
    }

    fn settings(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<(String, String)> {
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(value.span().start, "`settings` is a table of texts");
            return Vec::new();
        };
        let setting = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, _)| {
            Some((key.get_ref().clone().into_owned(), self.text(value)?))
        };
        table.iter().filter_map(setting).collect()
    }

    fn attempts(&mut self, value: &Spanned<DeValue<'_>>, expectation: Expectation, probe: &mut Probe) {
        let DeValue::Array(values) = value.get_ref() else {
            return self.problem(value.span().start, &format!("`{expectation}` is a list of texts"));
        };
        for value in values {
            let Some(text) = self.text(value) else { continue };
            match text.parse::<Attempt>() {
                Ok(attempt) => probe.attempts.push((expectation, attempt)),
                Err(why) => self.problem(value.span().start, &why),
            }
        }
    }

    fn text(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let DeValue::String(text) = value.get_ref() else {
            self.problem(value.span().start, "this is not a text: write it in quotes");
            return None;
        };
        Some(text.clone().into_owned())
    }

    fn problem(&mut self, at: usize, what: &str) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        self.problems.push(format!("{}:{line}:{column}: {what}", self.path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_of_a_file_is_told_with_its_place() {
        let text = "[[probe]]\nmay = [\"create role\", 7]\nmust-no = []\n\n[[probe]]\nrole = 1\n";
        let error = Probes::from_toml("p.toml", text).expect_err("problems").to_string();
        let expected = [
            "p.toml:2:23: this is not a text: write it in quotes",
            "p.toml:3:1: `must-no` is no key of a probe; there are role, settings, may, must-not",
            "p.toml:1:1: this probe has no `role`",
            "p.toml:6:8: this is not a text: write it in quotes",
            "p.toml:5:1: this probe expects nothing: write `may` or `must-not`",
        ];
        assert_eq!(error.lines().collect::<Vec<_>>(), expected);
        let error = Probes::from_toml("p.toml", "[[probe]]\nrole = \"x").expect_err("problems").to_string();
        assert!(error.starts_with("p.toml:2:"), "{error}");
    }
}
