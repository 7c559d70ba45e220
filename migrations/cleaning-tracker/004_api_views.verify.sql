SELECT count(*) = 3
   AND bool_and(relowner = 'app_owner'::regrole AND has_table_privilege('api_anon', oid, 'SELECT')
                AND (current_setting('server_version_num')::integer < 150000
                     OR (reloptions @> ARRAY['security_invoker=true']) IS TRUE)),
       string_agg(relname, ', ')
  FROM pg_class
 WHERE oid IN (to_regclass('api.users'), to_regclass('api.tasks'), to_regclass('api.task_assignments'));
