-- habitat: description Orders and their items

-- ORDER is a reserved word, so the schema's name is quoted wherever it stands.

CREATE TYPE "order".order_status AS ENUM ('placed', 'shipped', 'delivered', 'cancelled');

CREATE TABLE "order".orders (
    order_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_ref text NOT NULL,
    status       "order".order_status NOT NULL DEFAULT 'placed',
    placed_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_customer ON "order".orders (customer_ref, placed_at);

CREATE TABLE "order".order_items (
    order_id bigint NOT NULL REFERENCES "order".orders (order_id) ON DELETE CASCADE,
    sku      text NOT NULL,
    quantity integer NOT NULL,
    price    numeric(12,2) NOT NULL,
    PRIMARY KEY (order_id, sku),
    CONSTRAINT order_items_quantity_positive CHECK (quantity > 0)
);
COMMENT ON COLUMN "order".order_items.price IS 'As it was when the order was placed, whatever the catalog says by now.';
