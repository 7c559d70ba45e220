SELECT format('publication %I', b.pubname), 'table ' || r.prrelid::regclass::text, p.property, p.value
FROM pg_publication_rel r
JOIN pg_publication b ON b.oid = r.prpubid
CROSS JOIN LATERAL (VALUES
    ('published', 'yes'),
    ('where', pg_get_expr(r.prqual, r.prrelid)),
    ('columns', (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
                 FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)))
) AS p (property, value)
UNION ALL
SELECT format('publication %I', b.pubname), 'schema ' || n.pnnspid::regnamespace::text, 'published', 'yes'
FROM pg_publication_namespace n JOIN pg_publication b ON b.oid = n.pnpubid
