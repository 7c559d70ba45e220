-- habitat: description Treasury sample data for development and tests
-- habitat: environments development, test
-- habitat: requires people:04_people_core, agreements:07_agreements_policies

-- Three quarters of a small cooperative: 10 members, 50 contributions, 100 events, 75 transactions, 3 period closes
-- with 30 allocations, and what belongs to them. Its number is that of the treasury, but it fills all contexts, so
-- it comes last.
--
-- Every id, date and amount is a function of a number: two databases with this script have the same rows.
-- The rows go through the same guards as everybody's: contributions are submitted, approved by others and then
-- decided, books are balanced, periods are closed when all is posted. Only the triggers that stamp updated_at with
-- the time of day are off meanwhile.

CREATE FUNCTION pg_temp.seed_id(p_kind text, p_number bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE
AS $$ SELECT public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:' || p_kind || ':' || p_number) $$;

-- Noon of a day, the same moment whatever the session's time zone.
CREATE FUNCTION pg_temp.noon(p_day date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
AS $$ SELECT (p_day + time '12:00') AT TIME ZONE 'UTC' $$;

CREATE FUNCTION pg_temp.account(p_code text) RETURNS uuid
LANGUAGE sql STABLE
AS $$ SELECT a.account_id FROM treasury.accounts AS a WHERE a.code = p_code $$;


-- Members --------------------------------------------------------------------------------------------------

INSERT INTO people.members (member_id, display_name, email, status, joined_on, created_at, updated_at)
SELECT pg_temp.seed_id('member', m.n), m.name, lower(split_part(m.name, ' ', 1)) || '@habitat.example',
       m.status::people.member_status, date '2023-10-01' + m.n,
       pg_temp.noon(date '2023-10-01' + m.n), pg_temp.noon(date '2023-10-01' + m.n)
  FROM (VALUES
        (1, 'Amara Osei',       'active'),
        (2, 'Bruno Castellani', 'active'),
        (3, 'Chidi Nwosu',      'active'),
        (4, 'Dagny Lindqvist',  'active'),
        (5, 'Esra Yilmaz',      'active'),
        (6, 'Farid Rahimi',     'active'),
        (7, 'Greta Vogel',      'active'),
        (8, 'Hana Sato',        'active'),
        (9, 'Ines Carvalho',    'suspended'),
        (10, 'Jonas Weber',     'withdrawn')
       ) AS m (n, name, status);

INSERT INTO people.memberships (membership_id, member_id, class, units, starts_on, ends_on, created_at)
SELECT pg_temp.seed_id('membership', n), pg_temp.seed_id('member', n),
       (ARRAY['worker', 'producer', 'community', 'investor'])[1 + n % 4], 1 + n % 3, date '2023-10-01' + n,
       CASE WHEN n = 10 THEN date '2024-09-30' END, pg_temp.noon(date '2023-10-01' + n)
  FROM generate_series(1, 10) AS n;

-- Everybody is a member; 1 and 2 govern, 3 keeps the books, 4 is a steward.
INSERT INTO people.member_roles (member_role_id, member_id, role, granted_by, granted_at)
SELECT pg_temp.seed_id('role', r.n), pg_temp.seed_id('member', r.member), r.role,
       CASE WHEN r.member > 1 THEN pg_temp.seed_id('member', 1) END, pg_temp.noon(date '2023-10-15')
  FROM (SELECT n, n AS member, 'member' AS role FROM generate_series(1, 10) AS n
        UNION ALL
        VALUES (11, 1, 'governance'), (12, 2, 'governance'), (13, 3, 'bookkeeper'), (14, 4, 'steward')) AS r;


-- Agreement, formula, periods ------------------------------------------------------------------------------

INSERT INTO agreements.operating_agreements (agreement_id, title, version, body, effective_from, created_at)
VALUES (pg_temp.seed_id('agreement', 1), 'Operating agreement (sample)', 1,
        'Surplus is divided by patronage: labor 40, revenue 30, capital 20, community 10 of a hundred. '
        'A fifth is paid in cash, the rest is retained as capital.',
        '2024-01-01', pg_temp.noon('2023-12-15'));

INSERT INTO agreements.agreement_signatures (signature_id, agreement_id, member_id, signed_digest, signed_at)
SELECT pg_temp.seed_id('signature', n), a.agreement_id, pg_temp.seed_id('member', n), a.body_digest,
       pg_temp.noon(date '2023-12-15' + n)
  FROM generate_series(1, 10) AS n, agreements.operating_agreements AS a
 WHERE a.agreement_id = pg_temp.seed_id('agreement', 1);

INSERT INTO agreements.allocation_formulas (formula_id, agreement_id, name, version, created_at)
VALUES (pg_temp.seed_id('formula', 1), pg_temp.seed_id('agreement', 1), 'Patronage (sample)', 1,
        pg_temp.noon('2023-12-15'));

INSERT INTO agreements.formula_weights (formula_id, category, weight)
VALUES (pg_temp.seed_id('formula', 1), 'labor', 0.4), (pg_temp.seed_id('formula', 1), 'revenue', 0.3),
       (pg_temp.seed_id('formula', 1), 'capital', 0.2), (pg_temp.seed_id('formula', 1), 'community', 0.1);

INSERT INTO treasury.periods (period_id, name, starts_on, ends_on, created_at, updated_at)
SELECT pg_temp.seed_id('period', q), '2024-Q' || q, make_date(2024, 3 * q - 2, 1),
       make_date(2024, 3 * q - 2, 1) + interval '3 months' - interval '1 day',
       pg_temp.noon('2024-01-01'), pg_temp.noon('2024-01-01')
  FROM generate_series(1, 4) AS q;


-- Contributions --------------------------------------------------------------------------------------------

-- Five rounds of ten, one for each member: labor and revenue in the first quarter, capital in the second,
-- community and labor in the third. Numbers 43 to 49 are in each of the other states.
INSERT INTO people.contributions (contribution_id, contributor_id, category, description, quantity, unit, value,
                                  contributed_on, status, submitted_at, created_at, updated_at)
SELECT pg_temp.seed_id('contribution', c.n), pg_temp.seed_id('member', c.member),
       c.category::people.patronage_category, c.description, c.quantity, c.unit,
       CASE c.category
           WHEN 'labor' THEN c.quantity * 45
           WHEN 'revenue' THEN CASE WHEN c.member = 7 THEN 12500 ELSE 500 + 125 * c.member END
           WHEN 'capital' THEN 1000 * c.member
           ELSE 150 + 10 * c.member
       END,
       c.contributed_on,
       CASE WHEN c.n IN (43, 44) THEN 'draft' ELSE 'pending_approval' END::people.contribution_status,
       CASE WHEN c.n NOT IN (43, 44) THEN pg_temp.noon(c.contributed_on + 1) END,
       pg_temp.noon(c.contributed_on), pg_temp.noon(c.contributed_on)
  FROM (SELECT n, member, round.category, round.description, round.starts_on + member AS contributed_on,
               CASE round.category WHEN 'labor' THEN 20 + 4 * member END AS quantity,
               CASE round.category WHEN 'labor' THEN 'hour' END AS unit
          FROM (VALUES
                (0, 'labor',     'Work on the hall',             date '2024-01-08'),
                (1, 'revenue',   'Customers brought in',         date '2024-03-01'),
                (2, 'capital',   'Capital paid in',              date '2024-05-01'),
                (3, 'community', 'Open days and neighbourhood',  date '2024-07-08'),
                (4, 'labor',     'Work on the workshop',         date '2024-09-01')
               ) AS round (number, category, description, starts_on),
               LATERAL (SELECT member, 10 * round.number + member AS n FROM generate_series(1, 10) AS member) AS each
       ) AS c;

-- The members who come next in number are asked, as many as the policies demand.
INSERT INTO people.contribution_approvals (approval_id, contribution_id, contributor_id, approver_id, status,
                                           requested_at, decided_at)
SELECT pg_temp.seed_id('approval', 10 * n + approver), c.contribution_id, c.contributor_id,
       pg_temp.seed_id('member', 1 + (n - 1 + approver) % 10),
       CASE WHEN n IN (45, 46, 47, 49) THEN 'pending' WHEN n = 48 THEN 'rejected' ELSE 'approved' END
           ::people.approval_status,
       c.submitted_at,
       CASE WHEN n NOT IN (45, 46, 47, 49) THEN c.submitted_at + interval '24 hours' END
  FROM generate_series(1, 50) AS n
  JOIN people.contributions AS c ON c.contribution_id = pg_temp.seed_id('contribution', n)
 CROSS JOIN LATERAL generate_series(1, people.approvals_required(c.category, c.value)) AS approver
 WHERE c.status = 'pending_approval';

ALTER TABLE people.contributions DISABLE TRIGGER contributions_updated_at;
UPDATE people.contributions AS c
   SET status = CASE n WHEN 48 THEN 'rejected' WHEN 49 THEN 'withdrawn' ELSE 'approved' END
                    ::people.contribution_status,
       decided_at = c.submitted_at + interval '48 hours',
       updated_at = c.submitted_at + interval '48 hours'
  FROM generate_series(1, 50) AS n
 WHERE c.contribution_id = pg_temp.seed_id('contribution', n) AND n NOT BETWEEN 43 AND 47;
ALTER TABLE people.contributions ENABLE TRIGGER contributions_updated_at;


-- Events and transactions ----------------------------------------------------------------------------------

-- Events 1 to 25: members, signatures, the formula and the periods. Events 26 to 100 are those of transactions 1 to 75.
INSERT INTO treasury.events (event_id, event_type, aggregate_type, aggregate_id, payload, occurred_at, recorded_at,
                             recorded_by)
SELECT pg_temp.seed_id('event', e.n), e.type, e.aggregate, e.id, jsonb_build_object('sample', true, 'number', e.n),
       pg_temp.noon(e.day), pg_temp.noon(e.day), 'habitat seed'
  FROM (SELECT n, 'member.joined' AS type, 'member' AS aggregate, pg_temp.seed_id('member', n) AS id,
               date '2023-10-01' + n AS day
          FROM generate_series(1, 10) AS n
        UNION ALL
        SELECT 10 + n, 'agreement.signed', 'signature', pg_temp.seed_id('signature', n), date '2023-12-15' + n
          FROM generate_series(1, 10) AS n
        UNION ALL
        SELECT 21, 'formula.adopted', 'formula', pg_temp.seed_id('formula', 1), '2023-12-31'
        UNION ALL
        SELECT 21 + q, 'period.opened', 'period', pg_temp.seed_id('period', q), '2024-01-01'
          FROM generate_series(1, 4) AS q) AS e
 ORDER BY e.n;

-- 1 to 10: the capital that members paid in, the last one in property. 11 to 40: ten sales a quarter. 41 to 64:
-- eight expenses a quarter. 65 to 67: the closes. 68 to 75: cash paid to members. Each with its event.
WITH planned AS (
    SELECT n, 'capital.contributed' AS type, 'Capital of member ' || n AS description, date '2024-05-01' + n AS day
      FROM generate_series(1, 10) AS n
    UNION ALL
    SELECT 10 + n, 'sale.booked', 'Sale ' || n,
           make_date(2024, 1 + 3 * ((n - 1) / 10), 1) + 8 * (1 + (n - 1) % 10)
      FROM generate_series(1, 30) AS n
    UNION ALL
    SELECT 40 + n, 'expense.booked', 'Expense ' || n,
           make_date(2024, 1 + 3 * ((n - 1) / 8), 1) + 10 * (1 + (n - 1) % 8)
      FROM generate_series(1, 24) AS n
    UNION ALL
    SELECT 64 + q, 'period.closed', 'Close of ' || p.name, p.ends_on
      FROM generate_series(1, 3) AS q
      JOIN treasury.periods AS p ON p.period_id = pg_temp.seed_id('period', q)
    UNION ALL
    SELECT 67 + n, 'distribution.paid', 'Cash to member ' || n, date '2024-10-14' + n
      FROM generate_series(1, 8) AS n
), told AS (
    INSERT INTO treasury.events (event_id, event_type, aggregate_type, aggregate_id, payload, occurred_at, recorded_at,
                                 recorded_by)
    SELECT pg_temp.seed_id('event', 25 + p.n), p.type, 'transaction', pg_temp.seed_id('transaction', p.n),
           jsonb_build_object('sample', true, 'number', 25 + p.n),
           pg_temp.noon(p.day), pg_temp.noon(p.day), 'habitat seed'
      FROM planned AS p
     ORDER BY p.n
)
INSERT INTO treasury.transactions (transaction_id, description, transaction_date, event_id, posted_by, created_at,
                                   updated_at)
SELECT pg_temp.seed_id('transaction', p.n), p.description, p.day, pg_temp.seed_id('event', 25 + p.n), 'habitat seed',
       pg_temp.noon(p.day), pg_temp.noon(p.day)
  FROM planned AS p;

-- Two lines for each of the first 64. The number of an entry is ten times that of its transaction, and its line.
INSERT INTO treasury.entries (entry_id, transaction_id, account_id, amount, memo, created_at)
SELECT pg_temp.seed_id('entry', 10 * b.n + line.number), pg_temp.seed_id('transaction', b.n),
       pg_temp.account(line.code), line.sign * b.amount, 'sample', t.created_at
  FROM (SELECT n, 1000.00 * n AS amount, CASE WHEN n = 10 THEN '1500' ELSE '1000' END AS debit, '3000' AS credit
          FROM generate_series(1, 10) AS n
        UNION ALL
        SELECT 10 + n, 4000 + 137.50 * n, CASE WHEN n % 2 = 1 THEN '1000' ELSE '1100' END,
               CASE WHEN n % 5 = 0 THEN '4900' ELSE '4000' END
          FROM generate_series(1, 30) AS n
        UNION ALL
        SELECT 40 + n, 1800 + 61.25 * n, '5000', CASE WHEN n % 2 = 1 THEN '1000' ELSE '2000' END
          FROM generate_series(1, 24) AS n) AS b
  JOIN treasury.transactions AS t ON t.transaction_id = pg_temp.seed_id('transaction', b.n)
 CROSS JOIN LATERAL (VALUES (1, b.debit, 1), (2, b.credit, -1)) AS line (number, code, sign);


-- Period closes --------------------------------------------------------------------------------------------

-- The surplus is what the ledger says: revenue (credits) less expenses (debits) of the quarter.
INSERT INTO agreements.period_closes (period_close_id, period_id, formula_id, surplus, transaction_id, created_at,
                                      updated_at)
SELECT pg_temp.seed_id('close', q), p.period_id, pg_temp.seed_id('formula', 1), -sum(e.amount),
       pg_temp.seed_id('transaction', 64 + q), pg_temp.noon(p.ends_on), pg_temp.noon(p.ends_on)
  FROM generate_series(1, 3) AS q
  JOIN treasury.periods AS p ON p.period_id = pg_temp.seed_id('period', q)
  JOIN treasury.transactions AS t ON t.transaction_date BETWEEN p.starts_on AND p.ends_on
  JOIN treasury.entries AS e ON e.transaction_id = t.transaction_id
  JOIN treasury.accounts AS a ON a.account_id = e.account_id
 WHERE a.account_type IN ('revenue', 'expense')
   AND t.transaction_id IN (SELECT pg_temp.seed_id('transaction', n) FROM generate_series(11, 64) AS n)
 GROUP BY q, p.period_id, p.ends_on;

-- By weighted patronage, to the cent: what rounding down leaves over goes, a cent each, to the first members.
INSERT INTO agreements.member_allocations (allocation_id, period_close_id, member_id, amount, cash_amount, created_at,
                                           updated_at)
SELECT pg_temp.seed_id('allocation', 10 * (d.q - 1) + d.n), pg_temp.seed_id('close', d.q),
       pg_temp.seed_id('member', d.n), d.amount, trunc(d.amount / 5, 2), d.created_at, d.created_at
  FROM (SELECT s.q, s.n, s.created_at,
               s.share + CASE WHEN s.n <= 100 * (s.surplus - sum(s.share) OVER (PARTITION BY s.q)) THEN 0.01 ELSE 0 END
                   AS amount
          FROM (SELECT q, n, c.surplus, c.created_at,
                       trunc(c.surplus * w.patronage / sum(w.patronage) OVER (PARTITION BY q), 2) AS share
                  FROM generate_series(1, 3) AS q
                 CROSS JOIN generate_series(1, 10) AS n
                  JOIN agreements.period_closes AS c ON c.period_close_id = pg_temp.seed_id('close', q)
                 CROSS JOIN LATERAL agreements.weighted_patronage(c.formula_id, pg_temp.seed_id('member', n),
                                                                  c.period_id) AS w (patronage)) AS s) AS d;

-- The last line of an allocation takes what rounding leaves over, so that its lines sum to it.
INSERT INTO agreements.allocation_lines (allocation_id, category, patronage_value, weight, amount)
SELECT l.allocation_id, l.category, l.patronage, l.weight,
       CASE WHEN l.category = max(l.category) OVER same
            THEN l.total - (sum(l.part) OVER same - l.part)
            ELSE l.part
       END
  FROM (SELECT a.allocation_id, c.category, w.weight, a.amount AS total, sum(c.value) AS patronage,
               trunc(a.amount * sum(c.value) * w.weight
                     / sum(sum(c.value) * w.weight) OVER (PARTITION BY a.allocation_id), 2) AS part
          FROM generate_series(1, 30) AS n
          JOIN agreements.member_allocations AS a ON a.allocation_id = pg_temp.seed_id('allocation', n)
          JOIN agreements.period_closes AS k ON k.period_close_id = a.period_close_id
          JOIN treasury.periods AS p ON p.period_id = k.period_id
          JOIN people.contributions AS c ON c.contributor_id = a.member_id AND c.status = 'approved'
                                        AND c.contributed_on BETWEEN p.starts_on AND p.ends_on
          JOIN agreements.formula_weights AS w ON w.formula_id = k.formula_id AND w.category = c.category
         GROUP BY a.allocation_id, a.amount, c.category, w.weight) AS l
WINDOW same AS (PARTITION BY l.allocation_id);

-- Revenue and expenses are closed into what is paid in cash and what is retained.
INSERT INTO treasury.entries (entry_id, transaction_id, account_id, amount, memo, created_at)
SELECT pg_temp.seed_id('entry', 10 * (64 + x.q) + x.line), pg_temp.seed_id('transaction', 64 + x.q), x.account_id,
       x.amount, 'sample', pg_temp.noon(x.day)
  FROM (SELECT q, a.code::integer / 1000 + CASE a.code WHEN '4900' THEN 2 ELSE 0 END AS line, a.account_id,
               -sum(e.amount) AS amount, p.ends_on AS day
          FROM generate_series(1, 3) AS q
          JOIN treasury.periods AS p ON p.period_id = pg_temp.seed_id('period', q)
          JOIN treasury.transactions AS t ON t.transaction_date BETWEEN p.starts_on AND p.ends_on
          JOIN treasury.entries AS e ON e.transaction_id = t.transaction_id
          JOIN treasury.accounts AS a ON a.account_id = e.account_id
         WHERE a.account_type IN ('revenue', 'expense')
           AND t.transaction_id IN (SELECT pg_temp.seed_id('transaction', n) FROM generate_series(11, 64) AS n)
         GROUP BY q, a.account_id, a.code, p.ends_on
        UNION ALL
        SELECT q, line.number, pg_temp.account(line.code), line.amount, p.ends_on
          FROM generate_series(1, 3) AS q
          JOIN treasury.periods AS p ON p.period_id = pg_temp.seed_id('period', q)
         CROSS JOIN LATERAL (SELECT sum(m.cash_amount) AS cash, sum(m.retained_amount) AS retained
                               FROM agreements.member_allocations AS m
                              WHERE m.period_close_id = pg_temp.seed_id('close', q)) AS total
         CROSS JOIN LATERAL (VALUES (1, '2100', -total.cash), (2, '3100', -total.retained))
               AS line (number, code, amount)) AS x;


-- Capital accounts -----------------------------------------------------------------------------------------

INSERT INTO treasury.capital_accounts (capital_account_id, member_id, opened_on, created_at, updated_at)
SELECT pg_temp.seed_id('capital account', n), pg_temp.seed_id('member', n), date '2024-01-01',
       pg_temp.noon('2024-01-01'), pg_temp.noon('2024-01-01')
  FROM generate_series(1, 10) AS n;

-- 1 to 10: what was paid in; member 10's property is worth more than its tax basis. 11 to 40: what was retained.
INSERT INTO treasury.capital_account_entries (capital_entry_id, capital_account_id, kind, effective_on, book_amount,
                                              tax_amount, transaction_id, description, created_at)
SELECT pg_temp.seed_id('capital entry', n), pg_temp.seed_id('capital account', n),
       'contribution'::treasury.capital_entry_kind, t.transaction_date, 1000 * n, CASE WHEN n = 10 THEN 6000 ELSE 1000 * n END, t.transaction_id, 'sample', t.created_at
  FROM generate_series(1, 10) AS n
  JOIN treasury.transactions AS t ON t.transaction_id = pg_temp.seed_id('transaction', n)
UNION ALL
SELECT pg_temp.seed_id('capital entry', 10 + n), pg_temp.seed_id('capital account', 1 + (n - 1) % 10),
       'income_allocation', t.transaction_date, a.retained_amount, a.retained_amount, t.transaction_id, 'sample',
       t.created_at
  FROM generate_series(1, 30) AS n
  JOIN agreements.member_allocations AS a ON a.allocation_id = pg_temp.seed_id('allocation', n)
  JOIN treasury.transactions AS t ON t.transaction_id = pg_temp.seed_id('transaction', 65 + (n - 1) / 10);

INSERT INTO treasury.section_704c_layers (layer_id, capital_account_id, property_account_id, contribution_id, origin,
                                          method, established_on, book_value, tax_basis, created_at)
VALUES (pg_temp.seed_id('layer', 1), pg_temp.seed_id('capital account', 10), pg_temp.account('1500'),
        pg_temp.seed_id('contribution', 30), 'contribution', 'traditional', '2024-05-11', 10000, 6000,
        pg_temp.noon('2024-05-11'));


-- Approval, closing, payment -------------------------------------------------------------------------------

INSERT INTO agreements.period_close_approvals (close_approval_id, period_close_id, approver_id, decision, decided_at)
SELECT pg_temp.seed_id('close approval', 10 * q + n), pg_temp.seed_id('close', q), pg_temp.seed_id('member', n),
       'approved', c.created_at + interval '24 hours'
  FROM generate_series(1, 3) AS q
 CROSS JOIN generate_series(1, 2) AS n
  JOIN agreements.period_closes AS c ON c.period_close_id = pg_temp.seed_id('close', q);

ALTER TABLE agreements.period_closes DISABLE TRIGGER period_closes_updated_at;
UPDATE agreements.period_closes AS c
   SET status = 'finalized', finalized_at = c.created_at + interval '48 hours',
       updated_at = c.created_at + interval '48 hours'
  FROM generate_series(1, 3) AS q
 WHERE c.period_close_id = pg_temp.seed_id('close', q);
ALTER TABLE agreements.period_closes ENABLE TRIGGER period_closes_updated_at;

ALTER TABLE treasury.periods DISABLE TRIGGER periods_updated_at;
UPDATE treasury.periods AS p
   SET status = 'closed', closed_at = c.finalized_at, updated_at = c.finalized_at
  FROM generate_series(1, 3) AS q
  JOIN agreements.period_closes AS c ON c.period_close_id = pg_temp.seed_id('close', q)
 WHERE p.period_id = pg_temp.seed_id('period', q);
ALTER TABLE treasury.periods ENABLE TRIGGER periods_updated_at;

-- The cash of the first quarter is due to all, and paid to the first eight members.
INSERT INTO agreements.distributions (distribution_id, member_id, allocation_id, amount, status, due_on, created_at,
                                      updated_at)
SELECT pg_temp.seed_id('distribution', n), a.member_id, a.allocation_id, a.cash_amount,
       CASE WHEN n <= 8 THEN 'paid' ELSE 'approved' END::agreements.distribution_status, '2024-10-31',
       pg_temp.noon('2024-10-01'), pg_temp.noon('2024-10-01')
  FROM generate_series(1, 10) AS n
  JOIN agreements.member_allocations AS a ON a.allocation_id = pg_temp.seed_id('allocation', n);

INSERT INTO treasury.entries (entry_id, transaction_id, account_id, amount, memo, created_at)
SELECT pg_temp.seed_id('entry', 10 * (67 + n) + line.number), pg_temp.seed_id('transaction', 67 + n),
       pg_temp.account(line.code), line.sign * d.amount, 'sample', pg_temp.noon(date '2024-10-14' + n)
  FROM generate_series(1, 8) AS n
  JOIN agreements.distributions AS d ON d.distribution_id = pg_temp.seed_id('distribution', n)
 CROSS JOIN LATERAL (VALUES (1, '2100', 1), (2, '1000', -1)) AS line (number, code, sign);

INSERT INTO agreements.distribution_payments (payment_id, distribution_id, transaction_id, amount, paid_on, method,
                                              created_at)
SELECT pg_temp.seed_id('payment', n), d.distribution_id, pg_temp.seed_id('transaction', 67 + n), d.amount,
       date '2024-10-14' + n, 'bank transfer', pg_temp.noon(date '2024-10-14' + n)
  FROM generate_series(1, 8) AS n
  JOIN agreements.distributions AS d ON d.distribution_id = pg_temp.seed_id('distribution', n);


-- Views ----------------------------------------------------------------------------------------------------

-- Books are compared now, not at COMMIT: the views must show nothing that is refused later.
SET CONSTRAINTS ALL IMMEDIATE;

REFRESH MATERIALIZED VIEW treasury.account_balances;
REFRESH MATERIALIZED VIEW people.member_patronage_summary;
REFRESH MATERIALIZED VIEW agreements.period_allocations;

DROP FUNCTION pg_temp.account(text);
DROP FUNCTION pg_temp.noon(date);
DROP FUNCTION pg_temp.seed_id(text, bigint);
