-- habitat: description Weights of SROI and VIS by company, with their history

-- A company may replace the weights of a score. Each change is written down by a trigger: what was, what is,
-- who changed it and why. The history refers to nothing, so that it outlives what it tells of.
--
-- Risk: low. The tables are new; companies and users are locked against writers while the foreign keys are
-- created, which takes no time.

CREATE FUNCTION public.set_updated_at() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION public.set_updated_at() IS 'BEFORE UPDATE row trigger: stamps updated_at.';

CREATE TABLE public.weight_overrides (
    id         uuid NOT NULL DEFAULT gen_random_uuid(),
    company_id uuid NOT NULL,
    category   varchar(20) NOT NULL,
    weights    jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT weight_overrides_pkey PRIMARY KEY (id),
    -- The constraint has the name of the index that the runbook wants: it begins with the company, so it finds
    -- a company's rows too.
    CONSTRAINT idx_weight_overrides_company_id UNIQUE (company_id, category),
    CONSTRAINT weight_overrides_company_id_fkey FOREIGN KEY (company_id)
        REFERENCES public.companies (id) ON DELETE CASCADE,
    CONSTRAINT weight_overrides_created_by_fkey FOREIGN KEY (created_by)
        REFERENCES public.users (id) ON DELETE SET NULL,
    CONSTRAINT weight_overrides_updated_by_fkey FOREIGN KEY (updated_by)
        REFERENCES public.users (id) ON DELETE SET NULL,
    CONSTRAINT weight_overrides_category_check CHECK (category IN ('sroi', 'vis')),
    CONSTRAINT weight_overrides_weights_object CHECK (jsonb_typeof(weights) = 'object')
);
COMMENT ON TABLE public.weight_overrides IS 'Weights that a company uses in place of the usual ones.';
COMMENT ON COLUMN public.weight_overrides.category IS
    'The score: sroi, the social return on investment, or vis, the volunteer impact score.';

CREATE TRIGGER weight_overrides_updated_at BEFORE UPDATE ON public.weight_overrides
    FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();


-- History --------------------------------------------------------------------------------------------------

CREATE TABLE public.weight_override_history (
    id                 bigint GENERATED ALWAYS AS IDENTITY,
    weight_override_id uuid NOT NULL,
    company_id         uuid NOT NULL,
    category           varchar(20) NOT NULL,
    old_weights        jsonb,
    new_weights        jsonb,
    changed_at         timestamptz NOT NULL DEFAULT now(),
    changed_by         uuid,
    change_reason      text,
    CONSTRAINT weight_override_history_pkey PRIMARY KEY (id),
    CONSTRAINT weight_override_history_changes CHECK (old_weights IS DISTINCT FROM new_weights)
);
COMMENT ON TABLE public.weight_override_history IS
    'Append-only: every change of weights. Its ids may be those of rows that are gone.';
COMMENT ON COLUMN public.weight_override_history.old_weights IS 'Null when the override was made.';
COMMENT ON COLUMN public.weight_override_history.new_weights IS 'Null when the override was taken away.';
COMMENT ON COLUMN public.weight_override_history.changed_by IS 'The user; null where the program did not say who.';
COMMENT ON COLUMN public.weight_override_history.change_reason IS
    'What the transaction had in app.change_reason: SELECT set_config(''app.change_reason'', ''…'', true).';

CREATE INDEX idx_weight_override_history_weight_override_id
    ON public.weight_override_history (weight_override_id);
CREATE INDEX idx_weight_override_history_changed_at ON public.weight_override_history (changed_at DESC);

-- As its owner, so that who may change weights needs no right to write history.
CREATE FUNCTION public.track_weight_override_changes() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_reason text := nullif(current_setting('app.change_reason', true), '');
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO public.weight_override_history
               (weight_override_id, company_id, category, new_weights, changed_by, change_reason)
        VALUES (NEW.id, NEW.company_id, NEW.category, NEW.weights, NEW.created_by, v_reason);
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO public.weight_override_history
               (weight_override_id, company_id, category, old_weights, new_weights, changed_by, change_reason)
        VALUES (NEW.id, NEW.company_id, NEW.category, OLD.weights, NEW.weights, NEW.updated_by, v_reason);
    ELSE
        -- The row does not say who deletes it.
        INSERT INTO public.weight_override_history
               (weight_override_id, company_id, category, old_weights, change_reason)
        VALUES (OLD.id, OLD.company_id, OLD.category, OLD.weights, v_reason);
    END IF;
    RETURN NULL;
END;
$$;
COMMENT ON FUNCTION public.track_weight_override_changes() IS 'AFTER row trigger: writes a change of weights down.';

CREATE TRIGGER weight_override_insert_trigger
    AFTER INSERT ON public.weight_overrides
    FOR EACH ROW EXECUTE FUNCTION public.track_weight_override_changes();
CREATE TRIGGER weight_override_update_trigger
    AFTER UPDATE OF weights ON public.weight_overrides
    FOR EACH ROW WHEN (OLD.weights IS DISTINCT FROM NEW.weights)
    EXECUTE FUNCTION public.track_weight_override_changes();
CREATE TRIGGER weight_override_delete_trigger
    AFTER DELETE ON public.weight_overrides
    FOR EACH ROW EXECUTE FUNCTION public.track_weight_override_changes();

CREATE FUNCTION public.refuse_weight_override_history_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION 'The history of weights is append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation', SCHEMA = 'public', TABLE = 'weight_override_history';
END;
$$;
COMMENT ON FUNCTION public.refuse_weight_override_history_change() IS
    'BEFORE statement trigger: keeps the history append-only.';

-- A statement trigger, because only such a trigger sees TRUNCATE.
CREATE TRIGGER weight_override_history_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON public.weight_override_history
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_weight_override_history_change();
