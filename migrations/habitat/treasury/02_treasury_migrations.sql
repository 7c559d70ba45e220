-- habitat: description Treasury 704(b) compliance extensions
-- habitat: requires treasury:01_treasury_core, people:04_people_core

-- Capital accounts under section 704(b) of the Internal Revenue Code, the 704(c) layers of contributed
-- property, shares of minimum gain, deficit restoration obligations (DRO) and qualified income offsets (QIO).
-- Paragraph numbers are those of Treas. Reg. 1.704-1(b)(2)(ii) unless another is given.
--
-- It requires people although its number is lower: a capital account belongs to a member, and a 704(c) layer
-- comes from the contribution that a member made.

CREATE TYPE treasury.capital_entry_kind AS ENUM (
    'contribution', 'distribution', 'income_allocation', 'loss_allocation', 'nonrecourse_deduction',
    'revaluation', 'minimum_gain_chargeback', 'qualified_income_offset', 'reversal'
);
CREATE TYPE treasury.section_704c_method AS ENUM ('traditional', 'traditional_with_curative', 'remedial');


-- Capital accounts -----------------------------------------------------------------------------------------

CREATE TABLE treasury.capital_accounts (
    capital_account_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    member_id          uuid NOT NULL REFERENCES people.members (member_id),
    equity_account_id  uuid REFERENCES treasury.accounts (account_id),
    opened_on          date NOT NULL DEFAULT CURRENT_DATE,
    closed_on          date,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT capital_accounts_one_each UNIQUE (member_id),
    CONSTRAINT capital_accounts_run_forward CHECK (closed_on IS NULL OR closed_on >= opened_on)
);
COMMENT ON TABLE treasury.capital_accounts IS
    'One capital account for each member, in book (704(b)) and tax amounts; the regulation allows no second one.';
COMMENT ON COLUMN treasury.capital_accounts.equity_account_id IS
    'The ledger account that mirrors the book balance, if the member has one of their own.';

CREATE INDEX capital_accounts_equity_account ON treasury.capital_accounts (equity_account_id);

CREATE TRIGGER capital_accounts_updated_at BEFORE UPDATE ON treasury.capital_accounts
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();

CREATE TABLE treasury.capital_account_entries (
    capital_entry_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    capital_account_id uuid NOT NULL REFERENCES treasury.capital_accounts (capital_account_id),
    kind               treasury.capital_entry_kind NOT NULL,
    effective_on       date NOT NULL,
    book_amount        numeric(18,2) NOT NULL,
    tax_amount         numeric(18,2) NOT NULL,
    transaction_id     uuid REFERENCES treasury.transactions (transaction_id),
    description        text,
    created_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT capital_account_entries_not_empty CHECK (book_amount <> 0 OR tax_amount <> 0),
    CONSTRAINT capital_account_entries_sign CHECK (
        CASE
            WHEN kind IN ('contribution', 'income_allocation', 'minimum_gain_chargeback', 'qualified_income_offset')
                THEN book_amount >= 0
            WHEN kind IN ('distribution', 'loss_allocation', 'nonrecourse_deduction')
                THEN book_amount <= 0
            ELSE true
        END)
);
COMMENT ON TABLE treasury.capital_account_entries IS
    'Append-only ledger of capital accounts; positive increases the member''s capital.';
COMMENT ON COLUMN treasury.capital_account_entries.tax_amount IS
    'Differs from book_amount where book value and tax basis do: see section_704c_layers.';

CREATE INDEX capital_account_entries_account ON treasury.capital_account_entries (capital_account_id, effective_on);
CREATE INDEX capital_account_entries_transaction ON treasury.capital_account_entries (transaction_id)
    WHERE transaction_id IS NOT NULL;

CREATE FUNCTION treasury.guard_capital_entry() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM treasury.assert_period_open(NEW.effective_on);
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION treasury.guard_capital_entry() IS 'A closed period takes no capital entries.';

