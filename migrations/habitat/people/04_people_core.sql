-- habitat: description People bounded context core schema

-- Who the members are, what they contributed and who approved it, and under which ENS names they are known.
-- Requires nothing: people stands on its own, and treasury and agreements refer to it.
--
-- The columns that row-level security will compare with the current member (member_id, contributor_id,
-- approver_id) are plain uuids, and no rule below needs to read another member's rows to hold: foreign
-- keys and CHECKs are enforced whatever the policies let the caller see.

CREATE SCHEMA people;
COMMENT ON SCHEMA people IS 'Bounded context: members, their contributions and approvals, their ENS identities.';

CREATE TYPE people.member_status AS ENUM ('applicant', 'active', 'suspended', 'withdrawn');
CREATE TYPE people.patronage_category AS ENUM ('labor', 'revenue', 'capital', 'community');
CREATE TYPE people.contribution_status AS ENUM ('draft', 'pending_approval', 'approved', 'rejected', 'withdrawn');
CREATE TYPE people.approval_status AS ENUM ('pending', 'approved', 'rejected');

CREATE FUNCTION people.set_updated_at() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION people.set_updated_at() IS 'BEFORE UPDATE row trigger: stamps updated_at.';


-- Members --------------------------------------------------------------------------------------------------

CREATE TABLE people.members (
    member_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    display_name text NOT NULL,
    email        text NOT NULL,
    status       people.member_status NOT NULL DEFAULT 'applicant',
    joined_on    date,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT members_display_name_given CHECK (btrim(display_name) <> ''),
    CONSTRAINT members_email_form CHECK (email LIKE '_%@_%')
);
COMMENT ON TABLE people.members IS 'Everyone who is, was or asks to be a member.';

CREATE UNIQUE INDEX members_email_unique ON people.members (lower(email));
CREATE INDEX members_status ON people.members (status);

CREATE TRIGGER members_updated_at BEFORE UPDATE ON people.members
    FOR EACH ROW EXECUTE FUNCTION people.set_updated_at();

CREATE TABLE people.memberships (
    membership_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    member_id     uuid NOT NULL REFERENCES people.members (member_id),
    class         text NOT NULL,
    units         numeric(18,6) NOT NULL DEFAULT 1,
    starts_on     date NOT NULL,
    ends_on       date,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT memberships_class_known CHECK (class IN ('worker', 'producer', 'community', 'investor')),
    CONSTRAINT memberships_units_positive CHECK (units > 0),
    CONSTRAINT memberships_run_forward CHECK (ends_on IS NULL OR ends_on >= starts_on)
);
COMMENT ON TABLE people.memberships IS 'Which class of membership a member held from when to when.';

CREATE INDEX memberships_member ON people.memberships (member_id);
CREATE UNIQUE INDEX memberships_one_current ON people.memberships (member_id, class) WHERE ends_on IS NULL;

CREATE TABLE people.member_roles (
    member_role_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    member_id      uuid NOT NULL REFERENCES people.members (member_id),
    role           text NOT NULL,
    granted_by     uuid REFERENCES people.members (member_id),
    granted_at     timestamptz NOT NULL DEFAULT now(),
    revoked_at     timestamptz,
    CONSTRAINT member_roles_role_known CHECK (role IN ('member', 'bookkeeper', 'steward', 'governance')),
    CONSTRAINT member_roles_run_forward CHECK (revoked_at IS NULL OR revoked_at >= granted_at)
);
COMMENT ON TABLE people.member_roles IS
    'Roles in the organisation, the source of app.current_member_roles; revoked, never deleted.';

CREATE INDEX member_roles_member ON people.member_roles (member_id);
CREATE INDEX member_roles_granted_by ON people.member_roles (granted_by) WHERE granted_by IS NOT NULL;
CREATE UNIQUE INDEX member_roles_one_current ON people.member_roles (member_id, role) WHERE revoked_at IS NULL;


-- Contributions --------------------------------------------------------------------------------------------

