-- habitat: role app_owner

COMMENT ON COLUMN app_data.task_assignments.is_approved IS NULL;
COMMENT ON COLUMN app_data.users.password_hash IS NULL;

DROP POLICY owner_works ON app_data.task_assignments;
DROP POLICY owner_works ON app_data.tasks;
DROP POLICY owner_works ON app_data.users;
DROP POLICY read_assignments ON app_data.task_assignments;
DROP POLICY read_tasks ON app_data.tasks;
DROP POLICY read_users ON app_data.users;

ALTER TABLE app_data.task_assignments NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
ALTER TABLE app_data.tasks NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
ALTER TABLE app_data.users NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;

REVOKE SELECT ON app_frontend.frontend_assets FROM api_anon, api_authenticated;
REVOKE SELECT ON app_data.tasks, app_data.task_assignments FROM api_anon, api_authenticated;
REVOKE SELECT (user_id, username, created_at) ON app_data.users FROM api_anon, api_authenticated;
