//! The tables that are made of what was measured.

use std::fmt::Write;
use std::time::Duration;

use crate::contender::Role;
use crate::measure::{Outcome, Samples};
use crate::scenario::{Case, Distance, Goal};
use crate::table::{Table, milliseconds, ratio, thousands};

/// All tables, as Markdown.
pub(crate) fn render(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    for goal in [Goal::NothingToDo, Goal::FirstBoot] {
        let view = View::new(outcomes, goal);
        let (title, rest) = match goal {
            Goal::NothingToDo => {
                ("Nothing to do", "What every boot but the first costs: all migrations are applied.")
            }
            Goal::FirstBoot => ("First boot", "All migrations are applied to an empty database."),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "### {title}\n\n{rest}\n\nOn the wire:\n\n{}\n", view.wire());
        let _ = write!(text, "Milliseconds of the migration call:\n\n{}\n", view.times());
        let _ = write!(text, "How many times as long as {}:\n\n{}\n", view.reference, view.ratios());
        if goal == Goal::NothingToDo {
            let _ = writeln!(text, "{}", view.growth());
        }
    }
    text.push_str("A time with a star is of one run, as more would have taken minutes.\n");
    text
}

/// This library beside the others, in a row for each scenario.
pub(crate) fn by_hand(outcomes: &[Outcome]) -> Table {
    let mut table =
        Table::new(["", "", "by hand, ms", "habitat-migrate, ms", "times as long, in the median round"]);
    let ours = outcomes.iter().find(|outcome| outcome.role == Role::Ours);
    for other in outcomes.iter().filter(|outcome| outcome.role != Role::Ours) {
        for (distance, theirs) in &other.times {
            let Some(samples) = ours.and_then(|ours| at(ours, *distance)) else { continue };
            table.push([
                other.name.to_owned(),
                scenario(other.case, *distance),
                milliseconds(theirs.median()),
                milliseconds(samples.median()),
                format!("{:.2}×", samples.typical_ratio(theirs)),
            ]);
        }
    }
    table
}

/// The outcomes of one goal, by case and contender.
struct View<'a> {
    outcomes: Vec<&'a Outcome>,
    cases: Vec<Case>,
    names: Vec<&'static str>,
    /// The contender that ratios are taken to: this library, or what is done by hand.
    reference: &'static str,
}

impl<'a> View<'a> {
    fn new(outcomes: &'a [Outcome], goal: Goal) -> Self {
        let outcomes: Vec<_> = outcomes.iter().filter(|outcome| outcome.case.goal == goal).collect();
        let (mut cases, mut names) = (Vec::new(), Vec::new());
        for outcome in &outcomes {
            if !cases.contains(&outcome.case) {
                cases.push(outcome.case);
            }
            if !names.contains(&outcome.name) {
                names.push(outcome.name);
            }
        }
        let first = |wanted: fn(Role) -> bool| outcomes.iter().find(|outcome| wanted(outcome.role));
        let reference =
            first(|role| role == Role::Ours).or_else(|| first(|role| matches!(role, Role::Baseline(_))));
        let reference = reference.map_or("nothing", |outcome| outcome.name);
        Self { outcomes, cases, names, reference }
    }

    fn get(&self, case: Case, name: &str) -> Option<&'a Outcome> {
        self.outcomes.iter().find(|outcome| outcome.case == case && outcome.name == name).copied()
    }

    fn wire(&self) -> Table {
        let counts = self.cases.iter().map(|case| thousands(as_u64(case.count)));
        let trips = counts.clone().map(|count| format!("round trips, N = {count}"));
        let bytes = counts.map(|count| format!("bytes received, N = {count}"));
        let mut table = Table::new(std::iter::once(String::new()).chain(trips).chain(bytes));
        for name in &self.names {
            let outcomes: Vec<_> = self.cases.iter().filter_map(|&case| self.get(case, name)).collect();
            let wire: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.typical_wire()).collect();
            let trips = wire.iter().map(|stats| thousands(stats.round_trips));
            let bytes = wire.iter().map(|stats| thousands(stats.bytes_to_client));
            table.push(std::iter::once((*name).to_owned()).chain(trips).chain(bytes));
        }
        table
    }

    fn times(&self) -> Table {
        self.by_scenario(|samples, _| {
            let star = if samples.len() == 1 { "\\*" } else { "" };
            format!("{}{star}", milliseconds(samples.median()))
        })
    }

    fn ratios(&self) -> Table {
        self.by_scenario(|samples, reference| ratio(samples.median(), reference))
    }

    /// A row for each scenario, a column for each contender.
    fn by_scenario(&self, cell: impl Fn(&Samples, Duration) -> String) -> Table {
        let mut table = Table::new(std::iter::once("").chain(self.names.iter().copied()));
        for &case in &self.cases {
            let distances =
                self.get(case, self.reference).map(|outcome| outcome.times.as_slice()).unwrap_or_default();
            for (distance, reference) in distances {
                let cells = self.names.iter().map(|name| {
                    let samples = self.get(case, name).and_then(|outcome| at(outcome, *distance));
                    samples.map_or("–".to_owned(), |samples| cell(samples, reference.median()))
                });
                table.push(std::iter::once(scenario(case, *distance)).chain(cells));
            }
        }
        table
    }

    /// How the time grows from the smallest number of migrations to the largest.
    fn growth(&self) -> String {
        let (Some(&least), Some(&most)) = (self.cases.first(), self.cases.last()) else {
            return String::new();
        };
        let median = |case, name| {
            let samples = self.get(case, name).and_then(|outcome| at(outcome, Distance::Direct));
            samples.map_or(Duration::ZERO, Samples::median)
        };
        let grown = self
            .names
            .iter()
            .map(|name| format!("{name} {}", ratio(median(most, name), median(least, name))));
        format!(
            "{} migrations take, compared with {}, directly: {}.\n",
            thousands(as_u64(most.count)),
            least.count,
            grown.collect::<Vec<_>>().join(", ")
        )
    }
}

fn at(outcome: &Outcome, distance: Distance) -> Option<&Samples> {
    outcome.times.iter().find(|(other, _)| *other == distance).map(|(_, samples)| samples)
}

fn scenario(case: Case, distance: Distance) -> String {
    let count = thousands(as_u64(case.count));
    match distance {
        Distance::Direct => format!("N = {count}, direct"),
        Distance::EachWay(latency) => format!("N = {count}, {latency} ms each way"),
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
