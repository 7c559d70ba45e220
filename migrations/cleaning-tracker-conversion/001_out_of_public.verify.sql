-- Nothing in the application's schemas belongs to anybody but app_owner.
SELECT count(*) = 0, string_agg(object, ', ')
  FROM (SELECT c.oid::regclass::text AS object FROM pg_class AS c
         WHERE c.relnamespace IN ('app_data'::regnamespace, 'app_functions'::regnamespace, 'app_frontend'::regnamespace,
                                  'api'::regnamespace)
           AND c.relowner <> 'app_owner'::regrole
        UNION ALL
        SELECT p.oid::regprocedure::text FROM pg_proc AS p
         WHERE p.pronamespace IN ('app_functions'::regnamespace, 'api'::regnamespace)
           AND p.proowner <> 'app_owner'::regrole) AS foreign_owned;

-- No table is left in public.
SELECT count(*) = 0, string_agg(tablename, ', ')
  FROM pg_tables
 WHERE schemaname = 'public' AND tablename IN ('users', 'tasks', 'task_assignments', 'frontend_assets');
SELECT count(*) = 4 FROM pg_views
 WHERE schemaname = 'public' AND viewname IN ('users', 'tasks', 'task_assignments', 'frontend_assets')
   AND viewowner = 'app_owner';
