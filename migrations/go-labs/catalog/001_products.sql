-- habitat: description Products, their categories and prices over time

CREATE TABLE catalog.categories (
    category_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    parent_id   bigint REFERENCES catalog.categories (category_id),
    name        text NOT NULL,
    CONSTRAINT categories_not_own_parent CHECK (parent_id <> category_id)
);

-- Two indexes: null parents are all different to a unique constraint, before PostgreSQL 15 and by default.
CREATE UNIQUE INDEX categories_name_unique ON catalog.categories (parent_id, name);
CREATE UNIQUE INDEX categories_root_name_unique ON catalog.categories (name) WHERE parent_id IS NULL;

CREATE TABLE catalog.products (
    product_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku         text NOT NULL,
    name        text NOT NULL,
    category_id bigint REFERENCES catalog.categories (category_id),
    retired_at  timestamptz,
    CONSTRAINT products_sku_unique UNIQUE (sku)
);
CREATE INDEX products_category ON catalog.products (category_id);

CREATE TABLE catalog.prices (
    product_id bigint NOT NULL REFERENCES catalog.products (product_id),
    valid_from date NOT NULL,
    currency   char(3) NOT NULL,
    amount     numeric(12,2) NOT NULL,
    PRIMARY KEY (product_id, currency, valid_from),
    CONSTRAINT prices_amount_not_negative CHECK (amount >= 0 AND amount <> 'NaN')
);
