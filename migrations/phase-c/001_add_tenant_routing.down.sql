-- habitat: lock-timeout 2s

-- Takes the columns away, and with them their index and constraints. Slugs that were edited by hand are lost:
-- a later run derives them from the names again.

DROP TRIGGER users_assign_allowed_tenants ON public.users;
DROP FUNCTION public.assign_allowed_tenants();
DROP TRIGGER companies_assign_slug ON public.companies;
DROP FUNCTION public.assign_company_slug();
DROP FUNCTION public.free_company_slug(text);

ALTER TABLE public.companies
    DROP COLUMN slug,
    DROP COLUMN tenant_enabled,
    DROP COLUMN tenant_config;
ALTER TABLE public.users DROP COLUMN allowed_tenants;
ALTER TABLE public.sessions
    DROP COLUMN tenant_id,
    DROP COLUMN last_tenant_switch_at;
