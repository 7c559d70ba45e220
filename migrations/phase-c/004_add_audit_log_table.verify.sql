-- The log is there, and the role of who acted is of the type of roles.
SELECT atttypid = 'public.user_role_enum'::regtype, format_type(atttypid, atttypmod)
  FROM pg_attribute
 WHERE attrelid = 'public.audit_log'::regclass AND attname = 'user_role' AND NOT attisdropped;

-- The log is append-only: the triggers that refuse changes fire, for each row and for TRUNCATE.
-- The bits of tgtype: 1 for each row, 2 before, 8 DELETE, 16 UPDATE, 32 TRUNCATE.
SELECT count(*) = 2, count(*) || ' of 2 triggers'
  FROM pg_trigger
 WHERE tgrelid = 'public.audit_log'::regclass
   AND tgfoid = 'public.refuse_audit_log_change()'::regprocedure
   AND tgenabled = 'O' AND tgqual IS NULL AND tgattr = ''
   AND (tgname, tgtype) IN (('audit_log_append_only', 1 + 2 + 8 + 16), ('audit_log_not_truncated', 2 + 32));

-- Deleting a user or a company never takes a row of the trail along.
SELECT count(*) = 2, string_agg(format('%s %s', conname, confdeltype), ', ')
  FROM pg_constraint
 WHERE contype = 'f' AND convalidated
   AND conrelid = 'public.audit_log'::regclass
   AND (conname, confdeltype) IN (('audit_log_company_id_fkey', 'r'), ('audit_log_user_id_fkey', 'n'));

-- The severity is checked, once, and so is that a row tells who acted.
SELECT count(*) = 2 AND count(*) FILTER (WHERE conname = 'valid_severity') = 1, string_agg(conname, ', ')
  FROM pg_constraint
 WHERE conrelid = 'public.audit_log'::regclass AND contype = 'c' AND convalidated;

-- No row has an unknown severity or nobody's name.
SELECT count(*) = 0, count(*) || ' rows'
  FROM public.audit_log
 WHERE severity NOT IN ('info', 'warning', 'error') OR (user_id IS NOT NULL AND user_email IS NULL);

-- The look-ups have valid indexes.
SELECT count(*) = 5, string_agg(indexrelid::regclass::text, ', ')
  FROM pg_index
 WHERE indisvalid
   AND indexrelid IN (to_regclass('public.idx_audit_log_company_id'),
                      to_regclass('public.idx_audit_log_user_id'),
                      to_regclass('public.idx_audit_log_timestamp'),
                      to_regclass('public.idx_audit_log_action'),
                      to_regclass('public.idx_audit_log_severity'));

-- The retention is 90 days unless another is given, means the same for every caller, and PUBLIC cannot run it.
SELECT pg_get_function_arguments(oid) = 'retention_days integer DEFAULT 90'
       AND (proconfig @> ARRAY['search_path=pg_catalog, pg_temp']) IS TRUE
       AND NOT prosecdef
       AND NOT EXISTS (SELECT FROM aclexplode(coalesce(proacl, acldefault('f', proowner))) AS a WHERE a.grantee = 0),
       pg_get_function_arguments(oid)
  FROM pg_proc
 WHERE oid = 'public.cleanup_old_audit_logs(integer)'::regprocedure;
