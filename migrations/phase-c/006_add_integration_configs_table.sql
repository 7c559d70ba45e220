-- habitat: description Integrations with donation platforms, and the log of their deliveries
-- habitat: requires 005_add_weight_overrides_table

-- How a company's results are delivered to a platform, and what became of each delivery. The log names
-- company and platform itself, so that it can be read when the integration is gone.
-- The trigger function that stamps updated_at is that of 005.
--
-- Risk: low. The tables are new; companies are locked against writers while the foreign key is created, which
-- takes no time.

CREATE TABLE public.integration_configs (
    id                    uuid NOT NULL DEFAULT gen_random_uuid(),
    company_id            uuid NOT NULL,
    platform              varchar(50) NOT NULL,
    enabled               boolean NOT NULL DEFAULT false,
    api_endpoint          text,
    credentials_encrypted text,
    config                jsonb NOT NULL DEFAULT '{}',
    last_synced_at        timestamptz,
    last_sync_status      varchar(20),
    error_message         text,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT integration_configs_pkey PRIMARY KEY (id),
    -- The constraint has the name of the index that the runbook wants: it begins with the company, so it finds
    -- a company's rows too.
    CONSTRAINT idx_integration_configs_company_id UNIQUE (company_id, platform),
    CONSTRAINT integration_configs_company_id_fkey FOREIGN KEY (company_id)
        REFERENCES public.companies (id) ON DELETE CASCADE,
    CONSTRAINT integration_configs_platform_check CHECK (platform IN ('benevity', 'goodera', 'workday')),
    CONSTRAINT integration_configs_last_sync_status_check
        CHECK (last_sync_status IN ('success', 'failed', 'pending')),
    CONSTRAINT integration_configs_config_object CHECK (jsonb_typeof(config) = 'object')
);
COMMENT ON TABLE public.integration_configs IS 'Platforms that a company delivers to, one row each.';
COMMENT ON COLUMN public.integration_configs.credentials_encrypted IS
    'Keys of the platform''s API, encrypted by the program; nothing readable is ever stored here.';

CREATE INDEX idx_integration_configs_platform ON public.integration_configs (platform);

CREATE TRIGGER integration_configs_updated_at BEFORE UPDATE ON public.integration_configs
    FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

CREATE TABLE public.integration_delivery_log (
    id                    bigint GENERATED ALWAYS AS IDENTITY,
    integration_config_id uuid,
    company_id            uuid NOT NULL,
    platform              varchar(50) NOT NULL,
    delivered_at          timestamptz NOT NULL DEFAULT now(),
    status                varchar(20) NOT NULL,
    payload_hash          varchar(64),
    error_message         text,
    retry_count           integer NOT NULL DEFAULT 0,
    response_status       integer,
    response_body         text,
    duration_ms           integer,
    metadata              jsonb,
    CONSTRAINT integration_delivery_log_pkey PRIMARY KEY (id),
    CONSTRAINT integration_delivery_log_integration_config_id_fkey FOREIGN KEY (integration_config_id)
        REFERENCES public.integration_configs (id) ON DELETE SET NULL,
    CONSTRAINT integration_delivery_log_status_check
        CHECK (status IN ('queued', 'sending', 'success', 'failed', 'retrying')),
    CONSTRAINT integration_delivery_log_payload_hash_form CHECK (payload_hash ~ '^[0-9a-f]{64}$'),
    CONSTRAINT integration_delivery_log_retry_count_not_negative CHECK (retry_count >= 0),
    CONSTRAINT integration_delivery_log_duration_not_negative CHECK (duration_ms >= 0)
);
COMMENT ON TABLE public.integration_delivery_log IS 'Deliveries to platforms and what became of them.';
COMMENT ON COLUMN public.integration_delivery_log.integration_config_id IS
    'The integration; null once it was deleted. Company and platform still say which one it was.';
COMMENT ON COLUMN public.integration_delivery_log.payload_hash IS
    'SHA-256 of the payload in hexadecimal digits, by which a program finds that it has sent it before.';

CREATE INDEX idx_integration_delivery_log_config_id ON public.integration_delivery_log (integration_config_id);
CREATE INDEX idx_integration_delivery_log_delivered_at ON public.integration_delivery_log (delivered_at DESC);
CREATE INDEX idx_integration_delivery_log_status ON public.integration_delivery_log (status);
