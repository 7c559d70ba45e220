-- habitat: role app_owner

DROP VIEW api.task_assignments;
DROP VIEW api.tasks;
DROP VIEW api.users;
