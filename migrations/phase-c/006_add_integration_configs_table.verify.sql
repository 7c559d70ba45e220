-- A company has one integration with a platform, of a known platform, and its state is a known one.
SELECT count(*) = 4, string_agg(conname, ', ')
  FROM pg_constraint
 WHERE conrelid = 'public.integration_configs'::regclass AND convalidated
   AND (conname, contype) IN (('integration_configs_pkey', 'p'), ('idx_integration_configs_company_id', 'u'),
                              ('integration_configs_platform_check', 'c'),
                              ('integration_configs_last_sync_status_check', 'c'));

-- An integration is off until somebody turns it on.
SELECT a.attnotnull AND pg_get_expr(d.adbin, d.adrelid) = 'false', pg_get_expr(d.adbin, d.adrelid)
  FROM pg_attribute AS a
  JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = 'public.integration_configs'::regclass AND a.attname = 'enabled';

-- The log of deliveries outlives the integration: its foreign key sets null, and company and platform stay.
SELECT c.confdeltype = 'n' AND c.convalidated
       AND (SELECT count(*) = 2
              FROM pg_attribute AS a
             WHERE a.attrelid = c.conrelid AND a.attname IN ('company_id', 'platform') AND a.attnotnull),
       format('on delete %s', c.confdeltype)
  FROM pg_constraint AS c
 WHERE c.conrelid = 'public.integration_delivery_log'::regclass
   AND c.conname = 'integration_delivery_log_integration_config_id_fkey'
   AND c.confrelid = 'public.integration_configs'::regclass;

-- The states of a delivery are checked, and no row has another one.
SELECT count(*) = 1
       AND NOT EXISTS (SELECT FROM public.integration_delivery_log AS l
                        WHERE l.status NOT IN ('queued', 'sending', 'success', 'failed', 'retrying'))
  FROM pg_constraint
 WHERE conrelid = 'public.integration_delivery_log'::regclass
   AND conname = 'integration_delivery_log_status_check'
   AND contype = 'c' AND convalidated;

-- updated_at is kept by a trigger: before UPDATE (2 + 16), for each row (1).
SELECT count(*) = 1
  FROM pg_trigger
 WHERE tgrelid = 'public.integration_configs'::regclass
   AND tgfoid = 'public.set_updated_at()'::regprocedure
   AND tgenabled = 'O' AND tgtype = 1 + 2 + 16;

-- The look-ups have valid indexes.
SELECT count(*) = 5, string_agg(indexrelid::regclass::text, ', ')
  FROM pg_index
 WHERE indisvalid
   AND indexrelid IN (to_regclass('public.idx_integration_configs_company_id'),
                      to_regclass('public.idx_integration_configs_platform'),
                      to_regclass('public.idx_integration_delivery_log_config_id'),
                      to_regclass('public.idx_integration_delivery_log_delivered_at'),
                      to_regclass('public.idx_integration_delivery_log_status'));
