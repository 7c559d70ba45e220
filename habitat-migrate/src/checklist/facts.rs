//! What a checklist is judged by: read from the server, the tracker and the files, without a judgement.

use chrono::{DateTime, Utc};

use super::Checklist;
use crate::backup::Backup;
use crate::client::{Client, Reply};
use crate::provision::{Cluster, Error, Finding, FindingKind, Result, RuleFinding, audit_rules_of};
use crate::sql::Literal;
use crate::status::Status;

/// Why something could not be read; one line.
pub(super) type Seen<T> = std::result::Result<T, String>;

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) version: String,
    pub(super) version_number: u32,
    pub(super) now: DateTime<Utc>,
    /// The roles that log in and have no SCRAM verifier; none where this login may not see that.
    pub(super) without_verifier: Option<Vec<String>>,
    /// How many replicas follow; none where this login may not see that.
    pub(super) replicas: Option<u32>,
    pub(super) findings: Vec<Finding>,
    pub(super) rules: Seen<Vec<RuleFinding>>,
    pub(super) extensions: Vec<String>,
    pub(super) materialized_views: u32,
    pub(super) status: Seen<Status>,
    pub(super) newest_backup: Option<Seen<Option<Backup>>>,
    /// For each file what is wrong with it.
    pub(super) files: Vec<(String, Option<String>)>,
}

pub(super) async fn gather<C: Client>(list: &Checklist, cluster: &Cluster<'_, C>) -> Result<Facts> {
    let mut server = cluster.open(cluster.maintenance_name()).await?;
    let about_server = ask(&mut server, SERVER).await?;
    let may_see_passwords = about_server.first("may see").is_some_and(|row| row.is_true(1));
    let without_verifier = match may_see_passwords {
        true => Some(values(&ask(&mut server, &passwords(list)).await?, "without")),
        false => None,
    };
    drop(server);
    let findings = list.provision.findings(cluster).await?;
    let mut facts = Facts {
        version: about_server.first("server").map(|row| row.text(1).to_owned()).unwrap_or_default(),
        version_number: about_server.first("server").and_then(|row| row.number(2)).unwrap_or_default(),
        now: about_server
            .first("server")
            .and_then(|row| row.number(3))
            .and_then(DateTime::from_timestamp_millis)
            .unwrap_or_default(),
        without_verifier,
        replicas: about_server.first("replicas").and_then(|row| row.number(1)),
        findings,
        rules: Err("the database is not there".to_owned()),
        extensions: Vec::new(),
        materialized_views: 0,
        status: Err("the database is not there".to_owned()),
        newest_backup: None,
        files: list.files.iter().map(|path| (path.display().to_string(), wrong_with(path))).collect(),
    };
    let Some(database) = list.database() else { return Ok(facts) };
    if let Some((backups, _)) = &list.backups {
        let newest = backups.list(database).map(|all| all.into_iter().next());
        facts.newest_backup = Some(newest.map_err(|error| error.to_string()));
    }
    if is_missing(&facts.findings, database) {
        return Ok(facts);
    }
    let mut client = cluster.open(database).await?;
    let reply = ask(&mut client, DATABASE).await?;
    facts.extensions = values(&reply, "extension");
    facts.materialized_views =
        reply.first("materialized views").and_then(|row| row.number(1)).unwrap_or_default();
    facts.rules = audit_rules_of(&mut client, &list.rules).await.map_err(|error| error.to_string());
    facts.status = list.migrator.status_of(&mut client).await.map_err(|error| error.to_string());
    Ok(facts)
}

/// Whether a declared database is not there.
fn is_missing(findings: &[Finding], database: &str) -> bool {
    let subject = format!("database {database}");
    findings
        .iter()
        .any(|finding| finding.kind() == FindingKind::MissingDatabase && finding.subject() == subject)
}

/// What is wrong with a file of connections; none where it is there and its owner's alone.
fn wrong_with(path: &std::path::Path) -> Option<String> {
    match std::fs::symlink_metadata(path) {
        Err(error) => Some(format!("cannot be looked at: {error}")),
        Ok(meta) if !meta.is_file() => Some("is no regular file".to_owned()),
        #[cfg(unix)]
        Ok(meta) => {
            let mode = std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777;
            (mode != 0o600).then(|| format!("has mode {mode:04o}: run `chmod 600 {}`", path.display()))
        }
        #[cfg(not(unix))]
        Ok(_) => None,
    }
}

async fn ask<C: Client>(client: &mut C, sql: &str) -> Result<Reply> {
    client.run(sql).await.map_err(|failure| Error::read("the server's catalogs", failure))
}

fn values(reply: &Reply, kind: &str) -> Vec<String> {
    reply.rows(kind).map(|row| row.text(1).to_owned()).collect()
}

/// The declared roles that log in by a password, and have none that is kept as a SCRAM verifier.
fn passwords(list: &Checklist) -> String {
    let roles = list.provision.declaration().roles().iter();
    let names: Vec<String> = roles
        .filter(|role| role.can_login() && role.password_source().is_some())
        .map(|role| Literal(role.name()).to_string())
        .collect();
    format!(
        "SELECT 'without' AS \"habitat-migrate\", wanted.name\n\
           FROM pg_catalog.unnest(ARRAY[{}]::pg_catalog.text[]) AS wanted (name)\n\
           LEFT JOIN pg_catalog.pg_authid AS a ON a.rolname = wanted.name\n\
          WHERE a.rolpassword IS NULL OR a.rolpassword NOT LIKE 'SCRAM-SHA-256$%' ORDER BY 2;\n",
        names.join(", ")
    )
}

const SERVER: &str = "\
SELECT 'server' AS \"habitat-migrate\", pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
       pg_catalog.current_setting('server_version_num'),
       pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8;
SELECT 'may see' AS \"habitat-migrate\",
       pg_catalog.has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT');
SELECT 'replicas' AS \"habitat-migrate\",
       CASE WHEN pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') THEN pg_catalog.count(*) FILTER (WHERE state = 'streaming') END
  FROM pg_catalog.pg_stat_replication;
";

const DATABASE: &str = "\
SELECT 'extension' AS \"habitat-migrate\", extname FROM pg_catalog.pg_extension;
SELECT 'materialized views' AS \"habitat-migrate\", pg_catalog.count(*) FROM pg_catalog.pg_class WHERE relkind = 'm';
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_not_missing_because_another_of_a_longer_name_is() {
        let findings = [Finding {
            kind: FindingKind::MissingDatabase,
            database: None,
            subject: "database shop_reports".to_owned(),
            message: "database shop_reports is not there".to_owned(),
            suggestion: None,
        }];
        assert!(is_missing(&findings, "shop_reports"));
        assert!(!is_missing(&findings, "shop"));
    }
}
