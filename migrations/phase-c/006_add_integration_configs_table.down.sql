-- Takes the integrations, their credentials and the log away. Export what has to be kept first.

DROP TABLE public.integration_delivery_log;
DROP TABLE public.integration_configs;
