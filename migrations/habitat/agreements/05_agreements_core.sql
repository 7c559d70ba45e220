-- habitat: description Agreements bounded context core schema
-- habitat: requires treasury:01_treasury_core, people:04_people_core

-- What the members agreed and what follows from it: operating agreements and their signatures, allocation
-- formulas, the close of a period, each member's allocation and its distribution.
-- It needs the ledger's periods and transactions, with pgcrypto and the trigger functions that came with them,
-- and people's members and categories, but nothing of 704(b).

CREATE SCHEMA agreements;
COMMENT ON SCHEMA agreements IS
    'Bounded context: agreements, allocation formulas, period closes, allocations, distributions.';

CREATE TYPE agreements.period_close_status AS ENUM ('draft', 'finalized');
CREATE TYPE agreements.distribution_status AS ENUM ('proposed', 'approved', 'paid', 'cancelled');


-- Operating agreements -------------------------------------------------------------------------------------

CREATE TABLE agreements.operating_agreements (
    agreement_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title          text NOT NULL,
    version        integer NOT NULL DEFAULT 1,
    body           text NOT NULL,
    body_digest    bytea NOT NULL GENERATED ALWAYS AS (public.digest(body, 'sha256')) STORED,
    effective_from date NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT operating_agreements_version_unique UNIQUE (title, version),
    CONSTRAINT operating_agreements_version_positive CHECK (version >= 1),
    CONSTRAINT operating_agreements_body_given CHECK (btrim(body) <> '')
);
COMMENT ON TABLE agreements.operating_agreements IS 'Texts that the members agreed to; an amendment is a new version.';
COMMENT ON COLUMN agreements.operating_agreements.body_digest IS
    'SHA-256 of the body in the database''s encoding; what a signature repeats.';

CREATE TABLE agreements.agreement_signatures (
    signature_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    agreement_id  uuid NOT NULL REFERENCES agreements.operating_agreements (agreement_id),
    member_id     uuid NOT NULL REFERENCES people.members (member_id),
    signed_digest bytea NOT NULL,
    signed_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT agreement_signatures_once UNIQUE (agreement_id, member_id),
    CONSTRAINT agreement_signatures_digest_length CHECK (octet_length(signed_digest) = 32)
);
COMMENT ON TABLE agreements.agreement_signatures IS
    'Who signed which agreement, and the digest of the text that they saw.';

CREATE INDEX agreement_signatures_member ON agreements.agreement_signatures (member_id);


-- Allocation formulas --------------------------------------------------------------------------------------

CREATE TABLE agreements.allocation_formulas (
    formula_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    agreement_id uuid REFERENCES agreements.operating_agreements (agreement_id),
    name         text NOT NULL,
    version      integer NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT allocation_formulas_version_unique UNIQUE (name, version),
    CONSTRAINT allocation_formulas_version_positive CHECK (version >= 1)
);
COMMENT ON TABLE agreements.allocation_formulas IS
    'Named, versioned ways to weigh patronage; the weights are in agreements.formula_weights.';
COMMENT ON COLUMN agreements.allocation_formulas.agreement_id IS
    'The agreement that adopted the formula; none while it is a proposal.';

CREATE INDEX allocation_formulas_agreement ON agreements.allocation_formulas (agreement_id);

CREATE TABLE agreements.formula_weights (
    formula_id uuid NOT NULL REFERENCES agreements.allocation_formulas (formula_id),
    category   people.patronage_category NOT NULL,
    weight     numeric(6,5) NOT NULL,
    PRIMARY KEY (formula_id, category),
    CONSTRAINT formula_weights_a_share CHECK (weight BETWEEN 0 AND 1)
);
COMMENT ON TABLE agreements.formula_weights IS
    'Share of each category of patronage in a formula; the shares of one formula sum to one.';

