-- habitat: description Payments of invoices, and what is still open

CREATE TABLE billing.payments (
    payment_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id  bigint NOT NULL REFERENCES billing.invoices (invoice_id),
    amount      numeric(14,2) NOT NULL,
    received_on date NOT NULL DEFAULT CURRENT_DATE,
    reference   text NOT NULL,
    CONSTRAINT payments_reference_once UNIQUE (reference),
    CONSTRAINT payments_amount_positive CHECK (amount > 0 AND amount <> 'NaN')
);
CREATE INDEX payments_invoice ON billing.payments (invoice_id);

CREATE VIEW billing.open_amounts AS
SELECT i.invoice_id, i.number, i.currency,
       coalesce((SELECT sum(l.quantity * l.unit_price) FROM billing.invoice_lines AS l
                  WHERE l.invoice_id = i.invoice_id), 0)::numeric(14,2)
       - coalesce((SELECT sum(p.amount) FROM billing.payments AS p WHERE p.invoice_id = i.invoice_id), 0) AS open_amount
  FROM billing.invoices AS i
 WHERE i.status = 'issued';
COMMENT ON VIEW billing.open_amounts IS 'What is still to be paid of each issued invoice.';
