SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'f' THEN 'foreign table' ELSE 'table' END
       || format(' %I.%I', n.nspname, c.relname), 'trigger ' || quote_ident(t.tgname), p.property, p.value
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('definition', pg_get_triggerdef(t.oid)),
    ('enabled', CASE t.tgenabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END),
    ('comment', obj_description(t.oid, 'pg_trigger'))
) AS p (property, value)
WHERE NOT t.tgisinternal AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' AND (e.classid, e.objid) IN
        (('pg_trigger'::regclass, t.oid), ('pg_class'::regclass, c.oid)))
UNION ALL
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END || format(' %I.%I', n.nspname, c.relname),
       'rule ' || quote_ident(r.rulename), p.property, p.value
FROM pg_rewrite r
JOIN pg_class c ON c.oid = r.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('definition', pg_get_ruledef(r.oid)),
    ('enabled', CASE r.ev_enabled WHEN 'D' THEN 'no' WHEN 'R' THEN 'on replicas' WHEN 'A' THEN 'always' END),
    ('comment', obj_description(r.oid, 'pg_rewrite'))
) AS p (property, value)
WHERE r.rulename <> '_RETURN' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.deptype = 'e' AND (e.classid, e.objid) IN
        (('pg_rewrite'::regclass, r.oid), ('pg_class'::regclass, c.oid)))
UNION ALL
SELECT format('table %I.%I', n.nspname, c.relname), 'policy ' || quote_ident(y.polname), p.property, p.value
FROM pg_policy y
JOIN pg_class c ON c.oid = y.polrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    ('command', CASE y.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END),
    ('kind', CASE WHEN y.polpermissive THEN 'permissive' ELSE 'restrictive' END),
    ('roles', (SELECT string_agg(CASE o WHEN 0 THEN 'PUBLIC' ELSE o::regrole::text END, ', ' ORDER BY o::regrole::text)
               FROM unnest(y.polroles) AS o)),
    ('using', pg_get_expr(y.polqual, y.polrelid)),
    ('with check', pg_get_expr(y.polwithcheck, y.polrelid)),
    ('comment', obj_description(y.oid, 'pg_policy'))
) AS p (property, value)
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