CREATE FUNCTION agreements.assert_weights_sum_to_one() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_formulas uuid[];
    v_wrong    record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        v_formulas := ARRAY[NEW.formula_id];
    ELSIF TG_OP = 'DELETE' THEN
        v_formulas := ARRAY[OLD.formula_id];
    ELSE
        v_formulas := ARRAY[OLD.formula_id, NEW.formula_id];
    END IF;

    SELECT w.formula_id, sum(w.weight) AS total INTO v_wrong
      FROM agreements.formula_weights AS w
     WHERE w.formula_id = ANY (v_formulas)
     GROUP BY w.formula_id
    HAVING sum(w.weight) <> 1
     LIMIT 1;

    IF FOUND THEN
        RAISE EXCEPTION 'Formula weights must sum to one'
            USING ERRCODE = 'check_violation', SCHEMA = 'agreements', TABLE = 'formula_weights',
                  CONSTRAINT = 'formula_weights_sum_to_one',
                  DETAIL = format('The weights of formula %s sum to %s.', v_wrong.formula_id, v_wrong.total);
    END IF;
    RETURN NULL;
END;
$$;
COMMENT ON FUNCTION agreements.assert_weights_sum_to_one() IS 'The weights of each touched formula sum to one.';

-- Deferred, because the weights of a formula are written one after the other.
CREATE CONSTRAINT TRIGGER formula_weights_sum_to_one
    AFTER INSERT OR UPDATE OR DELETE ON agreements.formula_weights
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION agreements.assert_weights_sum_to_one();

CREATE FUNCTION agreements.weighted_patronage(p_formula_id uuid, p_member_id uuid, p_period_id uuid) RETURNS numeric
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(sum(c.value * w.weight), 0.00)
      FROM treasury.periods AS p
      JOIN people.contributions AS c ON c.contributed_on BETWEEN p.starts_on AND p.ends_on
      JOIN agreements.formula_weights AS w ON w.category = c.category
     WHERE p.period_id = p_period_id
       AND w.formula_id = p_formula_id
       AND c.contributor_id = p_member_id
       AND c.status = 'approved';
$$;
COMMENT ON FUNCTION agreements.weighted_patronage(uuid, uuid, uuid) IS
    'A member''s approved contributions of a period, weighed by a formula.';


-- Period close ---------------------------------------------------------------------------------------------

CREATE TABLE agreements.period_closes (
    period_close_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    period_id       uuid NOT NULL REFERENCES treasury.periods (period_id),
    formula_id      uuid NOT NULL REFERENCES agreements.allocation_formulas (formula_id),
    surplus         numeric(18,2) NOT NULL,
    status          agreements.period_close_status NOT NULL DEFAULT 'draft',
    transaction_id  uuid REFERENCES treasury.transactions (transaction_id),
    finalized_at    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT period_closes_one_each UNIQUE (period_id),
    CONSTRAINT period_closes_finalized_at CHECK ((status = 'finalized') = (finalized_at IS NOT NULL))
);
COMMENT ON TABLE agreements.period_closes IS
    'The close of an accounting period: its surplus and the formula that divides it.';
COMMENT ON COLUMN agreements.period_closes.surplus IS 'What is allocated to the members; negative is a loss.';
COMMENT ON COLUMN agreements.period_closes.transaction_id IS
    'The closing transaction in the ledger, posted before the period is closed.';

CREATE INDEX period_closes_formula ON agreements.period_closes (formula_id);
CREATE INDEX period_closes_transaction ON agreements.period_closes (transaction_id) WHERE transaction_id IS NOT NULL;

CREATE TABLE agreements.period_close_approvals (
    close_approval_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    period_close_id   uuid NOT NULL REFERENCES agreements.period_closes (period_close_id),
    approver_id       uuid NOT NULL REFERENCES people.members (member_id),
    decision          text NOT NULL,
    comment           text,
    decided_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT period_close_approvals_one_each UNIQUE (period_close_id, approver_id),
    CONSTRAINT period_close_approvals_decision_known CHECK (decision IN ('approved', 'rejected'))
);
COMMENT ON TABLE agreements.period_close_approvals IS
    'Decisions of governance on a period close; one rejection blocks it.';

