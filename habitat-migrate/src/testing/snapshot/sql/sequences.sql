-- How far they came is data, and no part of the schema.
SELECT format('sequence %I.%I', n.nspname, c.relname), '', p.property, p.value
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('owner', c.relowner::regrole::text),
    ('type', format_type(s.seqtypid, NULL)),
    ('start', s.seqstart::text),
    ('increment', s.seqincrement::text),
    ('range', s.seqmin || ' to ' || s.seqmax),
    ('cache', s.seqcache::text),
    ('cycle', CASE WHEN s.seqcycle THEN 'yes' END),
    ('persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END),
    ('owned by', (SELECT d.refobjid::regclass::text || '.' || quote_ident(a.attname) || CASE d.deptype WHEN 'i' THEN ' (identity)' ELSE '' END
                  FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
                    AND d.deptype IN ('a', 'i'))),
    ('comment', obj_description(c.oid, 'pg_class'))
) AS p (property, value)
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
