-- The keys are a table, and their use is one that is divided by the time of use.
SELECT keys.relkind = 'r' AND usage.relkind = 'p' AND pg_get_partkeydef(usage.oid) = 'RANGE (used_at)',
       coalesce(pg_get_partkeydef(usage.oid), 'not partitioned')
  FROM pg_class AS keys, pg_class AS usage
 WHERE keys.oid = 'public.api_keys'::regclass AND usage.oid = 'public.api_key_usage'::regclass;

-- A use of any time finds a partition.
SELECT partdefid = 'public.api_key_usage_default'::regclass
  FROM pg_partitioned_table
 WHERE partrelid = 'public.api_key_usage'::regclass;

-- Every partition but the default one is a month of UTC.
SELECT count(*) = 0, string_agg(partition, ', ')
  FROM (SELECT c.relname AS partition,
               regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.+)''\) TO \(''(.+)''\)') AS bounds
          FROM pg_inherits AS i
          JOIN pg_class AS c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'public.api_key_usage'::regclass
           AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT') AS months
 WHERE to_char(bounds[1]::timestamptz AT TIME ZONE 'UTC', '"api_key_usage_"YYYY_MM') <> partition
    OR date_trunc('month', bounds[1]::timestamptz AT TIME ZONE 'UTC') <> bounds[1]::timestamptz AT TIME ZONE 'UTC'
    OR bounds[2]::timestamptz AT TIME ZONE 'UTC'
       <> bounds[1]::timestamptz AT TIME ZONE 'UTC' + interval '1 month';

-- A key's hash belongs to one key, and a key expires and is revoked after it was created.
SELECT count(*) = 4, string_agg(conname, ', ')
  FROM pg_constraint
 WHERE conrelid = 'public.api_keys'::regclass AND convalidated
   AND (conname, contype) IN (('api_keys_pkey', 'p'), ('idx_api_keys_key_hash', 'u'),
                              ('valid_expiry', 'c'), ('valid_revocation', 'c'));

-- No key breaks these rules.
SELECT count(*) = 0, count(*) || ' keys'
  FROM public.api_keys
 WHERE expires_at <= created_at OR revoked_at < created_at OR (revoked_by IS NOT NULL AND revoked_at IS NULL);

-- Keys go with their company and uses with their key; a user who leaves leaves the keys that they made.
SELECT count(*) = 4, string_agg(format('%s %s', conname, confdeltype), ', ')
  FROM pg_constraint
 WHERE contype = 'f' AND convalidated
   AND (conrelid, conname, confdeltype) IN (
        ('public.api_keys'::regclass, 'api_keys_company_id_fkey', 'c'),
        ('public.api_keys'::regclass, 'api_keys_created_by_fkey', 'n'),
        ('public.api_keys'::regclass, 'api_keys_revoked_by_fkey', 'n'),
        ('public.api_key_usage'::regclass, 'api_key_usage_api_key_id_fkey', 'c'));

-- The look-ups have valid indexes; those on the use are valid only if every partition has its part.
SELECT count(*) = 5, string_agg(indexrelid::regclass::text, ', ')
  FROM pg_index
 WHERE indisvalid
   AND indexrelid IN (to_regclass('public.idx_api_keys_company_id'),
                      to_regclass('public.idx_api_keys_key_hash'),
                      to_regclass('public.idx_api_keys_expires_at'),
                      to_regclass('public.idx_api_key_usage_api_key_id'),
                      to_regclass('public.idx_api_key_usage_used_at'));

-- The function that makes months means the same for every caller, and PUBLIC cannot run it.
SELECT (proconfig @> ARRAY['search_path=pg_catalog, pg_temp', 'TimeZone=UTC']) IS TRUE
       AND NOT EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a WHERE a.grantee = 0),
       array_to_string(proconfig, '; ')
  FROM pg_proc
 WHERE oid = 'public.create_api_key_usage_partitions(date, integer)'::regprocedure;