CREATE TRIGGER capital_account_entries_closed_period BEFORE INSERT ON treasury.capital_account_entries
    FOR EACH ROW EXECUTE FUNCTION treasury.guard_capital_entry();
CREATE TRIGGER capital_account_entries_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.capital_account_entries
    FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();


-- Section 704(c) layers ------------------------------------------------------------------------------------

CREATE TABLE treasury.section_704c_layers (
    layer_id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    capital_account_id  uuid NOT NULL REFERENCES treasury.capital_accounts (capital_account_id),
    property_account_id uuid NOT NULL REFERENCES treasury.accounts (account_id),
    contribution_id     uuid REFERENCES people.contributions (contribution_id),
    origin              text NOT NULL,
    method              treasury.section_704c_method NOT NULL,
    established_on      date NOT NULL,
    book_value          numeric(18,2) NOT NULL,
    tax_basis           numeric(18,2) NOT NULL,
    built_in_gain       numeric(18,2) NOT NULL GENERATED ALWAYS AS (book_value - tax_basis) STORED,
    created_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT section_704c_layers_origin_known CHECK (origin IN ('contribution', 'revaluation')),
    CONSTRAINT section_704c_layers_revaluation_has_no_contribution
        CHECK (origin = 'contribution' OR contribution_id IS NULL),
    CONSTRAINT section_704c_layers_values_not_negative CHECK (book_value >= 0 AND tax_basis >= 0),
    -- Without a disparity there is nothing to allocate.
    CONSTRAINT section_704c_layers_disparity CHECK (book_value <> tax_basis)
);
COMMENT ON TABLE treasury.section_704c_layers IS
    'Built-in gain or loss that a member brought in with property (forward layer) '
    'or that a revaluation fixed for them (reverse layer).';
COMMENT ON COLUMN treasury.section_704c_layers.built_in_gain IS
    'Book value less tax basis; negative is a built-in loss.';

CREATE INDEX section_704c_layers_capital_account ON treasury.section_704c_layers (capital_account_id);
CREATE INDEX section_704c_layers_property ON treasury.section_704c_layers (property_account_id);
CREATE INDEX section_704c_layers_contribution ON treasury.section_704c_layers (contribution_id)
    WHERE contribution_id IS NOT NULL;

CREATE TABLE treasury.section_704c_allocations (
    layer_allocation_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    layer_id            uuid NOT NULL REFERENCES treasury.section_704c_layers (layer_id),
    period_id           uuid NOT NULL REFERENCES treasury.periods (period_id),
    kind                text NOT NULL,
    amount              numeric(18,2) NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT section_704c_allocations_kind_known
        CHECK (kind IN ('depreciation', 'disposition', 'curative', 'remedial', 'correction')),
    CONSTRAINT section_704c_allocations_amount_not_zero CHECK (amount <> 0)
);
COMMENT ON TABLE treasury.section_704c_allocations IS
    'Append-only: how much of a layer a period used up. Same sign as the layer; a correction has the other.';

CREATE INDEX section_704c_allocations_layer ON treasury.section_704c_allocations (layer_id);
CREATE INDEX section_704c_allocations_period ON treasury.section_704c_allocations (period_id);

CREATE FUNCTION treasury.assert_layer_not_exceeded() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_gain numeric;
    v_used numeric;
BEGIN
    -- Locked before the sum is read: two sessions must not each use up the same rest.
    SELECT l.built_in_gain INTO v_gain
      FROM treasury.section_704c_layers AS l
     WHERE l.layer_id = NEW.layer_id
       FOR UPDATE;
    SELECT sum(a.amount) INTO v_used
      FROM treasury.section_704c_allocations AS a
     WHERE a.layer_id = NEW.layer_id;

    IF v_used NOT BETWEEN least(v_gain, 0) AND greatest(v_gain, 0) THEN
        RAISE EXCEPTION 'Allocations exceed the 704(c) layer'
            USING ERRCODE = 'check_violation', SCHEMA = 'treasury', TABLE = 'section_704c_allocations',
                  CONSTRAINT = 'section_704c_allocations_within_layer',
                  DETAIL = format('Layer %s holds %s; allocations sum to %s.', NEW.layer_id, v_gain, v_used);
    END IF;
    RETURN NULL;
