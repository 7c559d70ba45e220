-- habitat: description Treasury bounded context core schema

-- The ledger: a chart of accounts, accounting periods, an append-only log of events, and double-entry
-- transactions. An amount is signed: positive is a debit, negative a credit, and a transaction sums to zero.

-- Both are trusted extensions, so the database's owner may create them. The schema is named because these
-- functions are called by qualified name below; whatever search_path is set must not decide where they are.
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS "uuid-ossp" WITH SCHEMA public;

CREATE SCHEMA treasury;
COMMENT ON SCHEMA treasury IS 'Bounded context: ledger, accounting periods and 704(b) capital accounting.';

CREATE TYPE treasury.account_type AS ENUM ('asset', 'liability', 'equity', 'revenue', 'expense');
CREATE TYPE treasury.period_status AS ENUM ('open', 'closed');


-- Shared trigger functions ---------------------------------------------------------------------------------

CREATE FUNCTION treasury.set_updated_at() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION treasury.set_updated_at() IS 'BEFORE UPDATE row trigger: stamps updated_at.';

CREATE FUNCTION treasury.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % is refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation',
              SCHEMA = TG_TABLE_SCHEMA,
              TABLE = TG_TABLE_NAME,
              HINT = 'Record a correcting row instead.';
END;
$$;
COMMENT ON FUNCTION treasury.refuse_change() IS 'BEFORE statement trigger: keeps a table append-only.';


-- Accounts -------------------------------------------------------------------------------------------------

CREATE TABLE treasury.accounts (
    account_id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    code              text NOT NULL,
    name              text NOT NULL,
    account_type      treasury.account_type NOT NULL,
    parent_account_id uuid REFERENCES treasury.accounts (account_id),
    is_active         boolean NOT NULL DEFAULT true,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_code_unique UNIQUE (code),
    CONSTRAINT accounts_code_form CHECK (code ~ '^[0-9A-Z][0-9A-Z.-]*$'),
    CONSTRAINT accounts_name_given CHECK (btrim(name) <> ''),
    CONSTRAINT accounts_not_own_parent CHECK (parent_account_id <> account_id)
);
COMMENT ON TABLE treasury.accounts IS 'Chart of accounts.';
COMMENT ON COLUMN treasury.accounts.is_active IS
    'Offered for new entries; an account with history is retired, never deleted.';

CREATE INDEX accounts_parent ON treasury.accounts (parent_account_id);

CREATE TRIGGER accounts_updated_at BEFORE UPDATE ON treasury.accounts
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();

-- Reference data, not sample data: every environment has these accounts, under ids derived from their codes,
-- so that configuration may name an account by id.
INSERT INTO treasury.accounts (account_id, code, name, account_type)
SELECT public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:treasury:account:' || c.code),
       c.code, c.name, c.account_type::treasury.account_type
  FROM (VALUES
        ('1000', 'Cash',                              'asset'),
        ('1100', 'Accounts receivable',               'asset'),
        ('1500', 'Contributed property',              'asset'),
        ('2000', 'Accounts payable',                  'liability'),
        ('2100', 'Distributions payable to members',  'liability'),
        ('2500', 'Nonrecourse loans',                 'liability'),
        ('3000', 'Member capital',                    'equity'),
        ('3100', 'Retained patronage',                'equity'),
        ('4000', 'Patronage revenue',                 'revenue'),
        ('4900', 'Non-patronage revenue',             'revenue'),
        ('5000', 'Operating expenses',                'expense')
       ) AS c (code, name, account_type);


-- Periods --------------------------------------------------------------------------------------------------

CREATE TABLE treasury.periods (
    period_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text NOT NULL,
    starts_on  date NOT NULL,
    ends_on    date NOT NULL,
    status     treasury.period_status NOT NULL DEFAULT 'open',
    closed_at  timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT periods_name_unique UNIQUE (name),
    CONSTRAINT periods_run_forward CHECK (starts_on <= ends_on),
    CONSTRAINT periods_closed_at_when_closed CHECK ((status = 'closed') = (closed_at IS NOT NULL)),
    -- Without overlaps a date belongs to one period at most, so a transaction needs no period column that
    -- could contradict its date. The constraint's index also serves the look-up by date.
    CONSTRAINT periods_do_not_overlap EXCLUDE USING gist (daterange(starts_on, ends_on, '[]') WITH &&)
);
COMMENT ON TABLE treasury.periods IS 'Accounting periods; ends_on is inclusive. A date outside every period is open.';

CREATE FUNCTION treasury.guard_period() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.status = 'closed' THEN
        RAISE EXCEPTION 'Period % is closed and cannot change', OLD.name
            USING ERRCODE = 'restrict_violation', SCHEMA = 'treasury', TABLE = 'periods',
                  HINT = 'Post the correction to an open period.';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF NEW.status = 'closed' THEN
        NEW.closed_at := coalesce(NEW.closed_at, now());
    END IF;
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION treasury.guard_period() IS 'Closing a period stamps closed_at and is final.';

