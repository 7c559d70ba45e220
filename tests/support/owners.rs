//! Who owns what and who may do what, as text: to compare a server with itself, or with another one.

use habitat_migrate::testing::Server;
use postgres::{Client, NoTls};

/// Owners, attributes, settings and privileges: everything that provisioning is about, as text.
///
/// Left out is what an administrator has of itself: its memberships, in whose name it grants others from PostgreSQL 16 on, and its own CONNECT.
pub fn dump(server: &Server, database: &str) -> String {
    const SERVER: &str = "
        SELECT 'role ' || rolname || ' ' || concat_ws(',', rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolinherit, rolconnlimit, rolvaliduntil)
          FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname <> 'postgres' AND rolname NOT LIKE 'administrator%'
        UNION ALL SELECT 'member ' || u.rolname || ' of ' || r.rolname || ' ' || bool_or(m.admin_option)
          FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles u ON u.oid = m.member
          WHERE u.rolname NOT LIKE 'administrator%' AND u.rolname NOT LIKE 'pg\\_%' GROUP BY u.rolname, r.rolname
        UNION ALL SELECT 'setting ' || concat_ws(' ', r.rolname, d.datname, s.setconfig::text) FROM pg_db_role_setting s
          LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
        UNION ALL SELECT 'database ' || concat_ws(' ', datname, pg_get_userbyid(datdba), datconnlimit, shobj_description(oid, 'pg_database'),
          (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a WHERE a::text NOT LIKE 'administrator%')) FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')
        ORDER BY 1";
    const WITHIN: &str = "
        SELECT 'schema ' || concat_ws(' ', nspname, pg_get_userbyid(nspowner), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(nspacl) a))
          FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
        UNION ALL SELECT 'relation ' || concat_ws(' ', relnamespace::regnamespace, relname, relkind, pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity,
          (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(relacl) a)) FROM pg_class
          WHERE relnamespace::regnamespace::text NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
        UNION ALL SELECT 'routine ' || concat_ws(' ', oid::regprocedure, pg_get_userbyid(proowner), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(proacl) a))
          FROM pg_proc WHERE pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
        UNION ALL SELECT 'default ' || concat_ws(' ', pg_get_userbyid(defaclrole), CASE WHEN defaclnamespace <> 0 THEN defaclnamespace::regnamespace END, defaclobjtype,
          (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(defaclacl) a)) FROM pg_default_acl
        UNION ALL SELECT 'extension ' || concat_ws(' ', extname, pg_get_userbyid(extowner)) FROM pg_extension
        ORDER BY 1";
    let mut lines = Vec::new();
    for (name, sql) in [("postgres", SERVER), (database, WITHIN)] {
        let rows = connect(server, name).query(sql, &[]).expect("rows");
        lines.extend(rows.iter().map(|row| row.get::<_, String>(0)));
    }
    lines.join("\n")
}

fn connect(server: &Server, database: &str) -> Client {
    server.config().dbname(database).connect(NoTls).expect("a connection as the superuser")
}
