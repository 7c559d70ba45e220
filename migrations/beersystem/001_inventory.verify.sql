SELECT count(*) = 3 FROM pg_tables
 WHERE schemaname = 'public' AND tablename IN ('breweries', 'beers', 'stock');
