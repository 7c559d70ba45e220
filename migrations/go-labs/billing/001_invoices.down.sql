DROP TABLE billing.invoice_lines;
DROP TABLE billing.invoices;
DROP TYPE billing.invoice_status;
