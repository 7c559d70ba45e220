-- habitat: description What the API shows
-- habitat: role app_owner
-- habitat: requires 002_access

CREATE VIEW api.users AS
SELECT u.user_id, u.username, u.created_at
  FROM app_data.users AS u;

CREATE VIEW api.tasks AS
SELECT t.task_id, t.task_name, t.description
  FROM app_data.tasks AS t;

CREATE VIEW api.task_assignments AS
SELECT a.assignment_id, a.task_id, t.task_name, t.description, a.user_id, u.username AS assigned_to,
       a.assigned_at, a.completed_at, a.is_approved
  FROM app_data.task_assignments AS a
  JOIN app_data.users AS u ON u.user_id = a.user_id
  JOIN app_data.tasks AS t ON t.task_id = a.task_id;

-- A view reads with its owner's rights and policies unless it says otherwise, which PostgreSQL can since version 15.
-- In 14 the views show what the owner's policies show: all of it, as the readers' policies do.
DO $$
BEGIN
    IF current_setting('server_version_num')::integer >= 150000 THEN
        ALTER VIEW api.users SET (security_invoker = true);
        ALTER VIEW api.tasks SET (security_invoker = true);
        ALTER VIEW api.task_assignments SET (security_invoker = true);
    END IF;
END;
$$;

GRANT SELECT ON api.users, api.tasks, api.task_assignments TO api_anon, api_authenticated;
