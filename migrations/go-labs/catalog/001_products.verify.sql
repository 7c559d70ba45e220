SELECT count(*) = 3 FROM pg_tables
 WHERE schemaname = 'catalog' AND tablename IN ('categories', 'products', 'prices');
