-- Takes the keys and every month of their use away. Export what has to be kept first.

DROP FUNCTION public.create_api_key_usage_partitions(date, integer);
DROP TABLE public.api_key_usage;
DROP TABLE public.api_keys;
