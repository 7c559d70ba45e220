-- The type has the four roles, from the least to the most powerful.
SELECT array_agg(enumlabel::text ORDER BY enumsortorder) = ARRAY['VIEWER', 'MANAGER', 'ADMIN', 'SUPER_ADMIN'],
       string_agg(enumlabel, ', ' ORDER BY enumsortorder)
  FROM pg_enum
 WHERE enumtypid = 'public.user_role_enum'::regtype;

-- Users' roles are of that type, always given, and VIEWER unless another one is.
SELECT format_type(a.atttypid, a.atttypmod)::regtype = 'public.user_role_enum'::regtype
       AND a.attnotnull
       AND coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE '''VIEWER''::%user_role_enum',
       format_type(a.atttypid, a.atttypmod) || ' default ' || coalesce(pg_get_expr(d.adbin, d.adrelid), 'none')
  FROM pg_attribute AS a
  LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = 'public.users'::regclass AND a.attname = 'role';

-- Every user has a role, and the hierarchy knows it.
SELECT count(*) = 0, count(*) || ' users whose role is not in the hierarchy'
  FROM public.users AS u
  LEFT JOIN public.role_hierarchy AS h ON h.role = u.role
 WHERE h.role IS NULL;

-- The hierarchy has every role of the type, in the type's own order.
SELECT array_agg(h.role ORDER BY h.level) IS NOT DISTINCT FROM enum_range(NULL::public.user_role_enum),
       string_agg(h.level || ' ' || h.role, ', ' ORDER BY h.level)
  FROM public.role_hierarchy AS h;

-- A permission that is deleted takes its grants along, and finds them by an index.
SELECT count(*) = 1, count(*) || ' foreign keys with an index'
  FROM pg_constraint AS c
  JOIN pg_index AS i ON i.indrelid = c.conrelid AND i.indkey[0] = c.conkey[1] AND i.indisvalid
 WHERE c.conrelid = 'public.role_permissions'::regclass
   AND c.conname = 'role_permissions_permission_id_fkey'
   AND c.confrelid = 'public.permissions'::regclass
   AND c.confdeltype = 'c';

-- A permission has one name, and a name one permission.
SELECT count(*) = 2, string_agg(conname, ', ')
  FROM pg_constraint
 WHERE conrelid = 'public.permissions'::regclass
   AND (conname, contype) IN (('permissions_pkey', 'p'), ('permissions_name_key', 'u'));
