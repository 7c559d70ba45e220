-- The extensions' functions are where the migrations call them.
SELECT bool_and(to_regprocedure(name) IS NOT NULL),
       'missing: ' || string_agg(name, ', ') FILTER (WHERE to_regprocedure(name) IS NULL)
  FROM (VALUES ('public.digest(text,text)'), ('public.uuid_generate_v5(uuid,text)'), ('public.uuid_ns_url()'))
       AS expected (name);

-- The tables are there.
SELECT bool_and(to_regclass(name) IS NOT NULL),
       'missing: ' || string_agg(name, ', ') FILTER (WHERE to_regclass(name) IS NULL)
  FROM (VALUES ('treasury.accounts'), ('treasury.periods'), ('treasury.events'), ('treasury.transactions'),
               ('treasury.entries')) AS expected (name);

-- Every account that configuration may name is there, under the id that is derived from its code.
SELECT count(*) = 0, 'missing: ' || string_agg(wanted, ', ')
  FROM unnest(ARRAY['1000', '1100', '1500', '2000', '2100', '2500', '3000', '3100', '4000', '4900', '5000']) AS wanted
 WHERE NOT EXISTS (SELECT FROM treasury.accounts AS a
                    WHERE a.account_id = public.uuid_generate_v5(public.uuid_ns_url(),
                                                                 'habitat:treasury:account:' || wanted));

-- Entries are compared when a transaction commits: the constraint trigger fires, for each row (1) of
-- INSERT (4), DELETE (8) and UPDATE (16), and is deferred.
SELECT count(*) = 1, count(*) || ' triggers'
  FROM pg_trigger
 WHERE tgrelid = 'treasury.entries'::regclass
   AND tgname = 'entries_sum_to_zero'
   AND tgfoid = 'treasury.assert_balanced()'::regprocedure
   AND tgenabled = 'O' AND tgtype = 1 + 4 + 8 + 16 AND tgdeferrable AND tginitdeferred;

-- Every transaction sums to zero.
SELECT count(*) = 0, count(*) || ' transactions do not sum to zero'
  FROM (SELECT FROM treasury.entries GROUP BY transaction_id HAVING sum(amount) <> 0) AS unbalanced;

-- Events are append-only, also for TRUNCATE: before (2) DELETE (8), UPDATE (16) and TRUNCATE (32).
SELECT count(*) = 1, count(*) || ' triggers'
  FROM pg_trigger
 WHERE tgrelid = 'treasury.events'::regclass
   AND tgfoid = 'treasury.refuse_change()'::regprocedure
   AND tgenabled = 'O' AND tgtype = 2 + 8 + 16 + 32;

-- A closed period is final, and takes no transactions and no entries: before, for each row of every kind.
SELECT count(*) = 3, string_agg(tgname, ', ')
  FROM pg_trigger
 WHERE tgenabled = 'O' AND tgtype = 1 + 2 + 4 + 8 + 16
   AND (tgrelid, tgfoid) IN (
        ('treasury.periods'::regclass, 'treasury.guard_period()'::regprocedure),
        ('treasury.transactions'::regclass, 'treasury.guard_closed_period()'::regprocedure),
        ('treasury.entries'::regclass, 'treasury.guard_closed_period()'::regprocedure));

-- A date lies in one period at most, and a period is closed if it says when.
SELECT count(*) = 2, string_agg(conname, ', ')
  FROM pg_constraint
 WHERE conrelid = 'treasury.periods'::regclass AND convalidated
   AND (conname, contype) IN (('periods_do_not_overlap', 'x'), ('periods_closed_at_when_closed', 'c'));

-- An event's digest is computed by the server, and nobody can write another one.
SELECT attgenerated = 's' AND attnotnull
  FROM pg_attribute
 WHERE attrelid = 'treasury.events'::regclass AND attname = 'payload_digest';

-- Whatever search_path a caller has, the functions find what they mean, with the caller's rights.
SELECT count(*) = 7 AND bool_and((proconfig @> ARRAY['search_path=pg_catalog, pg_temp']) IS TRUE AND NOT prosecdef),
       string_agg(proname, ', ')
  FROM pg_proc
 WHERE pronamespace = 'treasury'::regnamespace
   AND proname IN ('set_updated_at', 'refuse_change', 'guard_period', 'assert_period_open', 'guard_closed_period',
                   'assert_balanced', 'account_balance');

-- The balances are there, and can be refreshed while others read them.
SELECT c.relispopulated AND EXISTS (SELECT FROM pg_index AS i
                                     WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL)
  FROM pg_class AS c
 WHERE c.oid = 'treasury.account_balances'::regclass AND c.relkind = 'm';