CREATE INDEX period_close_approvals_approver ON agreements.period_close_approvals (approver_id);

CREATE TABLE agreements.member_allocations (
    allocation_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    period_close_id uuid NOT NULL REFERENCES agreements.period_closes (period_close_id),
    member_id       uuid NOT NULL REFERENCES people.members (member_id),
    amount          numeric(18,2) NOT NULL,
    cash_amount     numeric(18,2) NOT NULL DEFAULT 0,
    retained_amount numeric(18,2) NOT NULL GENERATED ALWAYS AS (amount - cash_amount) STORED,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT member_allocations_one_each UNIQUE (period_close_id, member_id),
    -- The target of distributions' foreign key, which carries the member along.
    CONSTRAINT member_allocations_member_unique UNIQUE (allocation_id, member_id),
    CONSTRAINT member_allocations_cash_within_amount CHECK (cash_amount BETWEEN 0 AND greatest(amount, 0))
);
COMMENT ON TABLE agreements.member_allocations IS
    'Each member''s part of a period''s surplus or loss: paid in cash, the rest retained as capital.';

CREATE INDEX member_allocations_member ON agreements.member_allocations (member_id);

CREATE TABLE agreements.allocation_lines (
    allocation_id   uuid NOT NULL REFERENCES agreements.member_allocations (allocation_id) ON DELETE CASCADE,
    category        people.patronage_category NOT NULL,
    patronage_value numeric(18,2) NOT NULL,
    weight          numeric(6,5) NOT NULL,
    amount          numeric(18,2) NOT NULL,
    PRIMARY KEY (allocation_id, category),
    CONSTRAINT allocation_lines_patronage_not_negative CHECK (patronage_value >= 0),
    CONSTRAINT allocation_lines_weight_a_share CHECK (weight BETWEEN 0 AND 1)
);
COMMENT ON TABLE agreements.allocation_lines IS
    'How an allocation came about, by category, in the figures of that day; a statement for the member.';

CREATE FUNCTION agreements.guard_allocation() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_closes uuid[];
    v_status agreements.period_close_status;
BEGIN
    IF TG_OP = 'INSERT' THEN
        v_closes := ARRAY[NEW.period_close_id];
    ELSIF TG_OP = 'DELETE' THEN
        v_closes := ARRAY[OLD.period_close_id];
    ELSE
        v_closes := ARRAY[OLD.period_close_id, NEW.period_close_id];
    END IF;

    -- FOR SHARE keeps the close from being finalized between this look and the commit.
    FOR v_status IN
        SELECT c.status FROM agreements.period_closes AS c WHERE c.period_close_id = ANY (v_closes) FOR SHARE
    LOOP
        IF v_status = 'finalized' THEN
            RAISE EXCEPTION 'Allocations of a finalized period close cannot change'
                USING ERRCODE = 'restrict_violation', SCHEMA = 'agreements', TABLE = 'member_allocations';
        END IF;
    END LOOP;

    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION agreements.guard_allocation() IS 'Allocations change only while their period close is a draft.';

CREATE TRIGGER member_allocations_guard BEFORE INSERT OR UPDATE OR DELETE ON agreements.member_allocations
    FOR EACH ROW EXECUTE FUNCTION agreements.guard_allocation();
CREATE TRIGGER member_allocations_updated_at BEFORE UPDATE ON agreements.member_allocations
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();

