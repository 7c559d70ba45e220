//! A verify script that cannot fail proves nothing: each of its statements finds what it looks for.

use crate::lifecycle::{Fault, assert_faults_are_found, set};
use crate::{FOLDER, seeded};

#[test]
fn each_statement_of_a_verify_script_finds_what_it_looks_for() {
    let (_database, mut client) = seeded();
    assert_faults_are_found(&mut client, &set(FOLDER), FAULTS);
}

/// Triggers and foreign keys are off in this session: a superuser has written what nobody else could.
macro_rules! forced {
    ($sql:literal) => {
        concat!("SET LOCAL session_replication_role = replica; ", $sql)
    };
}

/// Takes somebody else, or nobody, for the member on whose behalf a transaction runs.
macro_rules! member {
    ($case:literal) => {
        concat!(
            "CREATE OR REPLACE FUNCTION people.current_member_id() RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT CASE ",
            $case,
            " WHEN s ~ '^0.*-' THEN s::uuid END FROM current_setting('app.current_member_id', true) AS s $$"
        )
    };
}

const FAULTS: &[Fault] = &[
    (
        "01",
        "ALTER FUNCTION public.uuid_ns_url() RENAME TO uuid_ns_of_urls;
         CREATE FUNCTION public.uuid_ns_url(text DEFAULT '') RETURNS uuid LANGUAGE sql
         AS 'SELECT public.uuid_ns_of_urls()'",
        &[1],
    ),
    ("01", forced!("DELETE FROM treasury.accounts WHERE code = '2500'"), &[3]),
    ("01", "ALTER TABLE treasury.events RENAME TO happenings", &[2, 6]),
    ("01", "ALTER TABLE treasury.entries DISABLE TRIGGER entries_sum_to_zero", &[4]),
    (
        "01",
        forced!(
            "UPDATE treasury.entries SET amount = amount + 1
                 WHERE entry_id = (SELECT entry_id FROM treasury.entries LIMIT 1)"
        ),
        &[5],
    ),
    ("01", "ALTER TABLE treasury.events DISABLE TRIGGER events_append_only", &[6]),
    ("01", "DROP TRIGGER entries_closed_period ON treasury.entries", &[7]),
    ("01", "ALTER TABLE treasury.periods DROP CONSTRAINT periods_do_not_overlap", &[8]),
    ("01", "ALTER TABLE treasury.events ALTER payload_digest DROP EXPRESSION", &[9]),
    ("01", "ALTER FUNCTION treasury.assert_balanced() RESET search_path", &[10]),
    ("01", "DROP INDEX treasury.account_balances_account", &[11]),
    ("01", "REFRESH MATERIALIZED VIEW treasury.account_balances WITH NO DATA", &[11]),
    ("04", "ALTER TABLE people.ens_records RENAME TO ens_texts", &[1]),
    ("04", "DROP INDEX people.members_email_unique", &[2]),
    ("04", "ALTER TABLE people.contribution_approvals DROP CONSTRAINT contribution_approvals_not_own", &[3]),
    ("04", "ALTER TABLE people.contributions DISABLE TRIGGER contributions_guard", &[4]),
    (
        "04",
        "ALTER TABLE people.approval_policies DROP CONSTRAINT approval_policies_somebody_approves;
         UPDATE people.approval_policies SET approvals_required = 0 WHERE category = 'community'",
        &[5],
    ),
    ("04", forced!("UPDATE people.contributions SET submitted_at = NULL"), &[6]),
    ("04", "DELETE FROM people.contribution_approvals WHERE status = 'approved'", &[6]),
    ("04", "ALTER FUNCTION people.guard_approval() SECURITY DEFINER", &[7]),
    ("04", "REFRESH MATERIALIZED VIEW people.member_patronage_summary WITH NO DATA", &[8]),
    ("06", "ALTER TABLE people.members NO FORCE ROW LEVEL SECURITY", &[1]),
    ("06", "DROP POLICY approver_view_pending ON people.contributions", &[2]),
    ("06", "CREATE POLICY open ON people.members FOR SELECT USING (true)", &[3]),
    ("06", member!("WHEN s = '' THEN uuid '00000000-0000-4000-8000-000000000009'"), &[4]),
    ("06", member!("WHEN s = 'nobody' THEN uuid '00000000-0000-4000-8000-000000000009'"), &[5]),
    (
        "06",
        member!("WHEN s IS NULL THEN uuid '00000000-0000-4000-8000-000000000009' WHEN true THEN NULL"),
        &[6],
    ),
    (
        "06",
        "CREATE OR REPLACE FUNCTION people.has_role(p_role text) RETURNS boolean LANGUAGE sql STABLE
         AS $$ SELECT current_setting('app.current_member_roles', true) LIKE '%' || p_role || '%'
                      AND current_setting('app.current_member_roles', true) NOT LIKE '{%' $$",
        &[6, 7],
    ),
    ("07", "ALTER TABLE agreements.distributions DISABLE ROW LEVEL SECURITY", &[1]),
    ("07", "CREATE POLICY more ON agreements.distributions FOR INSERT WITH CHECK (true)", &[2]),
    ("07", "ALTER TABLE people.ens_records RENAME TO ens_texts", &[3]),
    ("07", "ALTER TABLE treasury.periods DISABLE TRIGGER periods_guard", &[4]),
    ("07", "REFRESH MATERIALIZED VIEW treasury.account_balances WITH NO DATA", &[5]),
    ("02", "ALTER TABLE treasury.minimum_gain_shares RENAME TO shares", &[1, 7]),
    ("02", "ALTER TABLE treasury.capital_accounts DROP CONSTRAINT capital_accounts_one_each", &[2]),
    ("02", "ALTER TABLE treasury.section_704c_allocations DISABLE TRIGGER USER", &[3, 4]),
    ("02", "DROP TRIGGER capital_account_entries_closed_period ON treasury.capital_account_entries", &[4]),
    ("02", "ALTER TABLE treasury.capital_account_entries DROP CONSTRAINT capital_account_entries_sign", &[5]),
    (
        "02",
        forced!(
            "INSERT INTO treasury.section_704c_allocations (layer_id, period_id, kind, amount)
                 SELECT layer_id, period_id, 'depreciation', 9999
                 FROM treasury.section_704c_layers, treasury.periods LIMIT 1"
        ),
        &[6],
    ),
    ("02", "ALTER TABLE treasury.section_704c_layers ALTER built_in_gain DROP EXPRESSION", &[7]),
    (
        "02",
        "CREATE OR REPLACE FUNCTION treasury.capital_balance(p_capital_account_id uuid,
                                                               p_as_of date DEFAULT CURRENT_DATE)
         RETURNS numeric LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS 'SELECT 1.00'",
        &[8],
    ),
    ("02", "ALTER FUNCTION treasury.capital_balance(uuid, date) RESET search_path", &[9]),
    ("05", "ALTER TABLE agreements.allocation_lines RENAME TO lines", &[1]),
    ("05", "DROP TRIGGER formula_weights_sum_to_one ON agreements.formula_weights", &[2]),
    ("05", forced!("UPDATE agreements.formula_weights SET weight = 0.2"), &[3]),
    (
        "05",
        "ALTER TABLE agreements.distribution_payments DISABLE TRIGGER distribution_payments_not_overpaid",
        &[4],
    ),
    ("05", "ALTER TABLE agreements.distributions DROP CONSTRAINT distributions_allocation_fkey", &[5]),
    ("05", forced!("UPDATE agreements.member_allocations SET amount = amount + 1"), &[6]),
    ("05", "UPDATE agreements.distributions SET amount = 0.01", &[7]),
    ("05", "UPDATE agreements.distributions SET status = 'proposed'", &[7]),
    ("05", "ALTER FUNCTION agreements.guard_allocation() RESET search_path", &[8]),
    ("05", "DROP INDEX agreements.period_allocations_period", &[9]),
    ("03", forced!("DELETE FROM people.members WHERE display_name = 'Hana Sato'"), &[1]),
    ("03", forced!("DELETE FROM people.contributions WHERE status = 'draft'"), &[2]),
    ("03", forced!("DELETE FROM treasury.events WHERE event_type = 'formula.adopted'"), &[3]),
    ("03", forced!("DELETE FROM treasury.events WHERE event_type = 'sale.booked'"), &[3, 6]),
    ("03", forced!("DELETE FROM treasury.transactions WHERE description = 'Sale 1'"), &[4, 6]),
    (
        "03",
        forced!(
            "DELETE FROM agreements.member_allocations
                 WHERE allocation_id = (SELECT allocation_id FROM agreements.allocation_lines LIMIT 1)"
        ),
        &[5, 8, 9],
    ),
    ("03", "DELETE FROM people.contribution_approvals WHERE status = 'approved' AND comment IS NULL", &[7]),
    (
        "03",
        forced!("UPDATE treasury.periods SET status = 'open', closed_at = NULL WHERE name = '2024-Q1'"),
        &[8],
    ),
    ("03", "UPDATE agreements.allocation_lines SET amount = amount + 0.01", &[9]),
    (
        "03",
        forced!(
            "UPDATE treasury.entries SET amount = amount + 1 WHERE transaction_id =
                 (SELECT transaction_id FROM treasury.transactions WHERE description = 'Sale 1')"
        ),
        &[6, 10],
    ),
    (
        "03",
        forced!(
            "DELETE FROM people.contributions;
                 REFRESH MATERIALIZED VIEW people.member_patronage_summary"
        ),
        &[2, 11],
    ),
];
