-- Takes the ledger away with everything in it. Nothing is dropped by CASCADE: what others have put into the
-- schema, or built upon it, stops the script.

DROP MATERIALIZED VIEW treasury.account_balances;
DROP FUNCTION treasury.account_balance(uuid, date);

DROP TABLE treasury.entries;
DROP TABLE treasury.transactions;
DROP TABLE treasury.events;
DROP TABLE treasury.periods;
DROP TABLE treasury.accounts;

DROP FUNCTION treasury.assert_balanced();
DROP FUNCTION treasury.guard_closed_period();
DROP FUNCTION treasury.assert_period_open(date);
DROP FUNCTION treasury.guard_period();
DROP FUNCTION treasury.refuse_change();
DROP FUNCTION treasury.set_updated_at();

DROP TYPE treasury.period_status;
DROP TYPE treasury.account_type;
DROP SCHEMA treasury;

-- The extensions go only if they are ours and nobody else uses them: those that an administrator has created
-- for the database stay, and so do those that something outside of Habitat depends on by now.
DO $$
DECLARE
    v_extension name;
BEGIN
    FOR v_extension IN
        SELECT e.extname
          FROM pg_catalog.pg_extension AS e
         WHERE e.extname IN ('pgcrypto', 'uuid-ossp')
           AND e.extowner = (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user)
         ORDER BY e.extname
    LOOP
        BEGIN
            EXECUTE pg_catalog.format('DROP EXTENSION %I', v_extension);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            RAISE NOTICE 'extension % stays, as something depends on it', v_extension;
        END;
    END LOOP;
END;
$$;