CREATE FUNCTION agreements.guard_period_close() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_allocated numeric;
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.status = 'finalized' THEN
        RAISE EXCEPTION 'A finalized period close cannot change'
            USING ERRCODE = 'restrict_violation', SCHEMA = 'agreements', TABLE = 'period_closes';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;

    IF NEW.status = 'finalized' THEN
        IF (SELECT bool_and(a.decision = 'approved') FROM agreements.period_close_approvals AS a
             WHERE a.period_close_id = NEW.period_close_id) IS NOT TRUE THEN
            RAISE EXCEPTION 'A period close needs an approval and no rejection'
                USING ERRCODE = 'check_violation', SCHEMA = 'agreements', TABLE = 'period_closes', COLUMN = 'status';
        END IF;
        -- The caller must be allowed to see every allocation; rows hidden by a policy make the sums differ.
        SELECT coalesce(sum(a.amount), 0) INTO v_allocated
          FROM agreements.member_allocations AS a
         WHERE a.period_close_id = NEW.period_close_id;
        IF v_allocated <> NEW.surplus THEN
            RAISE EXCEPTION 'Member allocations must sum to the surplus'
                USING ERRCODE = 'check_violation', SCHEMA = 'agreements', TABLE = 'period_closes', COLUMN = 'surplus',
                      DETAIL = format('Allocated %s of %s.', v_allocated, NEW.surplus);
        END IF;
        NEW.finalized_at := coalesce(NEW.finalized_at, now());
    END IF;
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION agreements.guard_period_close() IS
    'Finalizing needs approval and a surplus allocated to the cent, and is final.';

CREATE TRIGGER period_closes_guard BEFORE INSERT OR UPDATE OR DELETE ON agreements.period_closes
    FOR EACH ROW EXECUTE FUNCTION agreements.guard_period_close();
CREATE TRIGGER period_closes_updated_at BEFORE UPDATE ON agreements.period_closes
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();

CREATE FUNCTION agreements.finalize_period_close(p_period_close_id uuid) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_period_id uuid;
BEGIN
    UPDATE agreements.period_closes AS c SET status = 'finalized'
     WHERE c.period_close_id = p_period_close_id
    RETURNING c.period_id INTO v_period_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no period close %', p_period_close_id USING ERRCODE = 'no_data_found';
    END IF;
    UPDATE treasury.periods AS p SET status = 'closed' WHERE p.period_id = v_period_id AND p.status = 'open';
END;
$$;
COMMENT ON FUNCTION agreements.finalize_period_close(uuid) IS
    'Finalizes a period close and closes its accounting period, both or neither.';


-- Distributions --------------------------------------------------------------------------------------------

CREATE TABLE agreements.distributions (
    distribution_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    member_id       uuid NOT NULL REFERENCES people.members (member_id),
    allocation_id   uuid,
    amount          numeric(18,2) NOT NULL,
    status          agreements.distribution_status NOT NULL DEFAULT 'proposed',
    due_on          date,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    -- Both columns, so that a member is never paid out of another member's allocation.
    CONSTRAINT distributions_allocation_fkey FOREIGN KEY (allocation_id, member_id)
        REFERENCES agreements.member_allocations (allocation_id, member_id),
    -- NaN is greater than every number to PostgreSQL: it would pass as a limit that no payment exceeds.
    CONSTRAINT distributions_amount_positive CHECK (amount > 0 AND amount <> 'NaN')
);
COMMENT ON TABLE agreements.distributions IS
    'What is to be paid to a member, out of an allocation or (none named) out of retained capital.';

CREATE INDEX distributions_member ON agreements.distributions (member_id);
CREATE INDEX distributions_allocation ON agreements.distributions (allocation_id, member_id);
CREATE INDEX distributions_due ON agreements.distributions (due_on) WHERE status = 'approved';

CREATE TRIGGER distributions_updated_at BEFORE UPDATE ON agreements.distributions
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();

