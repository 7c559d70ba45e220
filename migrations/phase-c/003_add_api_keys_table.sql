-- habitat: description API keys of companies, and their use by month

-- Keys for programs. The key itself is kept nowhere: its bcrypt hash is, and its first characters, by which it
-- is found. What a key was used for is kept by month, so that an old month is archived by detaching one table.
--
-- Risk: low. The tables are new; companies and users are only locked against changes of their own definition and
-- against writers while the foreign keys are created, which takes no time as there is nothing to check.

CREATE TABLE public.api_keys (
    id           uuid NOT NULL DEFAULT gen_random_uuid(),
    company_id   uuid NOT NULL,
    name         varchar(255) NOT NULL,
    key_hash     varchar(255) NOT NULL,
    key_prefix   varchar(16) NOT NULL,
    scopes       text[] NOT NULL DEFAULT ARRAY['read:metrics'],
    created_at   timestamptz NOT NULL DEFAULT now(),
    created_by   uuid,
    last_used_at timestamptz,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    revoked_by   uuid,
    metadata     jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    -- The constraint has the name of the index that the runbook wants; a second index would only cost writes.
    CONSTRAINT idx_api_keys_key_hash UNIQUE (key_hash),
    CONSTRAINT api_keys_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies (id) ON DELETE CASCADE,
    CONSTRAINT api_keys_created_by_fkey FOREIGN KEY (created_by) REFERENCES public.users (id) ON DELETE SET NULL,
    CONSTRAINT api_keys_revoked_by_fkey FOREIGN KEY (revoked_by) REFERENCES public.users (id) ON DELETE SET NULL,
    CONSTRAINT valid_expiry CHECK (expires_at IS NULL OR expires_at > created_at),
    -- A key may be revoked by the transaction that created it.
    CONSTRAINT valid_revocation CHECK (revoked_at IS NULL OR revoked_at >= created_at),
    CONSTRAINT api_keys_revoked_by_when_revoked CHECK (revoked_by IS NULL OR revoked_at IS NOT NULL),
    CONSTRAINT api_keys_metadata_object CHECK (jsonb_typeof(metadata) = 'object')
);
COMMENT ON TABLE public.api_keys IS 'Keys by which programs act for a company; revoked, not deleted.';
COMMENT ON COLUMN public.api_keys.key_hash IS 'bcrypt hash of the key; salted, so a key is found by key_prefix.';
COMMENT ON COLUMN public.api_keys.key_prefix IS 'The first eight characters of the key, for display too.';

CREATE INDEX idx_api_keys_company_id ON public.api_keys (company_id);
CREATE INDEX idx_api_keys_expires_at ON public.api_keys (expires_at) WHERE expires_at IS NOT NULL;


-- Use ------------------------------------------------------------------------------------------------------

CREATE TABLE public.api_key_usage (
    id            bigint GENERATED ALWAYS AS IDENTITY,
    api_key_id    uuid NOT NULL,
    used_at       timestamptz NOT NULL DEFAULT now(),
    endpoint      varchar(255),
    ip_address    inet,
    user_agent    text,
    request_count integer NOT NULL DEFAULT 1,
    -- The key of a partitioned table holds the column that divides it.
    CONSTRAINT api_key_usage_pkey PRIMARY KEY (id, used_at),
    CONSTRAINT api_key_usage_api_key_id_fkey FOREIGN KEY (api_key_id) REFERENCES public.api_keys (id) ON DELETE CASCADE,
    CONSTRAINT api_key_usage_request_count_positive CHECK (request_count > 0)
) PARTITION BY RANGE (used_at);
COMMENT ON TABLE public.api_key_usage IS
    'Requests made with API keys, a partition for each month of UTC: see create_api_key_usage_partitions.';

CREATE INDEX idx_api_key_usage_api_key_id ON public.api_key_usage (api_key_id);
CREATE INDEX idx_api_key_usage_used_at ON public.api_key_usage (used_at);

-- No month is created here, as which ones would depend on the day: what has no month yet is kept, not refused.
CREATE TABLE public.api_key_usage_default PARTITION OF public.api_key_usage DEFAULT;
COMMENT ON TABLE public.api_key_usage_default IS 'Requests of months that have no partition yet.';

CREATE FUNCTION public.create_api_key_usage_partitions(p_first_month date, p_months integer DEFAULT 3) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET timezone = 'UTC'
AS $$
DECLARE
    v_month     date;
    v_next      date;
    v_partition text;
    v_created   integer := 0;
BEGIN
    IF p_first_month IS NULL OR NOT isfinite(p_first_month) OR p_months IS NULL OR p_months NOT BETWEEN 1 AND 120 THEN
        RAISE EXCEPTION 'Partitions are created for 1 to 120 months from a given date on'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'SELECT public.create_api_key_usage_partitions(current_date, 3)';
    END IF;

    -- Writers wait until it commits: a row that went to the default partition meanwhile could not stay there.
    LOCK TABLE public.api_key_usage IN SHARE ROW EXCLUSIVE MODE;

    FOR v_number IN 0 .. p_months - 1 LOOP
        v_month := date_trunc('month', p_first_month::timestamp) + make_interval(months => v_number);
        v_next := v_month + make_interval(months => 1);
        v_partition := 'api_key_usage_' || to_char(v_month, 'YYYY_MM');
        CONTINUE WHEN EXISTS (SELECT FROM pg_inherits AS i
                               WHERE i.inhparent = 'public.api_key_usage'::regclass
                                 AND i.inhrelid = to_regclass(format('public.%I', v_partition)));

        EXECUTE format('CREATE TABLE public.%I (LIKE public.api_key_usage INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                       v_partition);
        EXECUTE format('WITH moved AS (DELETE FROM public.api_key_usage_default
                                        WHERE used_at >= %L AND used_at < %L RETURNING *)
                        INSERT INTO public.%I SELECT * FROM moved',
                       v_month::timestamptz, v_next::timestamptz, v_partition);
        EXECUTE format('ALTER TABLE public.api_key_usage ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                       v_partition, v_month::timestamptz, v_next::timestamptz);
        v_created := v_created + 1;
    END LOOP;
    RETURN v_created;
END;
$$;
COMMENT ON FUNCTION public.create_api_key_usage_partitions(date, integer) IS
    'Creates the partitions of months from that of a date on, unless they are there, and moves in what the default '
    'partition has of them; returns how many it created. To be run by the owner, once a month.';

-- It changes the schema, so nobody runs it by chance.
REVOKE EXECUTE ON FUNCTION public.create_api_key_usage_partitions(date, integer) FROM PUBLIC;
