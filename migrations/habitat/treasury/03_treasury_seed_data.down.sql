-- Takes away exactly what the seed has put in, by the ids that it gave. A row that somebody has added to one of
-- these, a contribution of a sample member for example, stops the script by its foreign key: nothing is lost
-- that is not sample data.

CREATE FUNCTION pg_temp.seed_ids(p_kind text, p_last integer) RETURNS SETOF uuid
LANGUAGE sql STABLE
AS $$
    SELECT public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:' || p_kind || ':' || n)
      FROM generate_series(1, p_last) AS n
$$;

-- Policies that hide rows must not make this pass over some: better an error. The owner is held to those of Habitat too,
-- by FORCE, and steps out of them meanwhile.
SET LOCAL row_security = off;
ALTER TABLE people.members NO FORCE ROW LEVEL SECURITY;
ALTER TABLE people.contributions NO FORCE ROW LEVEL SECURITY;
ALTER TABLE people.contribution_approvals NO FORCE ROW LEVEL SECURITY;
ALTER TABLE agreements.member_allocations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE agreements.distributions NO FORCE ROW LEVEL SECURITY;

-- The guards that keep history are off meanwhile, by name: the tables' owner may do that. Foreign keys stay on.
ALTER TABLE agreements.member_allocations DISABLE TRIGGER member_allocations_guard;
ALTER TABLE agreements.period_closes DISABLE TRIGGER period_closes_guard;
ALTER TABLE treasury.capital_account_entries DISABLE TRIGGER capital_account_entries_append_only;
ALTER TABLE treasury.entries DISABLE TRIGGER entries_closed_period;
ALTER TABLE treasury.transactions DISABLE TRIGGER transactions_closed_period;
ALTER TABLE treasury.events DISABLE TRIGGER events_append_only;
ALTER TABLE treasury.periods DISABLE TRIGGER periods_guard;

DELETE FROM agreements.distribution_payments WHERE payment_id IN (SELECT pg_temp.seed_ids('payment', 8));
DELETE FROM agreements.distributions WHERE distribution_id IN (SELECT pg_temp.seed_ids('distribution', 10));
-- Their lines go with them.
DELETE FROM agreements.member_allocations WHERE allocation_id IN (SELECT pg_temp.seed_ids('allocation', 30));
DELETE FROM agreements.period_close_approvals
 WHERE close_approval_id IN (SELECT pg_temp.seed_ids('close approval', 32));
DELETE FROM agreements.period_closes WHERE period_close_id IN (SELECT pg_temp.seed_ids('close', 3));
DELETE FROM agreements.formula_weights WHERE formula_id IN (SELECT pg_temp.seed_ids('formula', 1));
DELETE FROM agreements.allocation_formulas WHERE formula_id IN (SELECT pg_temp.seed_ids('formula', 1));
DELETE FROM agreements.agreement_signatures WHERE signature_id IN (SELECT pg_temp.seed_ids('signature', 10));
DELETE FROM agreements.operating_agreements WHERE agreement_id IN (SELECT pg_temp.seed_ids('agreement', 1));

DELETE FROM treasury.section_704c_layers WHERE layer_id IN (SELECT pg_temp.seed_ids('layer', 1));
DELETE FROM treasury.capital_account_entries WHERE capital_entry_id IN (SELECT pg_temp.seed_ids('capital entry', 40));
DELETE FROM treasury.capital_accounts WHERE capital_account_id IN (SELECT pg_temp.seed_ids('capital account', 10));
DELETE FROM treasury.entries WHERE entry_id IN (SELECT pg_temp.seed_ids('entry', 752));
DELETE FROM treasury.transactions WHERE transaction_id IN (SELECT pg_temp.seed_ids('transaction', 75));
DELETE FROM treasury.events WHERE event_id IN (SELECT pg_temp.seed_ids('event', 100));
DELETE FROM treasury.periods WHERE period_id IN (SELECT pg_temp.seed_ids('period', 4));

DELETE FROM people.contribution_approvals WHERE approval_id IN (SELECT pg_temp.seed_ids('approval', 502));
DELETE FROM people.contributions WHERE contribution_id IN (SELECT pg_temp.seed_ids('contribution', 50));
DELETE FROM people.member_roles WHERE member_role_id IN (SELECT pg_temp.seed_ids('role', 14));
DELETE FROM people.memberships WHERE membership_id IN (SELECT pg_temp.seed_ids('membership', 10));
DELETE FROM people.members WHERE member_id IN (SELECT pg_temp.seed_ids('member', 10));

-- What remains balances, and no comparison is left for later: a trigger cannot be turned on while one is.
SET CONSTRAINTS ALL IMMEDIATE;

ALTER TABLE agreements.member_allocations ENABLE TRIGGER member_allocations_guard;
ALTER TABLE agreements.period_closes ENABLE TRIGGER period_closes_guard;
ALTER TABLE treasury.capital_account_entries ENABLE TRIGGER capital_account_entries_append_only;
ALTER TABLE treasury.entries ENABLE TRIGGER entries_closed_period;
ALTER TABLE treasury.transactions ENABLE TRIGGER transactions_closed_period;
ALTER TABLE treasury.events ENABLE TRIGGER events_append_only;
ALTER TABLE treasury.periods ENABLE TRIGGER periods_guard;

-- The next event comes right behind those that remain. RESTART and not setval(), which no ROLLBACK takes back.
DO $$
BEGIN
    EXECUTE format('ALTER TABLE treasury.events ALTER COLUMN sequence RESTART WITH %s',
                   (SELECT coalesce(max(v.sequence), 0) + 1 FROM treasury.events AS v));
END;
$$;

REFRESH MATERIALIZED VIEW treasury.account_balances;
REFRESH MATERIALIZED VIEW people.member_patronage_summary;
REFRESH MATERIALIZED VIEW agreements.period_allocations;

ALTER TABLE people.members FORCE ROW LEVEL SECURITY;
ALTER TABLE people.contributions FORCE ROW LEVEL SECURITY;
ALTER TABLE people.contribution_approvals FORCE ROW LEVEL SECURITY;
ALTER TABLE agreements.member_allocations FORCE ROW LEVEL SECURITY;
ALTER TABLE agreements.distributions FORCE ROW LEVEL SECURITY;

DROP FUNCTION pg_temp.seed_ids(text, integer);
