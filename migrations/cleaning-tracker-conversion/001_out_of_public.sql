-- habitat: description Tables, sequences, views and functions leave `public` and the superuser who made them

-- For a development database whose tables lie in `public`, and whose functions lie in `api`, all owned by whoever made them.
-- Rows stay where they are: a table changes its schema and its owner, and its indexes, constraints and sequences go along.
-- Run it as an administrator (nobody else may give away what is not theirs); then record cleaning-tracker's 001_tables as
-- applied, and migrate on.

ALTER SCHEMA api OWNER TO app_owner;

ALTER TABLE public.users SET SCHEMA app_data;
ALTER TABLE public.tasks SET SCHEMA app_data;
ALTER TABLE public.task_assignments SET SCHEMA app_data;
ALTER TABLE public.frontend_assets SET SCHEMA app_frontend;

-- A view is bound to its tables, not to their names. Functions are what they were, in the functions' schema; those that
-- cleaning-tracker brings again would stand in its way, so they make room.
DO $$
DECLARE
    v_object record;
BEGIN
    FOR v_object IN
        SELECT format('ALTER %s %I.%I SET SCHEMA api', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
                      n.nspname, c.relname) AS command
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname = 'public' AND c.relkind IN ('v', 'm')
           AND NOT EXISTS (SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        UNION ALL
        SELECT format('ALTER ROUTINE %s SET SCHEMA app_functions', p.oid::regprocedure)
          FROM pg_proc AS p
         WHERE p.pronamespace IN (to_regnamespace('api'), 'public'::regnamespace) AND p.prokind <> 'a'
           AND NOT EXISTS (SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    LOOP
        EXECUTE v_object.command;
    END LOOP;

    FOR v_object IN
        -- A sequence that belongs to a column, and an index, have the table's owner.
        SELECT format('ALTER %s %I.%I OWNER TO app_owner',
                      CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                                     ELSE 'TABLE' END, n.nspname, c.relname) AS command
          FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
         WHERE n.nspname IN ('app_data', 'app_functions', 'app_frontend', 'api') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
           AND c.relowner <> 'app_owner'::regrole
           AND NOT EXISTS (SELECT FROM pg_depend AS d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
                              AND c.relkind = 'S')
        UNION ALL
        SELECT format('ALTER ROUTINE %s OWNER TO app_owner', p.oid::regprocedure)
          FROM pg_proc AS p
         WHERE p.pronamespace IN ('app_functions'::regnamespace, 'api'::regnamespace)
           AND p.proowner <> 'app_owner'::regrole
    LOOP
        EXECUTE v_object.command;
    END LOOP;

    FOR v_object IN
        SELECT format('DROP FUNCTION %s', p.oid::regprocedure) AS command
          FROM pg_proc AS p
         WHERE p.pronamespace = 'app_functions'::regnamespace AND p.prokind = 'f'
           AND p.proname IN ('register_user', 'login', 'create_task', 'assign_task', 'complete_task', 'serve_html',
                             'serve_css', 'serve_js', 'update_frontend_asset')
    LOOP
        EXECUTE v_object.command;
    END LOOP;
END;
$$;

-- Views of the API that development made by these names make room for cleaning-tracker's own.
DROP VIEW IF EXISTS api.task_assignments, api.tasks, api.users;

-- A constraint that did not keep what its name promised: nulls are all different to it. See 006_one_open_assignment.
ALTER TABLE app_data.task_assignments DROP CONSTRAINT IF EXISTS task_assignments_task_id_user_id_completed_at_key;

-- What read `public.users` goes on reading it, by a view with the rights of its reader's privileges as they were, until it has
-- learnt the new name.
CREATE VIEW public.users AS SELECT * FROM app_data.users;
CREATE VIEW public.tasks AS SELECT * FROM app_data.tasks;
CREATE VIEW public.task_assignments AS SELECT * FROM app_data.task_assignments;
CREATE VIEW public.frontend_assets AS SELECT * FROM app_frontend.frontend_assets;
DO $$
DECLARE
    v_grant record;
BEGIN
    FOR v_grant IN
        SELECT format('ALTER VIEW public.%I OWNER TO app_owner', name) AS command
          FROM unnest(ARRAY['users', 'tasks', 'task_assignments', 'frontend_assets']) AS name
        UNION ALL
        -- Privileges that applications had on a table, on the view that has its name now.
        SELECT format('GRANT %s ON public.%I TO %s', a.privilege_type, c.relname,
                      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
          FROM pg_class AS c, aclexplode(c.relacl) AS a
         WHERE c.oid IN ('app_data.users'::regclass, 'app_data.tasks'::regclass, 'app_data.task_assignments'::regclass,
                         'app_frontend.frontend_assets'::regclass)
           AND a.grantee <> c.relowner AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
    LOOP
        EXECUTE v_grant.command;
    END LOOP;

    -- On the tables themselves privileges begin anew, with cleaning-tracker's 002_access. The tracker is no table of theirs.
    FOR v_grant IN
        SELECT DISTINCT format('REVOKE ALL ON %s FROM %s', c.oid::regclass,
                               CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END) AS command
          FROM pg_class AS c, aclexplode(c.relacl) AS a
         WHERE c.relnamespace IN ('app_data'::regnamespace, 'app_frontend'::regnamespace) AND c.relkind IN ('r', 'S')
           AND c.relname !~ '^schema_migrations' AND a.grantee <> c.relowner
    LOOP
        EXECUTE v_grant.command;
    END LOOP;
END;
$$;
COMMENT ON VIEW public.users IS 'For programs that do not know app_data.users yet.';
COMMENT ON VIEW public.tasks IS 'For programs that do not know app_data.tasks yet.';
COMMENT ON VIEW public.task_assignments IS 'For programs that do not know app_data.task_assignments yet.';
COMMENT ON VIEW public.frontend_assets IS 'For programs that do not know app_frontend.frontend_assets yet.';
