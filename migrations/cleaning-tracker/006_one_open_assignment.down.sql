-- habitat: role app_owner

DROP INDEX app_data.task_assignments_user;
DROP INDEX app_data.task_assignments_one_open;
