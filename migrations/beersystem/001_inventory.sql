-- habitat: description Breweries, beers and what is in stock

CREATE TABLE public.breweries (
    brewery_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    city       text NOT NULL,
    CONSTRAINT breweries_name_unique UNIQUE (name)
);

CREATE TABLE public.beers (
    beer_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    brewery_id bigint NOT NULL REFERENCES public.breweries (brewery_id),
    name       text NOT NULL,
    style      text NOT NULL,
    abv        numeric(4,2) NOT NULL,
    CONSTRAINT beers_name_unique UNIQUE (brewery_id, name),
    CONSTRAINT beers_abv_possible CHECK (abv BETWEEN 0 AND 70)
);

CREATE TABLE public.stock (
    beer_id bigint PRIMARY KEY REFERENCES public.beers (beer_id),
    bottles integer NOT NULL DEFAULT 0,
    CONSTRAINT stock_not_negative CHECK (bottles >= 0)
);
