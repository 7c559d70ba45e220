-- The tables are there.
SELECT bool_and(to_regclass(name) IS NOT NULL),
       'missing: ' || string_agg(name, ', ') FILTER (WHERE to_regclass(name) IS NULL)
  FROM (VALUES ('people.members'), ('people.memberships'), ('people.member_roles'), ('people.approval_policies'),
               ('people.contributions'), ('people.contribution_evidence'), ('people.contribution_approvals'),
               ('people.ens_names'), ('people.ens_records')) AS expected (name);

-- One address is one member, however it is spelt.
SELECT count(*) = 1, count(*) || ' indexes'
  FROM pg_index
 WHERE indexrelid = to_regclass('people.members_email_unique')
   AND indrelid = 'people.members'::regclass
   AND indisunique AND indisvalid AND indpred IS NULL;

-- Nobody approves their own contribution: the contributor is carried along by a foreign key, and compared.
SELECT count(*) = 2, string_agg(conname, ', ')
  FROM pg_constraint
 WHERE conrelid = 'people.contribution_approvals'::regclass AND convalidated
   AND (conname, contype) IN (('contribution_approvals_contribution_fkey', 'f'),
                              ('contribution_approvals_not_own', 'c'));

-- Decisions are final and need what they need: before, for each row of INSERT (4) and UPDATE (16).
SELECT count(*) = 2, string_agg(tgname, ', ')
  FROM pg_trigger
 WHERE tgenabled = 'O' AND tgtype = 1 + 2 + 4 + 16
   AND (tgrelid, tgfoid) IN (
        ('people.contributions'::regclass, 'people.guard_contribution()'::regprocedure),
        ('people.contribution_approvals'::regclass, 'people.guard_approval()'::regprocedure));

-- No category of contributions, and no value, is approved by nobody.
SELECT bool_and(people.approvals_required(category, value) >= 1)
  FROM unnest(enum_range(NULL::people.patronage_category)) AS category,
       unnest(ARRAY[0, 9999.99, 10000, 1000000]) AS value;

-- What was approved was submitted and decided, and a decision of an approver has its time.
SELECT count(*) = 0, count(*) || ' contributions'
  FROM people.contributions AS c
 WHERE c.status = 'approved'
   AND (c.submitted_at IS NULL OR c.decided_at IS NULL
        OR NOT EXISTS (SELECT FROM people.contribution_approvals AS a
                        WHERE a.contribution_id = c.contribution_id AND a.status = 'approved'));

-- Whatever search_path a caller has, the functions find what they mean, with the caller's rights.
SELECT count(*) = 4 AND bool_and((proconfig @> ARRAY['search_path=pg_catalog, pg_temp']) IS TRUE AND NOT prosecdef),
       string_agg(proname, ', ')
  FROM pg_proc
 WHERE pronamespace = 'people'::regnamespace
   AND proname IN ('set_updated_at', 'approvals_required', 'guard_approval', 'guard_contribution');

-- The summary of patronage is there, and can be refreshed while others read it.
SELECT c.relispopulated AND EXISTS (SELECT FROM pg_index AS i
                                     WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL)
  FROM pg_class AS c
 WHERE c.oid = 'people.member_patronage_summary'::regclass AND c.relkind = 'm';
