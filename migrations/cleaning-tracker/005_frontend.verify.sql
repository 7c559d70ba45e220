SELECT bool_and(has_function_privilege('api_anon', name, 'EXECUTE')), string_agg(name, ', ')
  FROM unnest(ARRAY['app_functions.serve_html(text)', 'app_functions.serve_css(text)',
                    'app_functions.serve_js(text)']) AS name;

-- No role of the API replaces what visitors are shown.
SELECT bool_and(NOT has_function_privilege(role, 'app_functions.update_frontend_asset(text, text, text)', 'EXECUTE'))
  FROM unnest(ARRAY['api_user', 'api_anon', 'api_authenticated']) AS role;
