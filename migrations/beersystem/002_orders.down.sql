DROP VIEW public.best_sellers;
DROP TABLE public.order_lines;
DROP TABLE public.orders;
DROP TABLE public.customers;
