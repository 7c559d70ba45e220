SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                      WHEN 'c' THEN 'type' ELSE 'table' END || format(' %I.%I', n.nspname, c.relname),
       'column ' || quote_ident(a.attname), p.property, p.value
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
CROSS JOIN LATERAL (VALUES
    ('type', format_type(a.atttypid, a.atttypmod)),
    ('not null', CASE WHEN a.attnotnull THEN
        CASE WHEN EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n'
                          AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated) THEN 'not validated' ELSE 'yes' END END),
    ('default', CASE a.attgenerated WHEN '' THEN pg_get_expr(d.adbin, d.adrelid) END),
    ('generated', CASE a.attgenerated WHEN 's' THEN 'stored ' || pg_get_expr(d.adbin, d.adrelid)
                                      WHEN 'v' THEN 'virtual ' || pg_get_expr(d.adbin, d.adrelid) END),
    ('identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END),
    ('collation', CASE WHEN a.attcollation <> t.typcollation THEN
        (SELECT format('%I.%I', o.nspname, l.collname) FROM pg_collation l JOIN pg_namespace o ON o.oid = l.collnamespace
         WHERE l.oid = a.attcollation) END),
    ('storage', CASE WHEN a.attstorage <> t.typstorage AND c.relkind <> 'v' THEN
        CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' WHEN 'x' THEN 'extended' END END),
    ('compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END),
    ('statistics target', nullif((to_jsonb(a) ->> 'attstattarget')::int, -1)::text),
    ('options', array_to_string(ARRAY(SELECT unnest(a.attoptions) ORDER BY 1), ', ')),
    ('foreign options', array_to_string(ARRAY(SELECT unnest(a.attfdwoptions) ORDER BY 1), ', ')),
    ('inherited', CASE WHEN a.attinhcount > 0 THEN CASE WHEN a.attislocal THEN 'and its own' ELSE 'yes' END END),
    ('comment', col_description(a.attrelid, a.attnum))
) AS p (property, value)
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = c.reltype AND e.deptype = 'e')
