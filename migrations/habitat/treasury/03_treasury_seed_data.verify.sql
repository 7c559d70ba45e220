-- The sample rows are there, all of them: their ids are derived from their numbers.
SELECT count(*) = 10, count(*) || ' of 10 members'
  FROM people.members
 WHERE member_id IN (SELECT public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:member:' || n)
                       FROM generate_series(1, 10) AS n);
SELECT count(*) = 50, count(*) || ' of 50 contributions'
  FROM people.contributions
 WHERE contribution_id IN (SELECT public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:contribution:' || n)
                             FROM generate_series(1, 50) AS n);
SELECT count(*) = 100, count(*) || ' of 100 events'
  FROM treasury.events
 WHERE event_id IN (SELECT public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:event:' || n)
                      FROM generate_series(1, 100) AS n);
SELECT count(*) = 75, count(*) || ' of 75 transactions'
  FROM treasury.transactions
 WHERE transaction_id IN (SELECT public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:transaction:' || n)
                            FROM generate_series(1, 75) AS n);
SELECT count(*) = 30, count(*) || ' of 30 allocations'
  FROM agreements.member_allocations
 WHERE allocation_id IN (SELECT public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:allocation:' || n)
                           FROM generate_series(1, 30) AS n);

-- Each of the 75 transactions has entries that sum to zero, and the event that it books.
SELECT count(*) = 75, count(*) || ' of 75 transactions balance'
  FROM (SELECT FROM generate_series(1, 75) AS n
          JOIN treasury.transactions AS t
            ON t.transaction_id = public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:transaction:' || n)
          JOIN treasury.events AS v ON v.event_id = t.event_id AND v.aggregate_id = t.transaction_id
          JOIN treasury.entries AS e ON e.transaction_id = t.transaction_id
         GROUP BY t.transaction_id
        HAVING count(*) >= 2 AND sum(e.amount) = 0) AS balanced;

-- The contributions that were approved have as many approvals of others as the policies demanded of them.
SELECT count(*) = 0, count(*) || ' contributions'
  FROM generate_series(1, 50) AS n
  JOIN people.contributions AS c
    ON c.contribution_id = public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:contribution:' || n)
 WHERE c.status = 'approved'
   AND (SELECT count(*) FROM people.contribution_approvals AS a
         WHERE a.contribution_id = c.contribution_id AND a.status = 'approved')
       < CASE WHEN c.category = 'capital' OR (c.category IN ('labor', 'revenue') AND c.value >= 10000)
              THEN 2 ELSE 1 END;

-- Three quarters are closed, each with its surplus allocated to the cent and booked.
SELECT count(*) = 3, count(*) || ' of 3 period closes'
  FROM generate_series(1, 3) AS q
  JOIN agreements.period_closes AS c
    ON c.period_close_id = public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:close:' || q)
  JOIN treasury.periods AS p ON p.period_id = c.period_id
 WHERE c.status = 'finalized' AND p.status = 'closed'
   AND c.surplus = (SELECT sum(a.amount) FROM agreements.member_allocations AS a
                     WHERE a.period_close_id = c.period_close_id)
   AND c.surplus = -(SELECT sum(e.amount) FROM treasury.entries AS e
                       JOIN treasury.accounts AS a ON a.account_id = e.account_id
                      WHERE e.transaction_id = c.transaction_id AND a.account_type IN ('liability', 'equity'));

-- The lines of each allocation sum to it.
SELECT count(*) = 30, count(*) || ' of 30 allocations are explained by their lines'
  FROM (SELECT FROM generate_series(1, 30) AS n
          JOIN agreements.member_allocations AS a
            ON a.allocation_id = public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:allocation:' || n)
          JOIN agreements.allocation_lines AS l ON l.allocation_id = a.allocation_id
         GROUP BY a.allocation_id
        HAVING sum(l.amount) = a.amount) AS explained;

-- Revenue and expenses of the closed quarters are closed: what remains of them is zero.
SELECT count(*) = 0, string_agg(code || ' ' || amount, ', ')
  FROM (SELECT a.code, sum(e.amount) AS amount
          FROM generate_series(1, 75) AS n
          JOIN treasury.entries AS e
            ON e.transaction_id = public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:transaction:' || n)
          JOIN treasury.accounts AS a ON a.account_id = e.account_id
         WHERE a.account_type IN ('revenue', 'expense')
         GROUP BY a.code
        HAVING sum(e.amount) <> 0) AS open;

-- The views show the sample rows.
SELECT (SELECT sum(entry_count) FROM treasury.account_balances) >= 159
       AND (SELECT count(*) FROM people.member_patronage_summary WHERE contribution_count > 0) >= 10
       AND (SELECT count(*) FROM agreements.period_allocations WHERE member_count >= 10) >= 3,
       (SELECT sum(entry_count) FROM treasury.account_balances) || ' entries in the balances';
