-- habitat: description Customers and their orders

CREATE TABLE public.customers (
    customer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email       text NOT NULL,
    name        text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX customers_email_unique ON public.customers (lower(email));

-- An old-fashioned serial on purpose: its sequence is an object of its own, with privileges of its own.
CREATE TABLE public.orders (
    order_id    bigserial PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES public.customers (customer_id),
    ordered_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_customer ON public.orders (customer_id, ordered_at);

CREATE TABLE public.order_lines (
    order_id bigint NOT NULL REFERENCES public.orders (order_id) ON DELETE CASCADE,
    beer_id  bigint NOT NULL REFERENCES public.beers (beer_id),
    bottles  integer NOT NULL,
    PRIMARY KEY (order_id, beer_id),
    CONSTRAINT order_lines_bottles_positive CHECK (bottles > 0)
);

CREATE VIEW public.best_sellers AS
SELECT b.beer_id, b.name, sum(l.bottles) AS bottles
  FROM public.order_lines AS l
  JOIN public.beers AS b USING (beer_id)
 GROUP BY b.beer_id;
