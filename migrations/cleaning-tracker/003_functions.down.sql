-- habitat: role app_owner

DROP FUNCTION app_functions.complete_task(integer);
DROP FUNCTION app_functions.assign_task(integer, integer);
DROP FUNCTION app_functions.create_task(text, text);
DROP FUNCTION app_functions.login(text, text);
DROP FUNCTION app_functions.register_user(text, text);
DROP FUNCTION app_functions.refuse(integer, text);
