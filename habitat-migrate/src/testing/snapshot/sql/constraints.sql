-- Those of tables and of domains. NOT NULL, which has a row here since PostgreSQL 18, is a property of its column.
SELECT CASE WHEN k.conrelid = 0 THEN 'domain ' || k.contypid::regtype::text
            ELSE CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END
                 || format(' %I.%I', n.nspname, c.relname) END,
       'constraint ' || quote_ident(k.conname), p.property, p.value
FROM pg_constraint k
JOIN pg_namespace n ON n.oid = k.connamespace
LEFT JOIN pg_class c ON c.oid = k.conrelid
CROSS JOIN LATERAL (VALUES
    ('definition', pg_get_constraintdef(k.oid)),
    ('inherited', CASE WHEN k.coninhcount > 0 THEN CASE WHEN k.conislocal THEN 'and its own' ELSE 'yes' END END),
    ('comment', obj_description(k.oid, 'pg_constraint'))
) AS p (property, value)
WHERE k.contype NOT IN ('n', 't') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' AND (e.classid, e.objid) IN
        (('pg_constraint'::regclass, k.oid), ('pg_class'::regclass, k.conrelid), ('pg_type'::regclass, k.contypid)))
