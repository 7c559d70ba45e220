SELECT format('publication %I', b.pubname), 'table ' || r.prrelid::regclass::text, 'published', 'yes'
FROM pg_publication_rel r JOIN pg_publication b ON b.oid = r.prpubid
