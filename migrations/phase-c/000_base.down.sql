-- Takes the three tables away with everything in them.

DROP TABLE public.sessions;
DROP TABLE public.users;
DROP TABLE public.companies;
