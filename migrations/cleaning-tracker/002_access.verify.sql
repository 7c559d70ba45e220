-- No role of the API reads a password's hash, or writes a table.
SELECT bool_and(NOT has_column_privilege(role, 'app_data.users', 'password_hash', 'SELECT')
                AND has_column_privilege(role, 'app_data.users', 'username', 'SELECT')
                AND NOT has_table_privilege(role, 'app_data.users', 'INSERT, UPDATE, DELETE')
                AND NOT has_table_privilege(role, 'app_data.tasks', 'INSERT, UPDATE, DELETE')
                AND NOT has_table_privilege(role, 'app_data.task_assignments', 'INSERT, UPDATE, DELETE')
                AND NOT has_table_privilege(role, 'app_frontend.frontend_assets', 'INSERT, UPDATE, DELETE'))
  FROM unnest(ARRAY['api_user', 'api_anon', 'api_authenticated']) AS role;

SELECT count(*) = 3 AND bool_and(relrowsecurity AND relforcerowsecurity)
  FROM pg_class
 WHERE relnamespace = 'app_data'::regnamespace AND relname IN ('users', 'tasks', 'task_assignments');
