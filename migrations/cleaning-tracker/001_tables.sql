-- habitat: description Users, tasks, assignments and the frontend's assets
-- habitat: role app_owner

-- Everything is created as app_owner, whoever deploys: that is what `role` says in each of these scripts. The schemas and
-- roles exist before, by the provisioning. A development database that had these tables in `public` is brought here by
-- the set `cleaning-tracker-conversion`, and this migration is then recorded as applied.

CREATE TABLE app_data.users (
    user_id       serial PRIMARY KEY,
    username      varchar(255) UNIQUE NOT NULL,
    password_hash text NOT NULL,
    created_at    timestamptz DEFAULT now()
);

CREATE TABLE app_data.tasks (
    task_id     serial PRIMARY KEY,
    task_name   varchar(255) UNIQUE NOT NULL,
    description text
);

CREATE TABLE app_data.task_assignments (
    assignment_id serial PRIMARY KEY,
    task_id       integer NOT NULL REFERENCES app_data.tasks (task_id),
    user_id       integer NOT NULL REFERENCES app_data.users (user_id),
    assigned_at   timestamptz DEFAULT now(),
    completed_at  timestamptz,
    is_approved   boolean
);

CREATE TABLE app_frontend.frontend_assets (
    asset_id     serial PRIMARY KEY,
    asset_name   varchar(255) UNIQUE NOT NULL,
    content_type varchar(100) NOT NULL,
    content      text NOT NULL,
    created_at   timestamptz DEFAULT now(),
    updated_at   timestamptz DEFAULT now()
);
