-- habitat: role app_owner

DROP TABLE app_frontend.frontend_assets;
DROP TABLE app_data.task_assignments;
DROP TABLE app_data.tasks;
DROP TABLE app_data.users;
