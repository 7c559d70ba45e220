-- Arrays, the row types of tables and the multiranges of ranges come and go with what they are made for.
SELECT CASE t.typtype WHEN 'd' THEN 'domain ' ELSE 'type ' END || t.oid::regtype::text, '', p.property, p.value
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_range r ON r.rngtypid = t.oid
CROSS JOIN LATERAL (VALUES
    ('kind', CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'c' THEN 'composite' WHEN 'r' THEN 'range' WHEN 'b' THEN 'base' WHEN 'p' THEN 'pseudo' END),
    ('owner', t.typowner::regrole::text),
    ('labels', (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)),
    ('order of columns', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)),
    ('type', CASE t.typtype WHEN 'd' THEN format_type(t.typbasetype, t.typtypmod) END),
    ('not null', CASE WHEN t.typtype = 'd' AND t.typnotnull THEN 'yes' END),
    ('default', t.typdefault),
    ('collation', CASE WHEN t.typtype = 'd' THEN
        (SELECT format('%I.%I', o.nspname, l.collname) FROM pg_collation l JOIN pg_namespace o ON o.oid = l.collnamespace
         JOIN pg_type b ON b.oid = t.typbasetype WHERE l.oid = t.typcollation AND b.typcollation <> t.typcollation) END),
    ('subtype', CASE WHEN r.rngtypid IS NOT NULL THEN format_type(r.rngsubtype, NULL) END),
    ('multirange', CASE WHEN r.rngtypid IS NOT NULL THEN format_type(r.rngmultitypid, NULL) END),
    ('operator class', (SELECT format('%I.%I', o.nspname, q.opcname) FROM pg_opclass q JOIN pg_namespace o ON o.oid = q.opcnamespace WHERE q.oid = r.rngsubopc)),
    ('subtype collation', (SELECT format('%I.%I', o.nspname, l.collname) FROM pg_collation l JOIN pg_namespace o ON o.oid = l.collnamespace WHERE l.oid = r.rngcollation)),
    ('canonical function', CASE WHEN r.rngcanonical <> 0 THEN r.rngcanonical::regproc::text END),
    ('difference function', CASE WHEN r.rngsubdiff <> 0 THEN r.rngsubdiff::regproc::text END),
    ('input function', CASE WHEN t.typtype = 'b' THEN t.typinput::regproc::text END),
    ('output function', CASE WHEN t.typtype = 'b' THEN t.typoutput::regproc::text END),
    ('comment', obj_description(t.oid, 'pg_type'))
) AS p (property, value)
WHERE t.typtype IN ('e', 'c', 'r', 'd', 'b', 'p') AND (t.typrelid = 0 OR c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
