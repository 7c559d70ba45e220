-- What is set for the database itself; its name is left out, since it differs from one run to the next.
SELECT 'database', '', p.property, p.value
FROM pg_database d
CROSS JOIN LATERAL (VALUES ('owner', d.datdba::regrole::text),
                           ('comment', shobj_description(d.oid, 'pg_database'))) AS p (property, value)
WHERE d.datname = current_database()
UNION ALL
SELECT 'database', 'grant to ' || g.grantee, 'privileges', g.privileges
FROM pg_database d
CROSS JOIN LATERAL (
    SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' WHEN d.datdba THEN 'its owner' ELSE a.grantee::regrole::text END,
           string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN ' with grant option' ELSE '' END, ', '
                      ORDER BY a.privilege_type, a.is_grantable)
    FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a GROUP BY 1) AS g (grantee, privileges)
WHERE d.datname = current_database()
UNION ALL
SELECT 'database', CASE s.setrole WHEN 0 THEN '' ELSE 'role ' || s.setrole::regrole::text END,
       'setting ' || split_part(c.setting, '=', 1), substr(c.setting, strpos(c.setting, '=') + 1)
FROM pg_db_role_setting s
JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
CROSS JOIN LATERAL unnest(s.setconfig) AS c (setting)
