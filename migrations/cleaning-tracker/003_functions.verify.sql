-- The functions belong to app_owner, have their search_path pinned, and are not for PUBLIC.
SELECT count(*) = 6
   AND bool_and(p.proowner = 'app_owner'::regrole
                AND (p.proconfig @> ARRAY['search_path=pg_catalog, pg_temp']) IS TRUE
                AND NOT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
                                 WHERE a.grantee = 0)),
       string_agg(p.proname, ', ')
  FROM pg_proc AS p
 WHERE p.pronamespace = 'app_functions'::regnamespace
   AND p.proname IN ('refuse', 'register_user', 'login', 'create_task', 'assign_task', 'complete_task');

-- Visitors register and log in; only those who did so manage tasks.
SELECT has_function_privilege('api_anon', 'app_functions.login(text, text)', 'EXECUTE')
   AND NOT has_function_privilege('api_anon', 'app_functions.create_task(text, text)', 'EXECUTE')
   AND has_function_privilege('api_authenticated', 'app_functions.create_task(text, text)', 'EXECUTE');
