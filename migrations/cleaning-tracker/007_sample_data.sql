-- habitat: description Sample users, tasks and assignments
-- habitat: environments development, test
-- habitat: role app_owner
-- habitat: requires 003_functions, 006_one_open_assignment

SELECT app_functions.register_user(name, 'password123') FROM unnest(ARRAY['user1', 'user2', 'user3']) AS name;

INSERT INTO app_data.tasks (task_name, description) VALUES
    ('Kitchen Cleaning', 'Clean the kitchen surfaces and floor.'),
    ('Bathroom Cleaning', 'Clean the toilet, shower, and sink.'),
    ('Living Room Tidying', 'Tidy up the living room area.'),
    ('Trash Duty', 'Take out the trash and recycling.'),
    ('Vacuuming', 'Vacuum all carpets and rugs.'),
    ('Dishwashing', 'Wash all dirty dishes.');

INSERT INTO app_data.task_assignments (task_id, user_id)
SELECT t.task_id, u.user_id
  FROM (SELECT task_id, row_number() OVER (ORDER BY task_id) - 1 AS n FROM app_data.tasks) AS t
  JOIN (SELECT user_id, row_number() OVER (ORDER BY username) - 1 AS n FROM app_data.users
         WHERE username IN ('user1', 'user2', 'user3')) AS u ON u.n = t.n % 3;
