-- habitat: description Roles as a type of four with a hierarchy, and permissions of roles
-- habitat: lock-timeout 2s
-- habitat: breaking

-- Users' roles become values of a type: viewer is VIEWER, admin is ADMIN, and MANAGER and SUPER_ADMIN are new.
-- A role that is none of the two stops the migration before it has changed anything: which of the four it
-- stands for is for a person to say.
--
-- Risk: high, although nothing is lost. The table users is written anew under a lock that keeps everybody out,
-- and a program that compares with or writes 'admin' or 'viewer' gets an error from then on: an older
-- program must not run on it.

DO $$
DECLARE
    v_unknown text;
BEGIN
    -- Nobody writes another role between this look and the change of the type.
    LOCK TABLE public.users IN ACCESS EXCLUSIVE MODE;

    SELECT string_agg(format('%s (%s users)', quote_literal(found.role), found.users), ', ') INTO v_unknown
      FROM (SELECT u.role, count(*) AS users
              FROM public.users AS u
             WHERE u.role NOT IN ('admin', 'viewer')
             GROUP BY u.role
             ORDER BY u.role
             LIMIT 10) AS found;

    IF v_unknown IS NOT NULL THEN
        RAISE EXCEPTION 'Users have roles other than admin and viewer'
            USING ERRCODE = 'check_violation', SCHEMA = 'public', TABLE = 'users', COLUMN = 'role',
                  DETAIL = format('Found: %s.', v_unknown),
                  HINT = 'Give these users one of the two roles, then migrate again.';
    END IF;
END;
$$;

CREATE TYPE public.user_role_enum AS ENUM ('VIEWER', 'MANAGER', 'ADMIN', 'SUPER_ADMIN');
COMMENT ON TYPE public.user_role_enum IS 'Roles from the least to the most powerful; they compare in this order.';

-- The default is of the old type and has no cast to the new one, so it goes first and comes back last.
ALTER TABLE public.users ALTER COLUMN role DROP DEFAULT;
ALTER TABLE public.users ALTER COLUMN role TYPE public.user_role_enum USING upper(role)::public.user_role_enum;
ALTER TABLE public.users ALTER COLUMN role SET DEFAULT 'VIEWER';


-- Hierarchy ------------------------------------------------------------------------------------------------

CREATE TABLE public.role_hierarchy (
    role        public.user_role_enum NOT NULL,
    level       integer NOT NULL,
    description text,
    CONSTRAINT role_hierarchy_pkey PRIMARY KEY (role),
    CONSTRAINT role_hierarchy_level_key UNIQUE (level)
);
COMMENT ON TABLE public.role_hierarchy IS 'What each role is for; a higher level includes the lower ones.';

INSERT INTO public.role_hierarchy (role, level, description) VALUES
    ('SUPER_ADMIN', 4, 'Full system access across all companies'),
    ('ADMIN',       3, 'Company administrator with full access to all features'),
    ('MANAGER',     2, 'Can view, export, and generate reports'),
    ('VIEWER',      1, 'Read-only access to dashboard and reports');


-- Permissions ----------------------------------------------------------------------------------------------

CREATE TABLE public.permissions (
    id          integer GENERATED ALWAYS AS IDENTITY,
    name        varchar(100) NOT NULL,
    resource    varchar(50) NOT NULL,
    action      varchar(50) NOT NULL,
    description text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT permissions_pkey PRIMARY KEY (id),
    CONSTRAINT permissions_name_key UNIQUE (name)
);
COMMENT ON TABLE public.permissions IS 'What can be allowed: an action on a kind of resource.';

CREATE TABLE public.role_permissions (
    role          public.user_role_enum NOT NULL,
    permission_id integer NOT NULL,
    CONSTRAINT role_permissions_pkey PRIMARY KEY (role, permission_id),
    CONSTRAINT role_permissions_permission_id_fkey FOREIGN KEY (permission_id)
        REFERENCES public.permissions (id) ON DELETE CASCADE
);
COMMENT ON TABLE public.role_permissions IS 'Which roles have which permissions.';

-- Without it, each permission that is deleted would be looked for in the whole table.
CREATE INDEX idx_role_permissions_permission_id ON public.role_permissions (permission_id);