CREATE TABLE agreements.distribution_payments (
    payment_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    distribution_id uuid NOT NULL REFERENCES agreements.distributions (distribution_id),
    transaction_id  uuid NOT NULL REFERENCES treasury.transactions (transaction_id),
    amount          numeric(18,2) NOT NULL,
    paid_on         date NOT NULL DEFAULT CURRENT_DATE,
    method          text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT distribution_payments_transaction_once UNIQUE (transaction_id),
    CONSTRAINT distribution_payments_amount_positive CHECK (amount > 0)
);
COMMENT ON TABLE agreements.distribution_payments IS
    'Payments of a distribution, each booked by one transaction of the ledger.';

CREATE INDEX distribution_payments_distribution ON agreements.distribution_payments (distribution_id);

CREATE FUNCTION agreements.assert_not_overpaid() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_distribution record;
    v_paid         numeric;
BEGIN
    -- Locked before the sum is read: two payments at one time must not both fit into the same rest.
    SELECT d.amount, d.status INTO v_distribution
      FROM agreements.distributions AS d
     WHERE d.distribution_id = NEW.distribution_id
       FOR UPDATE;
    SELECT sum(p.amount) INTO v_paid
      FROM agreements.distribution_payments AS p
     WHERE p.distribution_id = NEW.distribution_id;

    -- IS NOT TRUE refuses as well when a policy hides the distribution from the caller.
    IF (v_distribution.status IN ('approved', 'paid') AND v_paid <= v_distribution.amount) IS NOT TRUE THEN
        RAISE EXCEPTION 'Payments must not exceed an approved distribution'
            USING ERRCODE = 'check_violation', SCHEMA = 'agreements', TABLE = 'distribution_payments',
                  DETAIL = format('Distribution %s (%s): %s paid of %s.', NEW.distribution_id,
                                  v_distribution.status, v_paid, v_distribution.amount);
    END IF;
    RETURN NULL;
END;
$$;
COMMENT ON FUNCTION agreements.assert_not_overpaid() IS
    'Only an approved distribution is paid, and never more than its amount.';

CREATE TRIGGER distribution_payments_not_overpaid AFTER INSERT OR UPDATE ON agreements.distribution_payments
    FOR EACH ROW EXECUTE FUNCTION agreements.assert_not_overpaid();


-- Allocations by period ------------------------------------------------------------------------------------

-- Allocations and payments are summed apart: joined, each payment would repeat its allocation's amount.
CREATE MATERIALIZED VIEW agreements.period_allocations AS
SELECT p.period_id,
       p.name AS period_name,
       p.starts_on,
       p.ends_on,
       c.status AS close_status,
       c.surplus,
       coalesce(a.member_count, 0) AS member_count,
       coalesce(a.allocated, 0.00) AS allocated,
       coalesce(a.cash, 0.00) AS cash,
       coalesce(a.retained, 0.00) AS retained,
       coalesce(d.paid, 0.00) AS paid
  FROM agreements.period_closes AS c
  JOIN treasury.periods AS p ON p.period_id = c.period_id
  LEFT JOIN (
        SELECT m.period_close_id,
               count(*) AS member_count,
               sum(m.amount) AS allocated,
               sum(m.cash_amount) AS cash,
               sum(m.retained_amount) AS retained
          FROM agreements.member_allocations AS m
         GROUP BY m.period_close_id
       ) AS a ON a.period_close_id = c.period_close_id
  LEFT JOIN (
        SELECT m.period_close_id, sum(y.amount) AS paid
          FROM agreements.distribution_payments AS y
          JOIN agreements.distributions AS x ON x.distribution_id = y.distribution_id
          JOIN agreements.member_allocations AS m ON m.allocation_id = x.allocation_id
         GROUP BY m.period_close_id
       ) AS d ON d.period_close_id = c.period_close_id
  WITH DATA;
COMMENT ON MATERIALIZED VIEW agreements.period_allocations IS
    'What each closed or closing period allocated, retained and paid as of the last refresh; '
    'totals only, no member''s figures.';

-- REFRESH MATERIALIZED VIEW CONCURRENTLY needs a unique index.
CREATE UNIQUE INDEX period_allocations_period ON agreements.period_allocations (period_id);
