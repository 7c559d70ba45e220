-- habitat: description Registration, login and the management of tasks
-- habitat: role app_owner
-- habitat: requires 002_access

-- These run with the owner's rights, so each finds its objects by full names and nothing by a caller's search_path; none may
-- be executed by PUBLIC. What they set for the response (response.status) is what PostgREST reads.

CREATE FUNCTION app_functions.refuse(p_status integer, p_error text) RETURNS json
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('response.status', p_status::text, true);
    RETURN json_build_object('error', p_error);
END;
$$;
COMMENT ON FUNCTION app_functions.refuse(integer, text) IS 'The response to a request that cannot be met.';

CREATE FUNCTION app_functions.register_user(p_username text, p_password text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user_id integer;
BEGIN
    IF coalesce(btrim(p_username), '') = '' THEN
        RETURN app_functions.refuse(400, 'Username cannot be empty');
    END IF;
    IF coalesce(btrim(p_password), '') = '' THEN
        RETURN app_functions.refuse(400, 'Password cannot be empty');
    END IF;
    -- Bcrypt looks at 72 bytes; a longer password would be accepted by its beginning.
    IF octet_length(p_password) > 72 THEN
        RETURN app_functions.refuse(400, 'Password is too long');
    END IF;

    -- The constraint decides, also between two who register the same name at once.
    INSERT INTO app_data.users (username, password_hash)
    VALUES (p_username, public.crypt(p_password, public.gen_salt('bf', 8)))
    ON CONFLICT (username) DO NOTHING
    RETURNING user_id INTO v_user_id;
    IF v_user_id IS NULL THEN
        RETURN app_functions.refuse(400, 'Username already exists');
    END IF;

    PERFORM set_config('response.status', '201', true);
    RETURN json_build_object('user_id', v_user_id, 'username', p_username, 'message', 'User registered successfully');
END;
$$;

CREATE FUNCTION app_functions.login(p_username text, p_password text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user_id integer;
BEGIN
    IF coalesce(btrim(p_username), '') = '' THEN
        RETURN app_functions.refuse(401, 'Username cannot be empty');
    END IF;
    IF coalesce(btrim(p_password), '') = '' THEN
        RETURN app_functions.refuse(401, 'Password cannot be empty');
    END IF;

    SELECT u.user_id INTO v_user_id
      FROM app_data.users AS u
     WHERE u.username = p_username AND u.password_hash = public.crypt(p_password, u.password_hash);
    IF v_user_id IS NULL THEN
        RETURN app_functions.refuse(401, 'Invalid credentials');
    END IF;

    RETURN json_build_object('user_id', v_user_id, 'username', p_username, 'message', 'Login successful');
END;
$$;

CREATE FUNCTION app_functions.create_task(p_task_name text, p_description text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_task_id integer;
BEGIN
    IF coalesce(btrim(p_task_name), '') = '' THEN
        RETURN app_functions.refuse(400, 'Task name cannot be empty');
    END IF;

    INSERT INTO app_data.tasks (task_name, description)
    VALUES (p_task_name, coalesce(p_description, ''))
    ON CONFLICT (task_name) DO NOTHING
    RETURNING task_id INTO v_task_id;
    IF v_task_id IS NULL THEN
        RETURN app_functions.refuse(400, 'Task name already exists');
    END IF;

    PERFORM set_config('response.status', '201', true);
    RETURN json_build_object('task_id', v_task_id, 'task_name', p_task_name, 'description', coalesce(p_description, ''),
                             'message', 'Task created successfully');
END;
$$;

CREATE FUNCTION app_functions.assign_task(p_task_id integer, p_user_id integer) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_assignment_id integer;
BEGIN
    INSERT INTO app_data.task_assignments (task_id, user_id)
    SELECT t.task_id, u.user_id
      FROM app_data.tasks AS t, app_data.users AS u
     WHERE t.task_id = p_task_id AND u.user_id = p_user_id
    RETURNING assignment_id INTO v_assignment_id;
    IF v_assignment_id IS NULL THEN
        RETURN app_functions.refuse(404, 'No such task or user');
    END IF;

    PERFORM set_config('response.status', '201', true);
    RETURN json_build_object('assignment_id', v_assignment_id, 'message', 'Task assigned successfully');
END;
$$;

CREATE FUNCTION app_functions.complete_task(p_assignment_id integer) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE app_data.task_assignments
       SET completed_at = now()
     WHERE assignment_id = p_assignment_id AND completed_at IS NULL;
    IF NOT FOUND THEN
        RETURN app_functions.refuse(404, 'No such open assignment');
    END IF;
    RETURN json_build_object('assignment_id', p_assignment_id, 'message', 'Task completed successfully');
END;
$$;

-- Provisioning has taken PUBLIC's right to execute what app_owner will create; said again here, where it matters most.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA app_functions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app_functions.register_user(text, text), app_functions.login(text, text)
    TO api_anon, api_authenticated;
GRANT EXECUTE ON FUNCTION app_functions.create_task(text, text), app_functions.assign_task(integer, integer),
    app_functions.complete_task(integer) TO api_authenticated;
