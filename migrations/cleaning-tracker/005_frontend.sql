-- habitat: description Functions that serve and replace the frontend's assets
-- habitat: role app_owner
-- habitat: requires 003_functions

-- One asset with its headers. PostgREST reads response.headers as a JSON array of one object for each header.
CREATE FUNCTION app_functions.serve_asset(p_asset_name text, p_content_type text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_content      text;
    v_content_type text;
BEGIN
    SELECT a.content, coalesce(p_content_type, a.content_type) INTO v_content, v_content_type
      FROM app_frontend.frontend_assets AS a
     WHERE a.asset_name = p_asset_name;
    IF NOT FOUND THEN
        PERFORM set_config('response.status', '404', true);
        RETURN 'Asset not found';
    END IF;
    PERFORM set_config('response.headers',
                       json_build_array(json_build_object('Content-Type', v_content_type || '; charset=utf-8'),
                                        json_build_object('Cache-Control', 'public, max-age=3600'))::text, true);
    RETURN v_content;
END;
$$;

CREATE FUNCTION app_functions.serve_html(p_asset_name text DEFAULT 'index.html') RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT app_functions.serve_asset(p_asset_name, NULL) $$;

CREATE FUNCTION app_functions.serve_css(p_asset_name text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT app_functions.serve_asset(p_asset_name, 'text/css') $$;

CREATE FUNCTION app_functions.serve_js(p_asset_name text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$ SELECT app_functions.serve_asset(p_asset_name, 'application/javascript') $$;

CREATE FUNCTION app_functions.update_frontend_asset(p_asset_name text, p_content_type text, p_content text) RETURNS json
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_asset_id integer;
BEGIN
    IF coalesce(btrim(p_asset_name), '') = '' THEN
        RETURN app_functions.refuse(400, 'Asset name cannot be empty');
    END IF;
    IF coalesce(btrim(p_content_type), '') = '' THEN
        RETURN app_functions.refuse(400, 'Content type cannot be empty');
    END IF;
    IF p_content IS NULL THEN
        RETURN app_functions.refuse(400, 'Content cannot be empty');
    END IF;

    INSERT INTO app_frontend.frontend_assets AS a (asset_name, content_type, content)
    VALUES (p_asset_name, p_content_type, p_content)
    ON CONFLICT (asset_name) DO UPDATE
       SET content_type = EXCLUDED.content_type, content = EXCLUDED.content, updated_at = now()
    RETURNING a.asset_id INTO v_asset_id;

    PERFORM set_config('response.status', '200', true);
    RETURN json_build_object('message', 'Asset updated successfully', 'asset_id', v_asset_id, 'asset_name', p_asset_name);
END;
$$;

REVOKE ALL ON FUNCTION app_functions.serve_asset(text, text), app_functions.serve_html(text), app_functions.serve_css(text),
    app_functions.serve_js(text), app_functions.update_frontend_asset(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app_functions.serve_asset(text, text), app_functions.serve_html(text),
    app_functions.serve_css(text), app_functions.serve_js(text) TO api_anon, api_authenticated;
-- What every visitor is shown is replaced by a deployment, as app_owner: update_frontend_asset is granted to nobody.
