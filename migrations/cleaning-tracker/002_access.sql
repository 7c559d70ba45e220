-- habitat: description Who reads what: column grants and row-level security
-- habitat: role app_owner
-- habitat: requires 001_tables

-- Visitors and logged-in users read; they write through functions only. Nobody but the owner reads a password's hash.
GRANT SELECT (user_id, username, created_at) ON app_data.users TO api_anon, api_authenticated;
GRANT SELECT ON app_data.tasks, app_data.task_assignments TO api_anon, api_authenticated;
GRANT SELECT ON app_frontend.frontend_assets TO api_anon, api_authenticated;

ALTER TABLE app_data.users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE app_data.tasks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE app_data.task_assignments ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY read_users ON app_data.users FOR SELECT TO api_anon, api_authenticated USING (true);
CREATE POLICY read_tasks ON app_data.tasks FOR SELECT TO api_anon, api_authenticated USING (true);
CREATE POLICY read_assignments ON app_data.task_assignments FOR SELECT TO api_anon, api_authenticated USING (true);

-- FORCE holds the owner to the policies as well; functions that run with its rights need one.
CREATE POLICY owner_works ON app_data.users TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY owner_works ON app_data.tasks TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY owner_works ON app_data.task_assignments TO CURRENT_USER USING (true) WITH CHECK (true);

COMMENT ON COLUMN app_data.users.password_hash IS 'As crypt() of pgcrypto makes it; read by app_functions.login alone.';
COMMENT ON COLUMN app_data.task_assignments.is_approved IS 'Null until somebody has looked at the completed task.';