END;
$$;
COMMENT ON FUNCTION treasury.assert_layer_not_exceeded() IS
    'What was allocated stays between zero and the layer''s built-in gain or loss.';

CREATE TRIGGER section_704c_allocations_within_layer AFTER INSERT ON treasury.section_704c_allocations
    FOR EACH ROW EXECUTE FUNCTION treasury.assert_layer_not_exceeded();
CREATE TRIGGER section_704c_allocations_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.section_704c_allocations
    FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();


-- Minimum gain, DRO, QIO -----------------------------------------------------------------------------------

CREATE TABLE treasury.minimum_gain_shares (
    minimum_gain_share_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    period_id             uuid NOT NULL REFERENCES treasury.periods (period_id),
    capital_account_id    uuid NOT NULL REFERENCES treasury.capital_accounts (capital_account_id),
    liability_account_id  uuid NOT NULL REFERENCES treasury.accounts (account_id),
    kind                  text NOT NULL,
    opening_share         numeric(18,2) NOT NULL,
    closing_share         numeric(18,2) NOT NULL,
    chargeback_due        numeric(18,2) NOT NULL
                          GENERATED ALWAYS AS (greatest(opening_share - closing_share, 0)) STORED,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT minimum_gain_shares_one_each UNIQUE (period_id, capital_account_id, liability_account_id),
    CONSTRAINT minimum_gain_shares_kind_known CHECK (kind IN ('partnership', 'partner_nonrecourse')),
    CONSTRAINT minimum_gain_shares_not_negative CHECK (opening_share >= 0 AND closing_share >= 0)
);
COMMENT ON TABLE treasury.minimum_gain_shares IS
    'A member''s share of the gain that would arise if property were given up '
    'for the nonrecourse loan on it (Treas. Reg. 1.704-2).';
COMMENT ON COLUMN treasury.minimum_gain_shares.chargeback_due IS
    'A net decrease over the period is charged back as income (1.704-2(f), (i)(4)).';

CREATE INDEX minimum_gain_shares_capital_account ON treasury.minimum_gain_shares (capital_account_id);
CREATE INDEX minimum_gain_shares_liability ON treasury.minimum_gain_shares (liability_account_id);

CREATE TRIGGER minimum_gain_shares_updated_at BEFORE UPDATE ON treasury.minimum_gain_shares
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();

CREATE TABLE treasury.deficit_restoration_obligations (
    obligation_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    capital_account_id uuid NOT NULL REFERENCES treasury.capital_accounts (capital_account_id),
    limit_amount       numeric(18,2) NOT NULL,
    effective_from     date NOT NULL,
    effective_until    date,
    instrument         text NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deficit_restoration_obligations_limit_positive CHECK (limit_amount > 0),
    CONSTRAINT deficit_restoration_obligations_run_forward
        CHECK (effective_until IS NULL OR effective_until >= effective_from)
);
COMMENT ON TABLE treasury.deficit_restoration_obligations IS
    'Limited amounts that a member must pay in to restore a deficit, paragraph (c); several at one time add up.';
COMMENT ON COLUMN treasury.deficit_restoration_obligations.instrument IS
    'The note or the clause of the agreement that obliges the member.';

CREATE INDEX deficit_restoration_obligations_account
    ON treasury.deficit_restoration_obligations (capital_account_id, effective_from);

CREATE TRIGGER deficit_restoration_obligations_updated_at BEFORE UPDATE ON treasury.deficit_restoration_obligations
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();

