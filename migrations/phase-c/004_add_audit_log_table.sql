-- habitat: description Audit log of what administrators do
-- habitat: requires 002_add_rbac_roles

-- An append-only trail. A row keeps who acted as they were then, by address and role, and it outlives the
-- user; a company cannot go while its trail is there. Rows leave it in one way only: by age.
-- The role is of the type that 002 creates.
--
-- Risk: low. The table is new; companies and users are locked against writers while the foreign keys are
-- created, which takes no time. From then on a company with a trail cannot be deleted.

CREATE TABLE public.audit_log (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    timestamp   timestamptz NOT NULL DEFAULT now(),
    company_id  uuid NOT NULL,
    user_id     uuid,
    user_email  varchar(255),
    user_role   public.user_role_enum,
    action      varchar(100) NOT NULL,
    resource    varchar(100) NOT NULL,
    resource_id varchar(255),
    severity    varchar(20) NOT NULL DEFAULT 'info',
    details     jsonb,
    ip_address  inet,
    user_agent  text,
    session_id  varchar(255),
    CONSTRAINT audit_log_pkey PRIMARY KEY (id),
    CONSTRAINT audit_log_company_id_fkey FOREIGN KEY (company_id) REFERENCES public.companies (id) ON DELETE RESTRICT,
    CONSTRAINT audit_log_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users (id) ON DELETE SET NULL,
    -- Otherwise nothing would tell who it was once the user is gone.
    CONSTRAINT audit_log_user_has_email CHECK (user_id IS NULL OR user_email IS NOT NULL),
    CONSTRAINT valid_severity CHECK (severity IN ('info', 'warning', 'error'))
);
COMMENT ON TABLE public.audit_log IS 'Append-only: what administrators did, kept for at least 30 days.';
COMMENT ON COLUMN public.audit_log.user_id IS 'Who acted; null for the system itself, or once the user was deleted.';
COMMENT ON COLUMN public.audit_log.user_email IS 'Their address at that time, which stays.';
COMMENT ON COLUMN public.audit_log.user_role IS 'Their role at that time, which stays.';
COMMENT ON COLUMN public.audit_log.session_id IS 'The session, which may be gone by now.';

CREATE INDEX idx_audit_log_company_id ON public.audit_log (company_id);
CREATE INDEX idx_audit_log_user_id ON public.audit_log (user_id);
CREATE INDEX idx_audit_log_timestamp ON public.audit_log (timestamp DESC);
CREATE INDEX idx_audit_log_action ON public.audit_log (action);
CREATE INDEX idx_audit_log_severity ON public.audit_log (severity) WHERE severity <> 'info';

CREATE FUNCTION public.refuse_audit_log_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_without_user public.audit_log;
BEGIN
    -- Each operation in a block of its own: of a TRUNCATE there is no row to look at.
    IF TG_OP = 'UPDATE' THEN
        -- What ON DELETE SET NULL does, and only that: the user is gone, and nothing else changes.
        v_without_user := OLD;
        v_without_user.user_id := NULL;
        IF NEW IS NOT DISTINCT FROM v_without_user
           AND NOT EXISTS (SELECT FROM public.users AS u WHERE u.id = OLD.user_id) THEN
            RETURN NEW;
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        IF OLD.timestamp < now() - 30 * interval '24 hours' THEN
            RETURN OLD;
        END IF;
    END IF;

    RAISE EXCEPTION 'The audit log is append-only: % is refused', TG_OP
        USING ERRCODE = 'restrict_violation', SCHEMA = 'public', TABLE = 'audit_log',
              HINT = 'Rows older than 30 days go by cleanup_old_audit_logs().';
END;
$$;
COMMENT ON FUNCTION public.refuse_audit_log_change() IS
    'BEFORE trigger: keeps the audit log append-only for its shortest retention, 30 days.';

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON public.audit_log
    FOR EACH ROW EXECUTE FUNCTION public.refuse_audit_log_change();
CREATE TRIGGER audit_log_not_truncated BEFORE TRUNCATE ON public.audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_audit_log_change();

-- Meant for a daily job, by pg_cron for example: SELECT public.cleanup_old_audit_logs(90).
CREATE FUNCTION public.cleanup_old_audit_logs(retention_days integer DEFAULT 90) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    deleted_count integer;
BEGIN
    -- The lower bound is that of the trigger; the upper one keeps the subtraction within the calendar.
    IF retention_days IS NULL OR retention_days NOT BETWEEN 30 AND 36500 THEN
        RAISE EXCEPTION 'The audit log is kept for 30 to 36500 days, not for %', coalesce(retention_days::text, 'null')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    -- Days of 24 hours: a day's length must not depend on the time zone of the session.
    DELETE FROM public.audit_log AS l WHERE l.timestamp < now() - retention_days * interval '24 hours';

    GET DIAGNOSTICS deleted_count = ROW_COUNT;
    RETURN deleted_count;
END;
$$;
COMMENT ON FUNCTION public.cleanup_old_audit_logs(integer) IS
    'Deletes what is older than so many days, 30 at least, and returns how many rows that were.';

-- The caller's own rights decide about the rows; that nobody clears the log by chance is decided here.
REVOKE EXECUTE ON FUNCTION public.cleanup_old_audit_logs(integer) FROM PUBLIC;
