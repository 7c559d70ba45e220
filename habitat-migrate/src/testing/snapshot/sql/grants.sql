-- Who may do what, the owner and PUBLIC included: where nothing was granted yet, what PostgreSQL's defaults say.
SELECT g.object, 'grant to ' || CASE a.grantee WHEN 0 THEN 'PUBLIC' WHEN g.owner THEN 'its owner' ELSE a.grantee::regrole::text END, g.property,
       string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END, ', '
                  ORDER BY a.privilege_type, a.is_grantable)
FROM (
    SELECT 'pg_namespace'::regclass, n.oid, format('schema %I', n.nspname), 'privileges',
           coalesce(n.nspacl, acldefault('n', n.nspowner)), n.nspname, n.nspowner
    FROM pg_namespace n
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid,
           CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                          WHEN 'S' THEN 'sequence' ELSE 'table' END || format(' %I.%I', n.nspname, c.relname), 'privileges',
           coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner)), n.nspname, c.relowner
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid,
           CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                          ELSE 'table' END || format(' %I.%I', n.nspname, c.relname), 'privileges on column ' || quote_ident(t.attname),
           t.attacl, n.nspname, c.relowner
    FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.attacl IS NOT NULL AND NOT t.attisdropped
    UNION ALL
    SELECT 'pg_proc'::regclass, f.oid,
           CASE f.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END
           || format(' %I.%I(%s)', n.nspname, f.proname, pg_get_function_identity_arguments(f.oid)), 'privileges',
           coalesce(f.proacl, acldefault('f', f.proowner)), n.nspname, f.proowner
    FROM pg_proc f JOIN pg_namespace n ON n.oid = f.pronamespace
    WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = f.oid AND e.deptype = 'i')
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, CASE t.typtype WHEN 'd' THEN 'domain ' ELSE 'type ' END || t.oid::regtype::text,
           'privileges', coalesce(t.typacl, acldefault('T', t.typowner)), n.nspname, t.typowner
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('e', 'c', 'r', 'd', 'b', 'p') AND (t.typrelid = 0 OR c.relkind = 'c')
      AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
    UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, w.oid, format('foreign data wrapper %I', w.fdwname), 'privileges',
           coalesce(w.fdwacl, acldefault('F', w.fdwowner)), '', w.fdwowner
    FROM pg_foreign_data_wrapper w
    UNION ALL
    SELECT 'pg_foreign_server'::regclass, s.oid, format('server %I', s.srvname), 'privileges',
           coalesce(s.srvacl, acldefault('S', s.srvowner)), '', s.srvowner
    FROM pg_foreign_server s
    UNION ALL
    SELECT 'pg_language'::regclass, l.oid, format('language %I', l.lanname), 'privileges',
           coalesce(l.lanacl, acldefault('l', l.lanowner)), '', l.lanowner
    FROM pg_language l
    UNION ALL
    SELECT 'pg_default_acl'::regclass, d.oid,
           'default privileges of ' || d.defaclrole::regrole::text
           || CASE d.defaclnamespace WHEN 0 THEN '' ELSE ' in schema ' || d.defaclnamespace::regnamespace::text END,
           'privileges on ' || CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'routines'
                                                    WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END,
           d.defaclacl, '', NULL::oid
    FROM pg_default_acl d
) AS g (catalog, oid, object, property, acl, schema, owner)
CROSS JOIN LATERAL aclexplode(g.acl) AS a
WHERE g.schema !~ '^pg_' AND g.schema <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = g.catalog AND e.objid = g.oid AND e.deptype = 'e')
GROUP BY g.oid, g.object, g.owner, a.grantee, g.property
