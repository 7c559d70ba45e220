//! Why each rule is one.

/// Why a finding of this code is not good.
pub(super) fn of(code: &str) -> &'static str {
    match code {
        "role-missing" => "what is held to the rules is not there, so nothing is known of it",
        "role-superuser" => {
            "whoever gets hold of the program gets hold of the whole server: no right and no policy binds a superuser"
        }
        "role-bypassrls" => "no policy binds the role",
        "role-createrole" => {
            "the role can make roles for itself, and before PostgreSQL 16 take any role but a superuser's"
        }
        "role-createdb" => "the program can make databases, which it has no need to",
        "role-replication" => "the role can read every row of every database as a stream",
        "role-member" => "the role can become one that it should not be",
        "owner-application" => {
            "an owner can change, drop and disable what protects the object, whatever it was granted"
        }
        "owner-superuser" => {
            "nobody but a superuser can change it, and what runs as its owner runs with all rights"
        }
        "rls-off" => "no policy binds anybody: every row is for everyone who may use the table",
        "rls-not-forced" => "the policies do not bind the table's owner, nor who is a member of it",
        "policy-missing" => {
            "without a policy for the command the role was granted something that finds no row, or is refused"
        }
        "definer-search-path" => {
            "its caller chooses what its names mean, and it runs with its owner's rights"
        }
        "definer-writable-path" => {
            "who may create in a schema of its search_path can put a function or table before the one that is meant"
        }
        "definer-temporary" => {
            "a temporary table of the caller comes before the table that is meant, unless pg_temp is last in the search_path"
        }
        "definer-public" => "every role can run it with its owner's rights",
        "view-definer" => "it reads the tables as its owner, so the policies for who asks do not count",
        "matview-over-protected" => "it keeps rows that no policy guards, since a materialized view has none",
        "matview-empty" => "whoever reads it gets an error until it is refreshed",
        "index-invalid" => "it costs every write and serves no query, and a unique one guards nothing",
        "constraint-not-valid" => "rows from before the constraint may break it",
        "public-create" => "every role can put objects there, before those that are meant",
        "public-connect" => "every role of the server can connect to the database",
        "primary-key-missing" => "a row cannot be named, and logical replication cannot update it",
        _ => "it is not as the rules say",
    }
}
