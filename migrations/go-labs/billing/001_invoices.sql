-- habitat: description Customers' invoices and their lines

-- Everything lies in the service's own schema, which exists before and belongs to the login that migrates it.

CREATE TYPE billing.invoice_status AS ENUM ('draft', 'issued', 'paid', 'void');

CREATE TABLE billing.invoices (
    invoice_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number       text NOT NULL,
    customer_ref text NOT NULL,
    currency     char(3) NOT NULL,
    status       billing.invoice_status NOT NULL DEFAULT 'draft',
    issued_on    date,
    due_on       date,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT invoices_number_unique UNIQUE (number),
    CONSTRAINT invoices_currency_form CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT invoices_issued_when_not_draft CHECK (status = 'draft' OR issued_on IS NOT NULL),
    CONSTRAINT invoices_due_after_issue CHECK (due_on >= issued_on)
);
COMMENT ON COLUMN billing.invoices.customer_ref IS
    'The customer as the service that keeps customers names it: no schema refers to another one''s rows.';

CREATE INDEX invoices_due ON billing.invoices (due_on) WHERE status = 'issued';

CREATE TABLE billing.invoice_lines (
    invoice_id  bigint NOT NULL REFERENCES billing.invoices (invoice_id) ON DELETE CASCADE,
    line        smallint NOT NULL,
    description text NOT NULL,
    quantity    numeric(12,3) NOT NULL,
    unit_price  numeric(12,2) NOT NULL,
    PRIMARY KEY (invoice_id, line),
    CONSTRAINT invoice_lines_quantity_positive CHECK (quantity > 0 AND quantity <> 'NaN')
);
