-- habitat: role app_owner

DROP FUNCTION app_functions.update_frontend_asset(text, text, text);
DROP FUNCTION app_functions.serve_js(text);
DROP FUNCTION app_functions.serve_css(text);
DROP FUNCTION app_functions.serve_html(text);
DROP FUNCTION app_functions.serve_asset(text, text);