CREATE TRIGGER periods_guard BEFORE INSERT OR UPDATE OR DELETE ON treasury.periods
    FOR EACH ROW EXECUTE FUNCTION treasury.guard_period();
CREATE TRIGGER periods_updated_at BEFORE UPDATE ON treasury.periods
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();

CREATE FUNCTION treasury.assert_period_open(p_date date) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_period record;
BEGIN
    -- FOR SHARE makes posting and closing wait for each other: without it a posting that read "open" could
    -- commit after the period was closed.
    SELECT p.name, p.status INTO v_period
      FROM treasury.periods AS p
     WHERE daterange(p.starts_on, p.ends_on, '[]') @> p_date
       FOR SHARE;

    IF v_period.status = 'closed' THEN
        RAISE EXCEPTION 'Period % is closed', v_period.name
            USING ERRCODE = 'restrict_violation', SCHEMA = 'treasury', TABLE = 'periods',
                  DETAIL = format('%s lies in a closed period.', p_date),
                  HINT = 'Post the correction to an open period.';
    END IF;
END;
$$;
COMMENT ON FUNCTION treasury.assert_period_open(date) IS
    'Raises when the date lies in a closed period; holds an open one open until the transaction ends.';


-- Events ---------------------------------------------------------------------------------------------------

CREATE TABLE treasury.events (
    event_id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sequence       bigint GENERATED ALWAYS AS IDENTITY,
    event_type     text NOT NULL,
    aggregate_type text,
    aggregate_id   uuid,
    payload        jsonb NOT NULL DEFAULT '{}',
    payload_digest bytea NOT NULL GENERATED ALWAYS AS (public.digest(payload::text, 'sha256')) STORED,
    caused_by      uuid REFERENCES treasury.events (event_id),
    occurred_at    timestamptz NOT NULL DEFAULT now(),
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by    text NOT NULL DEFAULT CURRENT_USER,
    CONSTRAINT events_sequence_unique UNIQUE (sequence),
    CONSTRAINT events_type_given CHECK (btrim(event_type) <> ''),
    CONSTRAINT events_payload_object CHECK (jsonb_typeof(payload) = 'object')
);
COMMENT ON TABLE treasury.events IS 'Append-only log of what happened; state is derived from it.';
COMMENT ON COLUMN treasury.events.sequence IS 'Order of recording; gaps are normal, a rolled-back insert leaves one.';
COMMENT ON COLUMN treasury.events.payload_digest IS
    'SHA-256 of the payload as PostgreSQL prints it, for external auditors to anchor.';
COMMENT ON COLUMN treasury.events.occurred_at IS
    'When it happened in the world; recorded_at is when it was written here.';

CREATE INDEX events_aggregate ON treasury.events (aggregate_type, aggregate_id, sequence);
CREATE INDEX events_type_occurred ON treasury.events (event_type, occurred_at);
CREATE INDEX events_caused_by ON treasury.events (caused_by) WHERE caused_by IS NOT NULL;

-- A statement trigger, because only such a trigger sees TRUNCATE.
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON treasury.events
    FOR EACH STATEMENT EXECUTE FUNCTION treasury.refuse_change();


-- Transactions and entries ---------------------------------------------------------------------------------

CREATE TABLE treasury.transactions (
    transaction_id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    description             text NOT NULL,
    transaction_date        date NOT NULL DEFAULT CURRENT_DATE,
    event_id                uuid REFERENCES treasury.events (event_id),
    reverses_transaction_id uuid REFERENCES treasury.transactions (transaction_id),
    posted_by               text NOT NULL DEFAULT CURRENT_USER,
    created_at              timestamptz NOT NULL DEFAULT now(),
    updated_at              timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT transactions_reversed_once UNIQUE (reverses_transaction_id),
    CONSTRAINT transactions_not_own_reversal CHECK (reverses_transaction_id <> transaction_id),
    CONSTRAINT transactions_description_given CHECK (btrim(description) <> '')
);
COMMENT ON TABLE treasury.transactions IS 'Headers of double-entry transactions; the amounts are in treasury.entries.';
COMMENT ON COLUMN treasury.transactions.event_id IS 'The event that the transaction books, if one was recorded.';

CREATE INDEX transactions_date ON treasury.transactions (transaction_date);
CREATE INDEX transactions_event ON treasury.transactions (event_id) WHERE event_id IS NOT NULL;

CREATE TABLE treasury.entries (
    entry_id       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    transaction_id uuid NOT NULL REFERENCES treasury.transactions (transaction_id),
    account_id     uuid NOT NULL REFERENCES treasury.accounts (account_id),
    amount         numeric(18,2) NOT NULL,
    memo           text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT entries_amount_not_zero CHECK (amount <> 0)
);
COMMENT ON TABLE treasury.entries IS 'Lines of transactions; those of one transaction sum to zero when it commits.';
COMMENT ON COLUMN treasury.entries.amount IS 'Positive is a debit, negative a credit.';

