-- habitat: role app_owner

DELETE FROM app_data.task_assignments AS a
 USING app_data.users AS u
 WHERE u.user_id = a.user_id AND u.username IN ('user1', 'user2', 'user3');
DELETE FROM app_data.tasks
 WHERE task_name IN ('Kitchen Cleaning', 'Bathroom Cleaning', 'Living Room Tidying', 'Trash Duty', 'Vacuuming',
                     'Dishwashing');
DELETE FROM app_data.users WHERE username IN ('user1', 'user2', 'user3');
