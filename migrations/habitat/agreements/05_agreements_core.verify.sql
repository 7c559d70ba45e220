-- The tables are there.
SELECT bool_and(to_regclass(name) IS NOT NULL),
       'missing: ' || string_agg(name, ', ') FILTER (WHERE to_regclass(name) IS NULL)
  FROM (VALUES ('agreements.operating_agreements'), ('agreements.agreement_signatures'),
               ('agreements.allocation_formulas'), ('agreements.formula_weights'), ('agreements.period_closes'),
               ('agreements.period_close_approvals'), ('agreements.member_allocations'),
               ('agreements.allocation_lines'), ('agreements.distributions'), ('agreements.distribution_payments'))
       AS expected (name);

-- Weights are compared when a transaction commits: the constraint trigger fires, for each row (1) of INSERT (4),
-- DELETE (8) and UPDATE (16), and is deferred.
SELECT count(*) = 1, count(*) || ' triggers'
  FROM pg_trigger
 WHERE tgrelid = 'agreements.formula_weights'::regclass
   AND tgfoid = 'agreements.assert_weights_sum_to_one()'::regprocedure
   AND tgenabled = 'O' AND tgtype = 1 + 4 + 8 + 16 AND tgdeferrable AND tginitdeferred;

-- The weights of every formula sum to one.
SELECT count(*) = 0, count(*) || ' formulas'
  FROM (SELECT FROM agreements.formula_weights GROUP BY formula_id HAVING sum(weight) <> 1) AS wrong;

-- A finalized close is final and so are its allocations (before, for each row of every kind), and nothing is
-- overpaid (after INSERT and UPDATE, for each row).
SELECT count(*) = 3, string_agg(tgname, ', ')
  FROM pg_trigger
 WHERE tgenabled = 'O'
   AND (tgrelid, tgfoid, tgtype) IN (
        ('agreements.period_closes'::regclass, 'agreements.guard_period_close()'::regprocedure, 1 + 2 + 4 + 8 + 16),
        ('agreements.member_allocations'::regclass, 'agreements.guard_allocation()'::regprocedure, 1 + 2 + 4 + 8 + 16),
        ('agreements.distribution_payments'::regclass, 'agreements.assert_not_overpaid()'::regprocedure, 1 + 4 + 16));

-- A member is paid out of their own allocation only: the member is carried along by the foreign key.
SELECT count(*) = 1
  FROM pg_constraint
 WHERE conrelid = 'agreements.distributions'::regclass
   AND conname = 'distributions_allocation_fkey'
   AND contype = 'f' AND convalidated AND cardinality(conkey) = 2;

-- The surplus of every finalized close is allocated to the cent.
SELECT count(*) = 0, count(*) || ' period closes'
  FROM agreements.period_closes AS c
 WHERE c.status = 'finalized'
   AND c.surplus <> (SELECT coalesce(sum(a.amount), 0)
                       FROM agreements.member_allocations AS a
                      WHERE a.period_close_id = c.period_close_id);

-- No distribution is overpaid, and none is paid that was not approved.
SELECT count(*) = 0, count(*) || ' distributions'
  FROM agreements.distributions AS d
  JOIN (SELECT p.distribution_id, sum(p.amount) AS amount
          FROM agreements.distribution_payments AS p
         GROUP BY p.distribution_id) AS paid ON paid.distribution_id = d.distribution_id
 WHERE paid.amount > d.amount OR d.status = 'proposed';

-- Whatever search_path a caller has, the functions find what they mean, with the caller's rights.
SELECT count(*) = 6 AND bool_and((proconfig @> ARRAY['search_path=pg_catalog, pg_temp']) IS TRUE AND NOT prosecdef),
       string_agg(proname, ', ')
  FROM pg_proc
 WHERE pronamespace = 'agreements'::regnamespace
   AND proname IN ('assert_weights_sum_to_one', 'weighted_patronage', 'guard_allocation', 'guard_period_close',
                   'finalize_period_close', 'assert_not_overpaid');

-- The allocations by period are there, and can be refreshed while others read them.
SELECT c.relispopulated AND EXISTS (SELECT FROM pg_index AS i
                                     WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL)
  FROM pg_class AS c
 WHERE c.oid = 'agreements.period_allocations'::regclass AND c.relkind = 'm';
