-- The columns are there, of the types and with the defaults that programs rely on.
SELECT count(*) = 6, count(*) || ' of 6 columns'
  FROM pg_attribute AS a
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  JOIN (VALUES
        ('public.companies', 'slug',                  'character varying(100)',   true,  NULL),
        ('public.companies', 'tenant_enabled',        'boolean',                  true,  'true'),
        ('public.companies', 'tenant_config',         'jsonb',                    true,  '''{}''::jsonb'),
        ('public.users',     'allowed_tenants',       'text[]',                   true,  NULL),
        ('public.sessions',  'tenant_id',             'character varying(100)',   false, NULL),
        ('public.sessions',  'last_tenant_switch_at', 'timestamp with time zone', false, NULL)
       ) AS expected (relation, name, type, not_null, default_value)
    ON a.attrelid = expected.relation::regclass
   AND a.attname = expected.name
   AND format_type(a.atttypid, a.atttypmod) = expected.type
   AND a.attnotnull = expected.not_null
   AND pg_get_expr(d.adbin, d.adrelid) IS NOT DISTINCT FROM expected.default_value;

-- Every company has a slug.
SELECT count(*) = 0, count(*) || ' companies without a slug' FROM public.companies WHERE slug IS NULL;

-- No two companies share a slug, and every slug can stand in an address.
SELECT count(DISTINCT slug) = count(slug) AND bool_and(slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$') IS NOT FALSE,
       count(slug) - count(DISTINCT slug) || ' slugs that another company has, '
       || count(*) FILTER (WHERE slug !~ '^[a-z0-9]+(-[a-z0-9]+)*$') || ' of another form'
  FROM public.companies;

-- Every user has a list of tenants.
SELECT count(*) = 0, count(*) || ' users without a list' FROM public.users WHERE allowed_tenants IS NULL;

-- Both look-ups have a valid index; that of the slugs keeps them unique.
SELECT bool_and(i.indisvalid) AND count(*) = 2, string_agg(i.indexrelid::regclass::text, ', ')
  FROM pg_index AS i
  JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
 WHERE (i.indrelid, a.attname) IN (('public.companies'::regclass, 'slug'), ('public.sessions'::regclass, 'tenant_id'))
   AND i.indexrelid IN (to_regclass('public.idx_companies_slug'), to_regclass('public.idx_sessions_tenant_id'))
   AND i.indisunique = (a.attname = 'slug');

-- Programs that know nothing of the columns can insert: both triggers fire for them.
SELECT count(*) = 2, count(*) || ' of 2 triggers'
  FROM pg_trigger
 WHERE tgenabled = 'O'
   AND (tgrelid, tgname, tgfoid) IN (
        ('public.companies'::regclass, 'companies_assign_slug', 'public.assign_company_slug()'::regprocedure),
        ('public.users'::regclass, 'users_assign_allowed_tenants', 'public.assign_allowed_tenants()'::regprocedure));

-- Whatever search_path a caller has, the functions find what they mean.
SELECT bool_and((proconfig @> ARRAY['search_path=pg_catalog, pg_temp']) IS TRUE) AND count(*) = 3,
       count(*) || ' functions'
  FROM pg_proc
 WHERE pronamespace = 'public'::regnamespace
   AND proname IN ('free_company_slug', 'assign_company_slug', 'assign_allowed_tenants');
