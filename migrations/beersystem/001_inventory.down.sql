DROP TABLE public.stock;
DROP TABLE public.beers;
DROP TABLE public.breweries;
