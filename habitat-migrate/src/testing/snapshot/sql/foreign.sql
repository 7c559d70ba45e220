SELECT format('foreign data wrapper %I', w.fdwname), '', p.property, p.value
FROM pg_foreign_data_wrapper w
CROSS JOIN LATERAL (VALUES
    ('owner', w.fdwowner::regrole::text),
    ('handler', CASE WHEN w.fdwhandler <> 0 THEN w.fdwhandler::regproc::text END),
    ('validator', CASE WHEN w.fdwvalidator <> 0 THEN w.fdwvalidator::regproc::text END),
    ('options', array_to_string(ARRAY(SELECT unnest(w.fdwoptions) ORDER BY 1), ', ')),
    ('comment', obj_description(w.oid, 'pg_foreign_data_wrapper'))
) AS p (property, value)
WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_foreign_data_wrapper'::regclass AND e.objid = w.oid AND e.deptype = 'e')
UNION ALL
SELECT format('server %I', s.srvname), '', p.property, p.value
FROM pg_foreign_server s
CROSS JOIN LATERAL (VALUES
    ('owner', s.srvowner::regrole::text),
    ('wrapper', (SELECT quote_ident(w.fdwname) FROM pg_foreign_data_wrapper w WHERE w.oid = s.srvfdw)),
    ('type', s.srvtype), ('version', s.srvversion),
    ('options', array_to_string(ARRAY(SELECT unnest(s.srvoptions) ORDER BY 1), ', ')),
    ('comment', obj_description(s.oid, 'pg_foreign_server'))
) AS p (property, value)
UNION ALL
-- The options may hold passwords: only their names are told.
SELECT format('server %I', u.srvname), 'user mapping of ' || CASE u.umuser WHEN 0 THEN 'PUBLIC' ELSE u.umuser::regrole::text END,
       p.property, p.value
FROM pg_user_mappings u
CROSS JOIN LATERAL (VALUES
    ('there', 'yes'),
    ('options', array_to_string(ARRAY(SELECT split_part(o, '=', 1) FROM unnest(u.umoptions) AS o ORDER BY 1), ', '))
) AS p (property, value)
