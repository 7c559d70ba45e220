//! The page as HTML.

use std::fmt::Write as _;
use std::time::Duration;

use super::Page;
use super::tables::Table;
use crate::doctor::{Level, Line};
use crate::graph::escaped;
use crate::status::{Entry, Stage, took, word};

pub(super) fn page(page: &Page) -> String {
    let title = format!("Migrations of {}", page.database);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{0}</title>\n<style>\n{style}</style>\n</head>\n<body>\n\
         <header>\n<h1>{0}</h1>\n<p>{1}{2} · {3} UTC</p>\n</header>\n<main>\n",
        escaped(&title),
        escaped(&page.server),
        page.status.environment().map(|name| format!(" · {}", escaped(name))).unwrap_or_default(),
        page.at.format("%Y-%m-%d %H:%M"),
        style = include_str!("style.css"),
    );
    tiles(page, &mut html);
    findings(page, &mut html);
    history(page, &mut html);
    pending(page, &mut html);
    graph(page, &mut html);
    tables(&page.tables, &mut html);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// The numbers that a reader looks for first.
fn tiles(page: &Page, html: &mut String) {
    let entries = page.status.entries();
    let count = |wanted: &dyn Fn(&Stage) -> bool| entries.iter().filter(|e| wanted(e.stage())).count();
    let pending = count(&Stage::is_pending);
    let bad = warnings(page);
    let tiles = [
        ("applied", count(&|stage| *stage == Stage::Applied), "good"),
        ("pending", pending, if pending > 0 { "wait" } else { "plain" }),
        ("to look at", bad, if bad > 0 { "bad" } else { "plain" }),
        ("tables", page.tables.len(), "plain"),
    ];
    html.push_str("<section class=\"tiles\">\n");
    for (name, count, class) in tiles {
        let _ = writeln!(html, "<div class=\"tile {class}\"><b>{count}</b><span>{name}</span></div>");
    }
    html.push_str("</section>\n");
}

/// How many things somebody has to look at.
fn warnings(page: &Page) -> usize {
    let lines = page.diagnosis.lines().iter().filter(|line| line.level() >= Level::Warning).count();
    lines + page.provision.as_ref().map_or(0, Vec::len)
}

fn findings(page: &Page, html: &mut String) {
    html.push_str("<section id=\"findings\">\n<h2>Findings</h2>\n<table class=\"findings\">\n<thead><tr><th>What</th><th>Seen</th></tr></thead>\n<tbody>\n");
    let mut lines: Vec<&Line> = page.diagnosis.lines().iter().collect();
    // The worst first; the others are what was looked at and is well.
    lines.sort_by_key(|line| std::cmp::Reverse(line.level()));
    for line in lines {
        let class = match line.level() {
            Level::Problem => "problem",
            Level::Warning => "warning",
            Level::Note | Level::Unseen => "note",
            Level::Good => "good",
        };
        let mut told = escaped(line.text());
        if let Some(next) = line.advice().filter(|_| line.level() >= Level::Note) {
            let _ = write!(told, "<p class=\"next\">{}</p>", escaped(next));
        }
        row(class, &line.topic().to_string(), &told, html);
    }
    match &page.provision {
        None => {}
        Some(found) if found.is_empty() => {
            row("good", "declaration", "the server is as it is declared", html)
        }
        Some(found) => {
            for finding in found {
                let mut told = escaped(&finding.to_string());
                if let Some(sql) = finding.suggestion() {
                    let _ = write!(told, "<p class=\"next\">run {}</p>", escaped(sql));
                }
                row("warning", "declaration", &told, html);
            }
        }
    }
    html.push_str("</tbody>\n</table>\n</section>\n");
}

fn row(class: &str, topic: &str, told: &str, html: &mut String) {
    let sign = match class {
        "problem" | "warning" => "!",
        "note" => "i",
        _ => "✓",
    };
    let _ = writeln!(
        html,
        "<tr class=\"{class}\"><th scope=\"row\"><i>{sign}</i>{}</th><td>{told}</td></tr>",
        escaped(topic)
    );
}

