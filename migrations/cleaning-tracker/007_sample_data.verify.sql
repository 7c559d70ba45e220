SELECT (SELECT count(*) FROM app_data.users WHERE username IN ('user1', 'user2', 'user3')) = 3
   AND (SELECT count(*) FROM app_data.tasks) >= 6
   AND (SELECT count(*) FROM app_data.task_assignments) >= 6;