CREATE TABLE people.approval_policies (
    approval_policy_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    category           people.patronage_category NOT NULL,
    minimum_value      numeric(18,2) NOT NULL,
    approvals_required smallint NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT approval_policies_step_unique UNIQUE (category, minimum_value),
    CONSTRAINT approval_policies_minimum_not_negative CHECK (minimum_value >= 0),
    CONSTRAINT approval_policies_somebody_approves CHECK (approvals_required >= 1)
);
COMMENT ON TABLE people.approval_policies IS 'How many approvals a contribution needs, by category, in steps of value.';

CREATE TRIGGER approval_policies_updated_at BEFORE UPDATE ON people.approval_policies
    FOR EACH ROW EXECUTE FUNCTION people.set_updated_at();

-- Reference data: what holds in every environment until governance decides otherwise.
INSERT INTO people.approval_policies (category, minimum_value, approvals_required) VALUES
    ('labor',     0, 1), ('labor',   10000, 2),
    ('revenue',   0, 1), ('revenue', 10000, 2),
    ('capital',   0, 2),
    ('community', 0, 1);

CREATE FUNCTION people.approvals_required(p_category people.patronage_category, p_value numeric) RETURNS smallint
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce(
        (SELECT p.approvals_required
           FROM people.approval_policies AS p
          WHERE p.category = p_category AND p.minimum_value <= p_value
          ORDER BY p.minimum_value DESC
          LIMIT 1),
        1::smallint);
$$;
COMMENT ON FUNCTION people.approvals_required(people.patronage_category, numeric) IS
    'Approvals that a contribution of this category and value needs; never less than one.';

CREATE TABLE people.contributions (
    contribution_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    contributor_id  uuid NOT NULL REFERENCES people.members (member_id),
    category        people.patronage_category NOT NULL,
    description     text NOT NULL,
    quantity        numeric(18,4),
    unit            text,
    value           numeric(18,2) NOT NULL,
    contributed_on  date NOT NULL DEFAULT CURRENT_DATE,
    status          people.contribution_status NOT NULL DEFAULT 'draft',
    submitted_at    timestamptz,
    decided_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    -- The target of contribution_approvals' foreign key, which carries the contributor along.
    CONSTRAINT contributions_contributor_unique UNIQUE (contribution_id, contributor_id),
    CONSTRAINT contributions_description_given CHECK (btrim(description) <> ''),
    -- NaN is greater than every number to PostgreSQL, and one of them would make every sum NaN.
    CONSTRAINT contributions_value_not_negative CHECK (value >= 0 AND value <> 'NaN'),
    CONSTRAINT contributions_quantity_has_unit CHECK ((quantity IS NULL) = (unit IS NULL)),
    CONSTRAINT contributions_quantity_positive CHECK (quantity > 0)
);
COMMENT ON TABLE people.contributions IS
    'What members contributed, from draft to decision; the approved ones are patronage.';
COMMENT ON COLUMN people.contributions.value IS
    'Agreed value in the currency of account; for labor quantity times rate.';

CREATE INDEX contributions_contributor ON people.contributions (contributor_id, contributed_on);
CREATE INDEX contributions_pending ON people.contributions (submitted_at) WHERE status = 'pending_approval';
CREATE INDEX contributions_approved ON people.contributions (contributed_on, category) WHERE status = 'approved';

CREATE TABLE people.contribution_evidence (
    evidence_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    contribution_id uuid NOT NULL REFERENCES people.contributions (contribution_id),
    uri             text NOT NULL,
    media_type      text,
    sha256          bytea,
    attached_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT contribution_evidence_attached_once UNIQUE (contribution_id, uri),
    CONSTRAINT contribution_evidence_sha256_length CHECK (octet_length(sha256) = 32)
);
COMMENT ON TABLE people.contribution_evidence IS
    'Documents, commits and invoices that support a contribution; kept elsewhere, named and hashed here.';