CREATE INDEX entries_transaction ON treasury.entries (transaction_id) INCLUDE (amount);
CREATE INDEX entries_account ON treasury.entries (account_id);

CREATE FUNCTION treasury.guard_closed_period() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Old and new, so that nothing leaves a closed period by having its date or its transaction changed.
    IF TG_TABLE_NAME = 'transactions' THEN
        IF TG_OP <> 'INSERT' THEN
            PERFORM treasury.assert_period_open(OLD.transaction_date);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            PERFORM treasury.assert_period_open(NEW.transaction_date);
        END IF;
    ELSE
        IF TG_OP <> 'INSERT' THEN
            PERFORM treasury.assert_period_open(t.transaction_date)
               FROM treasury.transactions AS t WHERE t.transaction_id = OLD.transaction_id;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            PERFORM treasury.assert_period_open(t.transaction_date)
               FROM treasury.transactions AS t WHERE t.transaction_id = NEW.transaction_id;
        END IF;
    END IF;

    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION treasury.guard_closed_period() IS
    'A closed period takes no transactions and no entries, and gives none up.';

CREATE TRIGGER transactions_closed_period BEFORE INSERT OR UPDATE OR DELETE ON treasury.transactions
    FOR EACH ROW EXECUTE FUNCTION treasury.guard_closed_period();
CREATE TRIGGER transactions_updated_at BEFORE UPDATE ON treasury.transactions
    FOR EACH ROW EXECUTE FUNCTION treasury.set_updated_at();
CREATE TRIGGER entries_closed_period BEFORE INSERT OR UPDATE OR DELETE ON treasury.entries
    FOR EACH ROW EXECUTE FUNCTION treasury.guard_closed_period();

CREATE FUNCTION treasury.assert_balanced() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_transactions uuid[];
    v_unbalanced   record;
BEGIN
    -- An update may have moved an entry from one transaction to another: both have to balance.
    IF TG_OP = 'INSERT' THEN
        v_transactions := ARRAY[NEW.transaction_id];
    ELSIF TG_OP = 'DELETE' THEN
        v_transactions := ARRAY[OLD.transaction_id];
    ELSE
        v_transactions := ARRAY[OLD.transaction_id, NEW.transaction_id];
    END IF;

    SELECT e.transaction_id, sum(e.amount) AS difference INTO v_unbalanced
      FROM treasury.entries AS e
     WHERE e.transaction_id = ANY (v_transactions)
     GROUP BY e.transaction_id
    HAVING sum(e.amount) <> 0
     LIMIT 1;

    IF FOUND THEN
        RAISE EXCEPTION 'Transaction entries must sum to zero'
            USING ERRCODE = 'check_violation',
                  SCHEMA = 'treasury',
                  TABLE = 'entries',
                  CONSTRAINT = 'entries_sum_to_zero',
                  DETAIL = format('The entries of transaction %s sum to %s.',
                                  v_unbalanced.transaction_id, v_unbalanced.difference);
    END IF;
    RETURN NULL;
END;
$$;
COMMENT ON FUNCTION treasury.assert_balanced() IS 'Double entry: the entries of each touched transaction sum to zero.';

-- Deferred, because entries are written one after the other: only at commit can they be complete.
CREATE CONSTRAINT TRIGGER entries_sum_to_zero AFTER INSERT OR UPDATE OR DELETE ON treasury.entries
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION treasury.assert_balanced();


-- Balances -------------------------------------------------------------------------------------------------

CREATE FUNCTION treasury.account_balance(p_account_id uuid, p_as_of date DEFAULT CURRENT_DATE) RETURNS numeric
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(sum(e.amount), 0.00)
      FROM treasury.entries AS e
      JOIN treasury.transactions AS t ON t.transaction_id = e.transaction_id
     WHERE e.account_id = p_account_id
       AND t.transaction_date <= p_as_of;
$$;
COMMENT ON FUNCTION treasury.account_balance(uuid, date) IS
    'An account''s balance at the end of a day, read from the entries.';

CREATE MATERIALIZED VIEW treasury.account_balances AS
SELECT a.account_id,
       a.code,
       a.name,
       a.account_type,
       coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0.00) AS debits,
       coalesce(-sum(e.amount) FILTER (WHERE e.amount < 0), 0.00) AS credits,
       coalesce(sum(e.amount), 0.00) AS balance,
       count(e.entry_id) AS entry_count,
       max(t.transaction_date) AS last_transaction_date
  FROM treasury.accounts AS a
  LEFT JOIN treasury.entries AS e ON e.account_id = a.account_id
  LEFT JOIN treasury.transactions AS t ON t.transaction_id = e.transaction_id
 GROUP BY a.account_id
  WITH DATA;
COMMENT ON MATERIALIZED VIEW treasury.account_balances IS
    'Balance of every account as of the last refresh; treasury.account_balance() is always current.';

-- REFRESH MATERIALIZED VIEW CONCURRENTLY needs a unique index.
CREATE UNIQUE INDEX account_balances_account ON treasury.account_balances (account_id);
