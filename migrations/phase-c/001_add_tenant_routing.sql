-- habitat: description Tenant routing: slugs of companies, tenants of users and sessions
-- habitat: lock-timeout 2s

-- A company is addressed by its slug, a user may enter the tenants of a list, and a session remembers the
-- tenant that it is in. A tenant in such a list is the id of a company, as text.
--
-- Risk: medium. Columns are added and every row of the three tables is written once, so all three are
-- locked until it commits: run it in a maintenance window. Programs that know nothing of the columns go on
-- working, because triggers fill in what such a program leaves out.


-- Companies ------------------------------------------------------------------------------------------------

-- The constraint has the name of the index that the runbook wants; a second index would only cost writes.
ALTER TABLE public.companies
    ADD COLUMN slug varchar(100),
    ADD COLUMN tenant_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN tenant_config jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT idx_companies_slug UNIQUE (slug),
    ADD CONSTRAINT companies_slug_form CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    ADD CONSTRAINT companies_tenant_config_object CHECK (jsonb_typeof(tenant_config) = 'object');
COMMENT ON COLUMN public.companies.slug IS 'Names the tenant in addresses; derived from the name once, then kept.';
COMMENT ON COLUMN public.companies.tenant_enabled IS 'Whether requests for the tenant are served.';
COMMENT ON COLUMN public.companies.tenant_config IS 'Settings of the tenant''s routing.';

CREATE FUNCTION public.free_company_slug(p_name text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_plain     text := p_name;
    v_base      text;
    v_candidate text;
    v_number    integer := 1;
BEGIN
    -- Letters lose their accents where the encoding allows it; what is then no ASCII letter or digit divides.
    IF getdatabaseencoding() = 'UTF8' THEN
        v_plain := regexp_replace(normalize(p_name, NFKD), '[\u0300-\u036f]', '', 'g');
    END IF;
    -- Collation C, because lower('I') is no ASCII letter in Turkish.
    v_base := regexp_replace(lower(v_plain COLLATE "C"), '[^a-z0-9]+', '-', 'g');
    v_base := btrim(left(btrim(v_base, '-'), 100), '-');
    IF v_base = '' THEN
        v_base := 'company';
    END IF;

    v_candidate := v_base;
    WHILE EXISTS (SELECT FROM public.companies AS c WHERE c.slug = v_candidate) LOOP
        v_number := v_number + 1;
        v_candidate := rtrim(left(v_base, 99 - length(v_number::text)), '-') || '-' || v_number;
    END LOOP;
    RETURN v_candidate;
END;
$$;
COMMENT ON FUNCTION public.free_company_slug(text) IS
    'A slug made of a company''s name that no company has: acme, acme-2, acme-3.';

-- One after the other and the oldest first, so that every run gives the same slugs.
DO $$
DECLARE
    v_company record;
BEGIN
    FOR v_company IN SELECT c.id, c.name FROM public.companies AS c ORDER BY c.created_at, c.id LOOP
        UPDATE public.companies SET slug = public.free_company_slug(v_company.name) WHERE id = v_company.id;
    END LOOP;
END;
$$;

ALTER TABLE public.companies ALTER COLUMN slug SET NOT NULL;

CREATE FUNCTION public.assign_company_slug() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.slug := coalesce(NEW.slug, public.free_company_slug(NEW.name));
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION public.assign_company_slug() IS
    'BEFORE INSERT row trigger: a company that comes without a slug gets one.';

CREATE TRIGGER companies_assign_slug BEFORE INSERT ON public.companies
    FOR EACH ROW EXECUTE FUNCTION public.assign_company_slug();


-- Users ----------------------------------------------------------------------------------------------------

ALTER TABLE public.users ADD COLUMN allowed_tenants text[];
UPDATE public.users SET allowed_tenants = ARRAY[company_id::text];
ALTER TABLE public.users ALTER COLUMN allowed_tenants SET NOT NULL;
COMMENT ON COLUMN public.users.allowed_tenants IS
    'Companies that the user may enter, by id; a new user''s own company unless a list is given.';

-- A column's default cannot refer to another column.
CREATE FUNCTION public.assign_allowed_tenants() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.allowed_tenants := coalesce(NEW.allowed_tenants, ARRAY[NEW.company_id::text]);
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION public.assign_allowed_tenants() IS
    'BEFORE INSERT row trigger: a user that comes without a list may enter their own company.';

CREATE TRIGGER users_assign_allowed_tenants BEFORE INSERT ON public.users
    FOR EACH ROW EXECUTE FUNCTION public.assign_allowed_tenants();


-- Sessions -------------------------------------------------------------------------------------------------

ALTER TABLE public.sessions
    ADD COLUMN tenant_id varchar(100),
    ADD COLUMN last_tenant_switch_at timestamptz;
COMMENT ON COLUMN public.sessions.tenant_id IS
    'The company that the session is in, by id; one of its user''s allowed_tenants. None until it is chosen.';
COMMENT ON COLUMN public.sessions.last_tenant_switch_at IS 'When tenant_id last changed; never, if it is null.';

-- Whoever is logged in is in their own company, as before.
UPDATE public.sessions AS s SET tenant_id = u.company_id::text FROM public.users AS u WHERE u.id = s.user_id;

CREATE INDEX idx_sessions_tenant_id ON public.sessions (tenant_id);
