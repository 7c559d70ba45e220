SELECT format('schema %I', n.nspname), '', p.property, p.value
FROM pg_namespace n
CROSS JOIN LATERAL (VALUES ('owner', n.nspowner::regrole::text),
                           ('comment', obj_description(n.oid, 'pg_namespace'))) AS p (property, value)
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')