CREATE TABLE people.contribution_approvals (
    approval_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    contribution_id uuid NOT NULL,
    contributor_id  uuid NOT NULL,
    approver_id     uuid NOT NULL REFERENCES people.members (member_id),
    status          people.approval_status NOT NULL DEFAULT 'pending',
    comment         text,
    requested_at    timestamptz NOT NULL DEFAULT now(),
    decided_at      timestamptz,
    CONSTRAINT contribution_approvals_one_each UNIQUE (contribution_id, approver_id),
    -- The contributor is repeated so that a CHECK can refuse self-approval. A trigger that looked it up
    -- would see only the rows that the approver's policies show.
    CONSTRAINT contribution_approvals_contribution_fkey FOREIGN KEY (contribution_id, contributor_id)
        REFERENCES people.contributions (contribution_id, contributor_id),
    CONSTRAINT contribution_approvals_not_own CHECK (approver_id <> contributor_id),
    CONSTRAINT contribution_approvals_decided_at CHECK ((status = 'pending') = (decided_at IS NULL))
);
COMMENT ON TABLE people.contribution_approvals IS 'Who is asked to approve a contribution, and what they decided.';

CREATE INDEX contribution_approvals_contribution ON people.contribution_approvals (contribution_id, contributor_id);
CREATE INDEX contribution_approvals_approver ON people.contribution_approvals (approver_id, status);

CREATE FUNCTION people.guard_approval() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.status <> 'pending' THEN
        RAISE EXCEPTION 'An approval that was decided cannot change'
            USING ERRCODE = 'restrict_violation', SCHEMA = 'people', TABLE = 'contribution_approvals',
                  DETAIL = format('Approval %s is %s.', OLD.approval_id, OLD.status);
    END IF;
    IF NEW.status <> 'pending' THEN
        NEW.decided_at := coalesce(NEW.decided_at, now());
    END IF;
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION people.guard_approval() IS 'A decision is stamped with its time and is final.';

CREATE TRIGGER contribution_approvals_guard BEFORE INSERT OR UPDATE ON people.contribution_approvals
    FOR EACH ROW EXECUTE FUNCTION people.guard_approval();

CREATE FUNCTION people.guard_contribution() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_required smallint;
    v_given    bigint;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status NOT IN ('draft', 'pending_approval') THEN
            RAISE EXCEPTION 'A contribution begins as draft or pending_approval, not as %', NEW.status
                USING ERRCODE = 'check_violation', SCHEMA = 'people', TABLE = 'contributions', COLUMN = 'status';
        END IF;
    ELSE
        IF OLD.status IN ('approved', 'rejected', 'withdrawn') THEN
            RAISE EXCEPTION 'A contribution that was decided cannot change'
                USING ERRCODE = 'restrict_violation', SCHEMA = 'people', TABLE = 'contributions',
                      DETAIL = format('Contribution %s is %s.', OLD.contribution_id, OLD.status);
        END IF;
        IF OLD.status = 'draft' AND NEW.status IN ('approved', 'rejected') THEN
            RAISE EXCEPTION 'A draft cannot be %; submit it first', NEW.status
                USING ERRCODE = 'check_violation', SCHEMA = 'people', TABLE = 'contributions', COLUMN = 'status';
        END IF;
        -- What was approved is what was submitted: neither value nor category may change on the way.
        IF OLD.status = 'pending_approval' AND NEW.status IN ('pending_approval', 'approved')
           AND (NEW.value, NEW.category, NEW.contributor_id, NEW.contributed_on)
               IS DISTINCT FROM (OLD.value, OLD.category, OLD.contributor_id, OLD.contributed_on) THEN
            RAISE EXCEPTION 'A submitted contribution cannot change; take it back to draft first'
                USING ERRCODE = 'restrict_violation', SCHEMA = 'people', TABLE = 'contributions';
        END IF;
        IF NEW.status = 'approved' THEN
            v_required := people.approvals_required(NEW.category, NEW.value);
            -- Row-level security may hide approvals from the caller; that can only make this stricter.
            SELECT count(*) INTO v_given
              FROM people.contribution_approvals AS a
             WHERE a.contribution_id = NEW.contribution_id AND a.status = 'approved';
            IF v_given < v_required THEN
                RAISE EXCEPTION 'A contribution needs its approvals before it is approved'
                    USING ERRCODE = 'check_violation', SCHEMA = 'people', TABLE = 'contributions', COLUMN = 'status',
                          DETAIL = format('Contribution %s has %s of %s approvals.',
                                          NEW.contribution_id, v_given, v_required);
            END IF;
        END IF;
    END IF;

    IF NEW.status = 'pending_approval' THEN
        NEW.submitted_at := coalesce(NEW.submitted_at, now());
    ELSIF NEW.status IN ('approved', 'rejected', 'withdrawn') THEN
        NEW.decided_at := coalesce(NEW.decided_at, now());
    END IF;
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION people.guard_contribution() IS
    'draft -> pending_approval -> approved or rejected; withdrawn from either; decided is final.';

