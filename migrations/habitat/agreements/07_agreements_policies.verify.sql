-- Row-level security is on, for the owner too.
SELECT bool_and(relrowsecurity AND relforcerowsecurity),
       'open: ' || string_agg(relname, ', ') FILTER (WHERE NOT (relrowsecurity AND relforcerowsecurity))
  FROM pg_class
 WHERE oid IN ('agreements.member_allocations'::regclass, 'agreements.distributions'::regclass);

-- Members and governance read; nobody but the owner writes.
SELECT count(*) = 4 AND bool_and(polcmd = 'r' AND pg_get_expr(polqual, polrelid) <> 'true'), string_agg(polname, ', ')
  FROM pg_policy
 WHERE polrelid IN ('agreements.member_allocations'::regclass, 'agreements.distributions'::regclass)
   AND polname <> 'owner_maintains';

-- The whole of Habitat, as its deployment guide counts it: schemas and tables …
SELECT string_agg(schema || ' ' || tables, ', ' ORDER BY schema) = 'agreements 10, people 9, treasury 12',
       string_agg(schema || ' ' || tables, ', ' ORDER BY schema)
  FROM (SELECT split_part(name, '.', 1) AS schema, count(to_regclass(name)) AS tables
          FROM (VALUES ('treasury.accounts'), ('treasury.periods'), ('treasury.events'), ('treasury.transactions'),
                       ('treasury.entries'), ('treasury.capital_accounts'), ('treasury.capital_account_entries'),
                       ('treasury.section_704c_layers'), ('treasury.section_704c_allocations'),
                       ('treasury.minimum_gain_shares'), ('treasury.deficit_restoration_obligations'),
                       ('treasury.qualified_income_offsets'),
                       ('people.members'), ('people.memberships'), ('people.member_roles'), ('people.approval_policies'),
                       ('people.contributions'), ('people.contribution_evidence'), ('people.contribution_approvals'),
                       ('people.ens_names'), ('people.ens_records'),
                       ('agreements.operating_agreements'), ('agreements.agreement_signatures'),
                       ('agreements.allocation_formulas'), ('agreements.formula_weights'), ('agreements.period_closes'),
                       ('agreements.period_close_approvals'), ('agreements.member_allocations'),
                       ('agreements.allocation_lines'), ('agreements.distributions'),
                       ('agreements.distribution_payments')) AS expected (name)
         GROUP BY 1) AS counted;

-- … triggers in each context, enabled (each context's own scripts look at its functions) …
SELECT count(DISTINCT c.relnamespace) = 3 AND bool_and(t.tgenabled = 'O'),
       'off: ' || string_agg(t.tgname, ', ') FILTER (WHERE t.tgenabled <> 'O')
  FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
 WHERE NOT t.tgisinternal
   AND c.relnamespace IN ('treasury'::regnamespace, 'people'::regnamespace, 'agreements'::regnamespace);

-- … and materialized views, populated.
SELECT count(*) = 3 AND bool_and(relispopulated),
       'not populated: ' || string_agg(relname, ', ') FILTER (WHERE NOT relispopulated)
  FROM pg_class
 WHERE oid IN ('treasury.account_balances'::regclass, 'people.member_patronage_summary'::regclass,
               'agreements.period_allocations'::regclass);
