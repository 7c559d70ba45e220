-- Takes the capital accounts away with everything in them; the ledger of 01 stays as it is.

DROP FUNCTION treasury.required_income_offset(uuid, uuid, numeric);
DROP FUNCTION treasury.adjusted_capital_balance(uuid, uuid, numeric);
DROP FUNCTION treasury.capital_balance(uuid, date);

DROP TABLE treasury.qualified_income_offsets;
DROP TABLE treasury.deficit_restoration_obligations;
DROP TABLE treasury.minimum_gain_shares;
DROP TABLE treasury.section_704c_allocations;
DROP TABLE treasury.section_704c_layers;
DROP TABLE treasury.capital_account_entries;
DROP TABLE treasury.capital_accounts;

DROP FUNCTION treasury.assert_layer_not_exceeded();
DROP FUNCTION treasury.guard_capital_entry();

DROP TYPE treasury.section_704c_method;
DROP TYPE treasury.capital_entry_kind;