CREATE TRIGGER contributions_guard BEFORE INSERT OR UPDATE ON people.contributions
    FOR EACH ROW EXECUTE FUNCTION people.guard_contribution();
CREATE TRIGGER contributions_updated_at BEFORE UPDATE ON people.contributions
    FOR EACH ROW EXECUTE FUNCTION people.set_updated_at();


-- ENS identities -------------------------------------------------------------------------------------------

CREATE TABLE people.ens_names (
    ens_name_id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    member_id          uuid REFERENCES people.members (member_id),
    parent_ens_name_id uuid REFERENCES people.ens_names (ens_name_id),
    name               text NOT NULL,
    owner_address      text NOT NULL,
    is_primary         boolean NOT NULL DEFAULT false,
    verified_at        timestamptz,
    expires_at         timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ens_names_name_unique UNIQUE (name),
    CONSTRAINT ens_names_name_form CHECK (name = lower(name) AND name LIKE '_%.eth'),
    CONSTRAINT ens_names_owner_address_form CHECK (owner_address ~ '^0x[0-9a-fA-F]{40}$'),
    CONSTRAINT ens_names_not_own_parent CHECK (parent_ens_name_id <> ens_name_id),
    CONSTRAINT ens_names_primary_has_member CHECK (NOT is_primary OR member_id IS NOT NULL)
);
COMMENT ON TABLE people.ens_names IS
    'Ethereum Name Service names of members, and of the organisation itself (no member).';
COMMENT ON COLUMN people.ens_names.verified_at IS
    'When control of the address was proved; an unverified name identifies nobody.';

CREATE INDEX ens_names_member ON people.ens_names (member_id);
CREATE INDEX ens_names_parent ON people.ens_names (parent_ens_name_id) WHERE parent_ens_name_id IS NOT NULL;
CREATE UNIQUE INDEX ens_names_one_primary ON people.ens_names (member_id) WHERE is_primary;

CREATE TRIGGER ens_names_updated_at BEFORE UPDATE ON people.ens_names
    FOR EACH ROW EXECUTE FUNCTION people.set_updated_at();

CREATE TABLE people.ens_records (
    ens_record_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    ens_name_id   uuid NOT NULL REFERENCES people.ens_names (ens_name_id) ON DELETE CASCADE,
    key           text NOT NULL,
    value         text NOT NULL,
    resolved_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ens_records_key_unique UNIQUE (ens_name_id, key)
);
COMMENT ON TABLE people.ens_records IS 'Text records of an ENS name as last resolved, for example avatar or url.';


-- Patronage ------------------------------------------------------------------------------------------------

CREATE MATERIALIZED VIEW people.member_patronage_summary AS
SELECT m.member_id,
       m.display_name,
       m.status,
       count(c.contribution_id) AS contribution_count,
       coalesce(sum(c.value) FILTER (WHERE c.category = 'labor'), 0.00) AS labor_value,
       coalesce(sum(c.value) FILTER (WHERE c.category = 'revenue'), 0.00) AS revenue_value,
       coalesce(sum(c.value) FILTER (WHERE c.category = 'capital'), 0.00) AS capital_value,
       coalesce(sum(c.value) FILTER (WHERE c.category = 'community'), 0.00) AS community_value,
       coalesce(sum(c.value), 0.00) AS total_value,
       max(c.contributed_on) AS last_contributed_on
  FROM people.members AS m
  LEFT JOIN people.contributions AS c ON c.contributor_id = m.member_id AND c.status = 'approved'
 GROUP BY m.member_id
  WITH DATA;
COMMENT ON MATERIALIZED VIEW people.member_patronage_summary IS
    'Approved contributions of every member as of the last refresh. It holds every '
    'member''s figures and row-level security does not reach it: '
    'grant it to no role that acts for one member.';

-- REFRESH MATERIALIZED VIEW CONCURRENTLY needs a unique index.
CREATE UNIQUE INDEX member_patronage_summary_member ON people.member_patronage_summary (member_id);
