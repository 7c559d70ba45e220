-- The tables are there.
SELECT bool_and(to_regclass(name) IS NOT NULL),
       'missing: ' || string_agg(name, ', ') FILTER (WHERE to_regclass(name) IS NULL)
  FROM (VALUES ('treasury.capital_accounts'), ('treasury.capital_account_entries'), ('treasury.section_704c_layers'),
               ('treasury.section_704c_allocations'), ('treasury.minimum_gain_shares'),
               ('treasury.deficit_restoration_obligations'), ('treasury.qualified_income_offsets'))
       AS expected (name);

-- A member has one capital account.
SELECT count(*) = 1
  FROM pg_constraint
 WHERE conrelid = 'treasury.capital_accounts'::regclass AND conname = 'capital_accounts_one_each' AND contype = 'u';

-- Both ledgers are append-only, also for TRUNCATE: before (2) DELETE (8), UPDATE (16) and TRUNCATE (32).
SELECT count(*) = 2, string_agg(tgname, ', ')
  FROM pg_trigger
 WHERE tgrelid IN ('treasury.capital_account_entries'::regclass, 'treasury.section_704c_allocations'::regclass)
   AND tgfoid = 'treasury.refuse_change()'::regprocedure
   AND tgenabled = 'O' AND tgtype = 2 + 8 + 16 + 32;

-- A closed period takes no capital entries (before INSERT, for each row), and a layer gives no more than it holds
-- (after INSERT, for each row).
SELECT count(*) = 2, string_agg(tgname, ', ')
  FROM pg_trigger
 WHERE tgenabled = 'O'
   AND (tgrelid, tgfoid, tgtype) IN (
        ('treasury.capital_account_entries'::regclass, 'treasury.guard_capital_entry()'::regprocedure, 1 + 2 + 4),
        ('treasury.section_704c_allocations'::regclass, 'treasury.assert_layer_not_exceeded()'::regprocedure, 1 + 4));

-- The sign of a capital entry goes with its kind.
SELECT count(*) = 1
  FROM pg_constraint
 WHERE conrelid = 'treasury.capital_account_entries'::regclass
   AND conname = 'capital_account_entries_sign' AND contype = 'c' AND convalidated;

-- No layer has given more than it holds.
SELECT count(*) = 0, count(*) || ' layers'
  FROM (SELECT FROM treasury.section_704c_layers AS l
          JOIN treasury.section_704c_allocations AS a ON a.layer_id = l.layer_id
         GROUP BY l.layer_id
        HAVING sum(a.amount) NOT BETWEEN least(l.built_in_gain, 0) AND greatest(l.built_in_gain, 0)) AS exceeded;

-- What is computed is computed by the server: built-in gain and chargeback.
SELECT count(*) = 2, string_agg(attname, ', ')
  FROM pg_attribute
 WHERE attgenerated = 's'
   AND (attrelid, attname) IN (('treasury.section_704c_layers'::regclass, 'built_in_gain'),
                               ('treasury.minimum_gain_shares'::regclass, 'chargeback_due'));

-- An account without entries has the balance zero.
SELECT treasury.capital_balance('00000000-0000-0000-0000-000000000000', '2024-01-01') = 0;

-- Whatever search_path a caller has, the functions find what they mean, with the caller's rights.
SELECT count(*) = 5 AND bool_and((proconfig @> ARRAY['search_path=pg_catalog, pg_temp']) IS TRUE AND NOT prosecdef),
       string_agg(proname, ', ')
  FROM pg_proc
 WHERE pronamespace = 'treasury'::regnamespace
   AND proname IN ('guard_capital_entry', 'assert_layer_not_exceeded', 'capital_balance', 'adjusted_capital_balance',
                   'required_income_offset');
