//! The tables of a database, with their owners and policies.

use crate::client::{Client, Row};
use crate::doctor;
use crate::error::Result;

#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) kind: &'static str,
    /// Row-level security, and whether it holds the owner, too.
    pub(super) security: bool,
    pub(super) forced: bool,
    /// How many rows the planner reckons with; none where nobody counted.
    pub(super) rows: Option<u64>,
    pub(super) comment: Option<String>,
    pub(super) policies: Vec<Policy>,
}

#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) command: &'static str,
    pub(super) roles: String,
    pub(super) restrictive: bool,
    pub(super) using: Option<String>,
    pub(super) check: Option<String>,
}

/// Reads what every login may read, and takes no lock on a table: somebody may be migrating.
pub(super) async fn read<C: Client>(client: &mut C) -> Result<Vec<Table>> {
    let reply = doctor::ask(client, &format!("{TABLES}{POLICIES}")).await?;
    let mut tables: Vec<Table> = reply.rows("table").map(table).collect();
    for row in reply.rows("policy") {
        let (schema, name) = (row.text(1), row.text(2));
        if let Some(table) = tables.iter_mut().find(|table| table.schema == schema && table.name == name) {
            table.policies.push(policy(row));
        }
    }
    Ok(tables)
}

fn table(row: &Row) -> Table {
    Table {
        schema: row.text(1).to_owned(),
        name: row.text(2).to_owned(),
        owner: row.text(3).to_owned(),
        kind: match row.text(4) {
            "p" => "partitioned",
            "m" => "materialized view",
            _ => "table",
        },
        security: row.is_true(5),
        forced: row.is_true(6),
        rows: row.number(7),
        comment: row.value(8).map(str::to_owned),
        policies: Vec::new(),
    }
}

fn policy(row: &Row) -> Policy {
    Policy {
        name: row.text(3).to_owned(),
        command: match row.text(4) {
            "r" => "SELECT",
            "a" => "INSERT",
            "w" => "UPDATE",
            "d" => "DELETE",
            _ => "ALL",
        },
        roles: row.text(5).to_owned(),
        restrictive: !row.is_true(6),
        using: row.value(7).map(str::to_owned),
        check: row.value(8).map(str::to_owned),
    }
}

const TABLES: &str = "\
SELECT 'table' AS \"habitat-migrate\", n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), c.relkind, c.relrowsecurity,
       c.relforcerowsecurity, CASE WHEN c.reltuples OPERATOR(pg_catalog.>=) 0 THEN c.reltuples::pg_catalog.int8 END,
       pg_catalog.obj_description(c.oid, 'pg_class')
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
 WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m}'::\"char\"[]) AND NOT c.relispartition
   AND n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'
 ORDER BY n.nspname, c.relname;
";

const POLICIES: &str = "\
SELECT 'policy' AS \"habitat-migrate\", n.nspname, c.relname, p.polname, p.polcmd,
       (SELECT pg_catalog.string_agg(CASE WHEN u.role OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(u.role)::pg_catalog.text END, ', ' ORDER BY u.role)
          FROM pg_catalog.unnest(p.polroles) AS u (role)),
       p.polpermissive, pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
  FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) p.polrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
 ORDER BY n.nspname, c.relname, p.polname;
";
