-- habitat: description What Phase C finds: companies, their users and sessions

-- The part of the cockpit's schema that Phase C changes or refers to, with the kinds of rows that make it
-- hard: names that give the same slug, no slug, or too long a one, and roles in lower case.
--
-- Risk: none. A new database gets it; nothing is there before it.

CREATE TABLE public.companies (
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    name       varchar(255) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT companies_pkey PRIMARY KEY (id),
    CONSTRAINT companies_name_given CHECK (btrim(name) <> '')
);
COMMENT ON TABLE public.companies IS 'The tenants.';

CREATE TABLE public.users (
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    company_id uuid NOT NULL,
    email      varchar(255) NOT NULL,
    role       varchar(20) NOT NULL DEFAULT 'viewer',
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies (id)
);
COMMENT ON TABLE public.users IS 'Who may log in, each for one company.';
COMMENT ON COLUMN public.users.role IS 'The programs write admin and viewer.';

CREATE INDEX idx_users_company_id ON public.users (company_id);

CREATE TABLE public.sessions (
    id         varchar(255) NOT NULL,
    user_id    uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users (id) ON DELETE CASCADE,
    CONSTRAINT sessions_run_forward CHECK (expires_at > created_at)
);
COMMENT ON TABLE public.sessions IS 'Logins; a session goes with its user.';

CREATE INDEX idx_sessions_user_id ON public.sessions (user_id);

INSERT INTO public.companies (id, name, created_at) VALUES
    ('c0000000-0000-4000-8000-000000000001', 'Acme GmbH',      '2024-01-10 09:00:00+00'),
    ('c0000000-0000-4000-8000-000000000002', 'ACME  GmbH.',    '2024-02-11 09:00:00+00'),
    ('c0000000-0000-4000-8000-000000000003', 'Acme GmbH 2',    '2024-03-12 09:00:00+00'),
    ('c0000000-0000-4000-8000-000000000004', '株式会社',        '2024-04-13 09:00:00+00'),
    ('c0000000-0000-4000-8000-000000000005', 'Müller & Söhne', '2024-05-14 09:00:00+00'),
    ('c0000000-0000-4000-8000-000000000006', repeat('Very ', 30) || 'Long', '2024-06-15 09:00:00+00');

INSERT INTO public.users (id, company_id, email, role, created_at) VALUES
    ('a0000000-0000-4000-8000-000000000001', 'c0000000-0000-4000-8000-000000000001', 'ada@acme.example',
     'admin',  '2024-01-10 10:00:00+00'),
    ('a0000000-0000-4000-8000-000000000002', 'c0000000-0000-4000-8000-000000000001', 'bob@acme.example',
     'viewer', '2024-01-11 10:00:00+00'),
    ('a0000000-0000-4000-8000-000000000003', 'c0000000-0000-4000-8000-000000000002', 'cleo@acme2.example',
     'admin',  '2024-02-11 10:00:00+00'),
    ('a0000000-0000-4000-8000-000000000004', 'c0000000-0000-4000-8000-000000000004', 'dai@kaisha.example',
     'admin',  '2024-04-13 10:00:00+00'),
    ('a0000000-0000-4000-8000-000000000005', 'c0000000-0000-4000-8000-000000000005', 'eva@mueller.example',
     'viewer', '2024-05-14 10:00:00+00');

INSERT INTO public.sessions (id, user_id, created_at, expires_at) VALUES
    ('s-ada-1', 'a0000000-0000-4000-8000-000000000001', '2024-07-01 08:00:00+00', '2024-07-02 08:00:00+00'),
    ('s-ada-2', 'a0000000-0000-4000-8000-000000000001', '2024-07-03 08:00:00+00', '2024-07-04 08:00:00+00'),
    ('s-dai-1', 'a0000000-0000-4000-8000-000000000004', '2024-07-03 09:00:00+00', '2024-07-04 09:00:00+00'),
    ('s-eva-1', 'a0000000-0000-4000-8000-000000000005', '2024-07-03 10:00:00+00', '2024-07-04 10:00:00+00');
