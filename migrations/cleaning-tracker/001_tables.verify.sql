-- Tables and sequences are there, and belong to app_owner, whoever deployed.
SELECT count(*) = 8 AND bool_and(relowner = 'app_owner'::regrole),
       string_agg(oid::regclass || ' of ' || relowner::regrole, ', ') FILTER (WHERE relowner <> 'app_owner'::regrole)
  FROM pg_class
 WHERE oid IN (to_regclass('app_data.users'), to_regclass('app_data.tasks'), to_regclass('app_data.task_assignments'),
               to_regclass('app_frontend.frontend_assets'), to_regclass('app_data.users_user_id_seq'),
               to_regclass('app_data.tasks_task_id_seq'), to_regclass('app_data.task_assignments_assignment_id_seq'),
               to_regclass('app_frontend.frontend_assets_asset_id_seq'));