CREATE TABLE treasury.qualified_income_offsets (
    offset_id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    period_id          uuid NOT NULL REFERENCES treasury.periods (period_id),
    capital_account_id uuid NOT NULL REFERENCES treasury.capital_accounts (capital_account_id),
    cause              text NOT NULL,
    deficit_amount     numeric(18,2) NOT NULL,
    offset_amount      numeric(18,2) NOT NULL DEFAULT 0,
    capital_entry_id   uuid REFERENCES treasury.capital_account_entries (capital_entry_id),
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT qualified_income_offsets_one_each UNIQUE (period_id, capital_account_id, cause),
    CONSTRAINT qualified_income_offsets_entry_once UNIQUE (capital_entry_id),
    CONSTRAINT qualified_income_offsets_cause_known CHECK (cause IN ('depletion', 'loss_allocation', 'distribution')),
    CONSTRAINT qualified_income_offsets_deficit_positive CHECK (deficit_amount > 0),
    CONSTRAINT qualified_income_offsets_within_deficit CHECK (offset_amount BETWEEN 0 AND deficit_amount),
    CONSTRAINT qualified_income_offsets_booked CHECK ((offset_amount > 0) = (capital_entry_id IS NOT NULL))
);
COMMENT ON TABLE treasury.qualified_income_offsets IS
    'Deficits that an unexpected adjustment, allocation or distribution caused, '
    'and the income that removed them, paragraph (d).';
COMMENT ON COLUMN treasury.qualified_income_offsets.cause IS
    'The event of paragraph (d)(4), (5) or (6), in this order.';

CREATE INDEX qualified_income_offsets_capital_account ON treasury.qualified_income_offsets (capital_account_id);

CREATE TRIGGER qualified_income_offsets_updated_at BEFORE UPDATE ON treasury.qualified_income_offsets
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();


-- What the tables mean together ----------------------------------------------------------------------------

CREATE FUNCTION treasury.capital_balance(p_capital_account_id uuid, p_as_of date DEFAULT CURRENT_DATE) RETURNS numeric
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(sum(e.book_amount), 0.00)
      FROM treasury.capital_account_entries AS e
     WHERE e.capital_account_id = p_capital_account_id
       AND e.effective_on <= p_as_of;
$$;
COMMENT ON FUNCTION treasury.capital_balance(uuid, date) IS
    'Book (704(b)) balance of a capital account at the end of a day.';

CREATE FUNCTION treasury.adjusted_capital_balance(
    p_capital_account_id uuid,
    p_period_id uuid,
    p_expected_distributions numeric DEFAULT 0
) RETURNS numeric
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT treasury.capital_balance(p_capital_account_id, p.ends_on)
           + coalesce((SELECT sum(o.limit_amount)
                         FROM treasury.deficit_restoration_obligations AS o
                        WHERE o.capital_account_id = p_capital_account_id
                          AND daterange(o.effective_from, o.effective_until, '[]') @> p.ends_on), 0)
           + coalesce((SELECT sum(g.closing_share)
                         FROM treasury.minimum_gain_shares AS g
                        WHERE g.capital_account_id = p_capital_account_id
                          AND g.period_id = p.period_id), 0)
           - p_expected_distributions
      FROM treasury.periods AS p
     WHERE p.period_id = p_period_id;
$$;
COMMENT ON FUNCTION treasury.adjusted_capital_balance(uuid, uuid, numeric) IS
    'Balance at the period''s end plus what the member must restore or is deemed to restore, '
    'less distributions expected to exceed future income.';

CREATE FUNCTION treasury.required_income_offset(
    p_capital_account_id uuid,
    p_period_id uuid,
    p_expected_distributions numeric DEFAULT 0
) RETURNS numeric
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT greatest(-treasury.adjusted_capital_balance(p_capital_account_id, p_period_id, p_expected_distributions), 0);
$$;
COMMENT ON FUNCTION treasury.required_income_offset(uuid, uuid, numeric) IS
    'Income that a QIO must allocate to the member to remove the adjusted deficit.';
