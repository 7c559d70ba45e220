-- Tables, views and whatever else has columns.
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END
       || format(' %I.%I', n.nspname, c.relname), '', p.property, p.value
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid
LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver
CROSS JOIN LATERAL (VALUES
    ('owner', c.relowner::regrole::text),
    ('comment', obj_description(c.oid, 'pg_class')),
    ('persistence', CASE c.relpersistence WHEN 'u' THEN 'unlogged' END),
    ('options', array_to_string(ARRAY(SELECT unnest(c.reloptions) ORDER BY 1), ', ')),
    ('options of its toast table', (SELECT array_to_string(ARRAY(SELECT unnest(t.reloptions) ORDER BY 1), ', ')
                                    FROM pg_class t WHERE t.oid = c.reltoastrelid)),
    ('tablespace', (SELECT quote_ident(t.spcname) FROM pg_tablespace t WHERE t.oid = c.reltablespace)),
    ('access method', (SELECT quote_ident(a.amname) FROM pg_am a WHERE a.oid = c.relam)),
    ('row security', CASE WHEN c.relrowsecurity THEN 'enabled' END),
    ('row security for its owner', CASE WHEN c.relforcerowsecurity THEN 'forced' END),
    ('replica identity', CASE c.relreplident WHEN 'f' THEN 'full' WHEN 'n' THEN 'nothing'
                              WHEN 'i' THEN (SELECT 'index ' || i.indexrelid::regclass::text
                                             FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) END),
    ('clustered on', (SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indrelid = c.oid AND i.indisclustered)),
    ('partitioned by', CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END),
    ('partition', pg_get_expr(c.relpartbound, c.oid)),
    ('inherits', (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
                  FROM pg_inherits i WHERE i.inhrelid = c.oid)),
    ('of type', CASE WHEN c.reloftype <> 0 THEN c.reloftype::regtype::text END),
    ('populated', CASE WHEN c.relkind = 'm' THEN CASE WHEN c.relispopulated THEN 'yes' ELSE 'no' END END),
    ('definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END),
    ('server', quote_ident(s.srvname)),
    ('foreign options', array_to_string(ARRAY(SELECT unnest(f.ftoptions) ORDER BY 1), ', ')),
    ('order of columns', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
) AS p (property, value)
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