/// What was applied, day by day, with a bar for how long it took.
fn history(page: &Page, html: &mut String) {
    html.push_str("<section id=\"history\">\n<h2>History</h2>\n");
    let recorded: Vec<&Entry> =
        page.status.entries().iter().filter(|entry| entry.record().is_some()).collect();
    let longest =
        recorded.iter().filter_map(|e| e.record()).map(|r| r.execution_time()).max().unwrap_or_default();
    let mut day = None;
    for entry in &recorded {
        let Some(record) = entry.record() else { continue };
        let at = record.deployed_at();
        if day != Some(at.date_naive()) {
            html.push_str(if day.is_some() { "</ol>\n" } else { "" });
            let _ = writeln!(html, "<h3>{}</h3>\n<ol class=\"line\">", at.format("%A, %-d %B %Y"));
            day = Some(at.date_naive());
        }
        let class = match entry.stage() {
            Stage::Applied => "applied",
            Stage::Replaced | Stage::Foreign | Stage::Elsewhere | Stage::Newer(_) => "aside",
            _ => "trouble",
        };
        let stage = match entry.stage() {
            Stage::Applied => String::new(),
            stage => format!(" <em>{}</em>", word(stage)),
        };
        let _ = writeln!(
            html,
            "<li class=\"{class}\"><time datetime=\"{}\">{}</time><div><code>{}</code>{stage}<p>{}</p></div>\
             <span class=\"who\">{}</span><span class=\"took\"><s style=\"width:{}%\"></s>{}</span></li>",
            at.format("%Y-%m-%dT%H:%M:%SZ"),
            at.format("%H:%M"),
            escaped(&entry.id().to_string()),
            escaped(entry.description()),
            escaped(record.deployed_by()),
            share(record.execution_time(), longest),
            took(record.execution_time()),
        );
    }
    html.push_str(if day.is_some() { "</ol>\n" } else { "<p>Nothing was applied yet.</p>\n" });
    html.push_str("</section>\n");
}

/// How long a bar is, in per cent: by the logarithm, since one migration may take a thousand times as long as another.
fn share(time: Duration, longest: Duration) -> u32 {
    let size = |time: Duration| (1.0 + time.as_secs_f64() * 1e4).ln();
    if longest.is_zero() || time.is_zero() {
        return 0;
    }
    (size(time) / size(longest) * 100.0).round() as u32
}

fn pending(page: &Page, html: &mut String) {
    let pending: Vec<&Entry> = page.status.entries().iter().filter(|e| e.stage().is_pending()).collect();
    if pending.is_empty() {
        return;
    }
    html.push_str("<section id=\"pending\">\n<h2>Pending</h2>\n<ol class=\"line\">\n");
    for entry in pending {
        let _ = writeln!(
            html,
            "<li class=\"pending\"><time></time><div><code>{}</code> <em>{}</em><p>{}</p></div></li>",
            escaped(&entry.id().to_string()),
            word(entry.stage()),
            escaped(entry.description()),
        );
    }
    html.push_str("</ol>\n</section>\n");
}

fn graph(page: &Page, html: &mut String) {
    let _ = write!(
        html,
        "<section id=\"graph\">\n<h2>What requires what</h2>\n<div class=\"scroll\">\n{}</div>\n</section>\n",
        page.graph.to_svg()
    );
}

fn tables(tables: &[Table], html: &mut String) {
    html.push_str("<section id=\"tables\">\n<h2>Tables</h2>\n");
    if tables.is_empty() {
        html.push_str("<p>There are none.</p>\n</section>\n");
        return;
    }
    let mut schema: Option<&str> = None;
    for table in tables {
        if schema != Some(table.schema.as_str()) {
            html.push_str(if schema.is_some() { "</tbody>\n</table>\n" } else { "" });
            let _ = writeln!(
                html,
                "<h3>{}</h3>\n<table class=\"tables\">\n<thead><tr><th>Table</th><th>Owner</th><th class=\"number\">Rows</th><th>Row-level security</th></tr></thead>\n<tbody>",
                escaped(&table.schema)
            );
            schema = Some(&table.schema);
        }
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\"><code>{}</code>{}{}</th><td>{}</td><td class=\"number\">{}</td><td>{}{}</td></tr>",
            escaped(&table.name),
            if table.kind == "table" { String::new() } else { format!(" <em>{}</em>", table.kind) },
            table.comment.as_deref().map(|text| format!("<p>{}</p>", escaped(text))).unwrap_or_default(),
            escaped(&table.owner),
            table.rows.map_or_else(|| "–".to_owned(), |rows| rows.to_string()),
            security(table),
            policies(table),
        );
    }
    html.push_str("</tbody>\n</table>\n</section>\n");
}

fn security(table: &Table) -> &'static str {
    match (table.security, table.forced) {
        (true, true) => "<b class=\"good\">on, forced</b>",
        (true, false) => "<b class=\"wait\">on, not for the owner</b>",
        (false, _) if !table.policies.is_empty() => "<b class=\"bad\">off, although it has policies</b>",
        (false, _) => "<span class=\"faint\">off</span>",
    }
}

fn policies(table: &Table) -> String {
    if table.policies.is_empty() {
        return String::new();
    }
    let mut html = "<ul>".to_owned();
    for policy in &table.policies {
        let _ = write!(
            html,
            "<li><code>{}</code> {}{} to {}",
            escaped(&policy.name),
            if policy.restrictive { "restrictive " } else { "" },
            policy.command,
            escaped(&policy.roles),
        );
        for (word, rule) in [("using", &policy.using), ("check", &policy.check)] {
            if let Some(rule) = rule {
                let _ =
                    write!(html, "<br><span class=\"faint\">{word} <code>{}</code></span>", escaped(rule));
            }
        }
        html.push_str("</li>");
    }
    html + "</ul>"
}
