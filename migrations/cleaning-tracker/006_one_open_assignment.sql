-- habitat: description A task is open for a user once at most
-- habitat: role app_owner
-- habitat: requires 001_tables

-- A unique constraint over (task_id, user_id, completed_at) does not say it: nulls are all different to it.
CREATE UNIQUE INDEX task_assignments_one_open ON app_data.task_assignments (task_id, user_id) WHERE completed_at IS NULL;
CREATE INDEX task_assignments_user ON app_data.task_assignments (user_id);
