DROP VIEW billing.open_amounts;
DROP TABLE billing.payments;
