SELECT count(*) = 3 FROM pg_tables
 WHERE schemaname = 'public' AND tablename IN ('customers', 'orders', 'order_lines');
SELECT to_regclass('public.best_sellers') IS NOT NULL;
