-- A company has one set of weights for each score, of a known score, and weights are an object.
SELECT count(*) = 4, string_agg(conname, ', ')
  FROM pg_constraint
 WHERE conrelid = 'public.weight_overrides'::regclass AND convalidated
   AND (conname, contype) IN (('weight_overrides_pkey', 'p'), ('idx_weight_overrides_company_id', 'u'),
                              ('weight_overrides_category_check', 'c'), ('weight_overrides_weights_object', 'c'));

-- Every way to change weights is written down: the triggers fire after INSERT (4), UPDATE (16) and DELETE (8), for
-- each row (1), and the second one only where weights differ.
SELECT count(*) = 3, string_agg(tgname, ', ')
  FROM pg_trigger
 WHERE tgrelid = 'public.weight_overrides'::regclass
   AND tgfoid = 'public.track_weight_override_changes()'::regprocedure
   AND tgenabled = 'O'
   AND (tgname, tgtype, tgqual IS NOT NULL) IN (
        ('weight_override_insert_trigger', 1 + 4, false),
        ('weight_override_update_trigger', 1 + 16, true),
        ('weight_override_delete_trigger', 1 + 8, false));

-- The history has the weights of every override as they are now.
SELECT count(*) = 0, count(*) || ' overrides whose history ends with other weights, or has none'
  FROM public.weight_overrides AS w
  LEFT JOIN LATERAL (
        SELECT h.new_weights
          FROM public.weight_override_history AS h
         WHERE h.weight_override_id = w.id
         ORDER BY h.id DESC
         LIMIT 1) AS latest ON true
 WHERE latest.new_weights IS DISTINCT FROM w.weights;

-- The history is append-only, also for TRUNCATE (32), and no foreign key can take a row of it away.
SELECT count(*) = 1
       AND NOT EXISTS (SELECT FROM pg_constraint
                        WHERE conrelid = 'public.weight_override_history'::regclass AND contype = 'f'),
       string_agg(tgname, ', ')
  FROM pg_trigger
 WHERE tgrelid = 'public.weight_override_history'::regclass
   AND tgname = 'weight_override_history_append_only'
   AND tgfoid = 'public.refuse_weight_override_history_change()'::regprocedure
   AND tgenabled = 'O' AND tgtype = 2 + 8 + 16 + 32;

-- updated_at is kept by a trigger: before UPDATE, for each row.
SELECT count(*) = 1
  FROM pg_trigger
 WHERE tgrelid = 'public.weight_overrides'::regclass
   AND tgfoid = 'public.set_updated_at()'::regprocedure
   AND tgenabled = 'O' AND tgtype = 1 + 2 + 16;

-- The look-ups have valid indexes.
SELECT count(*) = 3, string_agg(indexrelid::regclass::text, ', ')
  FROM pg_index
 WHERE indisvalid
   AND indexrelid IN (to_regclass('public.idx_weight_overrides_company_id'),
                      to_regclass('public.idx_weight_override_history_weight_override_id'),
                      to_regclass('public.idx_weight_override_history_changed_at'));

-- Whatever search_path a caller has, the functions find what they mean; only the one that writes history has
-- its owner's rights.
SELECT count(*) = 3 AND bool_and((proconfig @> ARRAY['search_path=pg_catalog, pg_temp']) IS TRUE)
       AND bool_and(prosecdef = (proname = 'track_weight_override_changes')),
       string_agg(proname, ', ')
  FROM pg_proc
 WHERE pronamespace = 'public'::regnamespace
   AND proname IN ('set_updated_at', 'track_weight_override_changes', 'refuse_weight_override_history_change');
