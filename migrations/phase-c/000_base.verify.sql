-- The three tables are there.
SELECT bool_and(to_regclass(name) IS NOT NULL),
       'missing: ' || string_agg(name, ', ') FILTER (WHERE to_regclass(name) IS NULL)
  FROM (VALUES ('public.companies'), ('public.users'), ('public.sessions')) AS expected (name);

-- Every user belongs to a company and every session to a user: the foreign keys are there and validated.
SELECT count(*) = 2, count(*) || ' of 2 foreign keys'
  FROM pg_constraint
 WHERE contype = 'f' AND convalidated
   AND (conrelid, conname) IN ((to_regclass('public.users'), 'users_company_id_fkey'),
                               (to_regclass('public.sessions'), 'sessions_user_id_fkey'));
