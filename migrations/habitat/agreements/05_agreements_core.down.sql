-- Takes agreements, period closes, allocations and distributions away. What they have booked in the ledger stays
-- there, and so do the periods that they have closed.

DROP MATERIALIZED VIEW agreements.period_allocations;

DROP TABLE agreements.distribution_payments;
DROP TABLE agreements.distributions;
DROP TABLE agreements.allocation_lines;
DROP TABLE agreements.member_allocations;
DROP TABLE agreements.period_close_approvals;
DROP TABLE agreements.period_closes;
DROP TABLE agreements.formula_weights;
DROP TABLE agreements.allocation_formulas;
DROP TABLE agreements.agreement_signatures;
DROP TABLE agreements.operating_agreements;

DROP FUNCTION agreements.assert_not_overpaid();
DROP FUNCTION agreements.finalize_period_close(uuid);
DROP FUNCTION agreements.guard_period_close();
DROP FUNCTION agreements.guard_allocation();
DROP FUNCTION agreements.weighted_patronage(uuid, uuid, uuid);
DROP FUNCTION agreements.assert_weights_sum_to_one();

DROP TYPE agreements.distribution_status;
DROP TYPE agreements.period_close_status;
DROP SCHEMA agreements;
