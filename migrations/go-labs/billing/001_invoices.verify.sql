SELECT to_regclass('billing.invoices') IS NOT NULL AND to_regclass('billing.invoice_lines') IS NOT NULL;

-- Nothing of this service leans on another schema.
SELECT count(*) = 0, string_agg(conname, ', ')
  FROM pg_constraint
 WHERE contype = 'f' AND connamespace = 'billing'::regnamespace
   AND confrelid NOT IN (SELECT oid FROM pg_class WHERE relnamespace = 'billing'::regnamespace);
