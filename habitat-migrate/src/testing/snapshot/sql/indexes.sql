-- The index of a constraint is told by the constraint, save for what can be set for it alone.
SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'table' END || format(' %I.%I', n.nspname, c.relname),
       'index ' || quote_ident(x.relname), p.property, p.value
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
CROSS JOIN LATERAL (VALUES
    ('definition', CASE WHEN k.oid IS NULL THEN pg_get_indexdef(i.indexrelid) END),
    ('options', CASE WHEN k.oid IS NOT NULL THEN array_to_string(ARRAY(SELECT unnest(x.reloptions) ORDER BY 1), ', ') END),
    ('valid', CASE WHEN NOT i.indisvalid THEN 'no' END),
    ('tablespace', (SELECT quote_ident(t.spcname) FROM pg_tablespace t WHERE t.oid = x.reltablespace)),
    ('statistics targets', (SELECT string_agg(a.attnum || ': ' || (to_jsonb(a) ->> 'attstattarget'), ', ' ORDER BY a.attnum)
                            FROM pg_attribute a
                            WHERE a.attrelid = x.oid AND (to_jsonb(a) ->> 'attstattarget')::int <> -1)),
    ('comment', obj_description(x.oid, 'pg_class'))
) AS p (property, value)
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
