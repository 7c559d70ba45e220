SELECT format('publication %I', b.pubname), '', p.property, p.value
FROM pg_publication b
CROSS JOIN LATERAL (VALUES
    ('owner', b.pubowner::regrole::text),
    ('all tables', CASE WHEN b.puballtables THEN 'yes' END),
    ('operations', concat_ws(', ', CASE WHEN b.pubinsert THEN 'insert' END, CASE WHEN b.pubupdate THEN 'update' END,
                             CASE WHEN b.pubdelete THEN 'delete' END, CASE WHEN b.pubtruncate THEN 'truncate' END)),
    ('via root', CASE WHEN b.pubviaroot THEN 'yes' END),
    ('generated columns', nullif(to_jsonb(b) ->> 'pubgencols', 'n')),
    ('comment', obj_description(b.oid, 'pg_publication'))
) AS p (property, value)
UNION ALL
SELECT format('subscription %I', s.subname), '', p.property, p.value
FROM pg_subscription s
JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()
CROSS JOIN LATERAL (VALUES
    ('owner', s.subowner::regrole::text),
    ('enabled', CASE WHEN s.subenabled THEN 'yes' ELSE 'no' END),
    ('slot', quote_ident(s.subslotname)),
    ('publications', array_to_string(ARRAY(SELECT unnest(s.subpublications) ORDER BY 1), ', '))
) AS p (property, value)
