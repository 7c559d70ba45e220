-- habitat: description People row-level security: own rows, approvers, governance
-- habitat: requires people:04_people_core

-- Who sees and changes which rows of members, contributions and approvals. A request names the member on whose behalf
-- it is made, inside of its transaction:
--
--     SELECT set_config('app.current_member_id', '…', true), set_config('app.current_member_roles', 'member, steward', true);
--
-- Without them, or with empty ones (what a setting is once a transaction that set it has ended), there are no rows and
-- there is no error. Privileges decide first, by role (see the provisioning); a policy only narrows what they allow.
--
-- FORCE holds the owner to the policies as well, so that no owner sees everything by accident: what the owner may do
-- stands in a policy of its own, `owner_maintains`, for the role that runs this migration.

CREATE FUNCTION people.current_member_id() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN setting ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' THEN setting::uuid END
      FROM current_setting('app.current_member_id', true) AS setting;
$$;
COMMENT ON FUNCTION people.current_member_id() IS
    'The member on whose behalf the transaction runs (app.current_member_id); null if none is named.';

CREATE FUNCTION people.has_role(p_role text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    -- A list or the text of an array: `member, governance`, `{member,governance}`. A setting is text, so `ARRAY[…]` is none.
    SELECT p_role = ANY (regexp_split_to_array(btrim(coalesce(current_setting('app.current_member_roles', true), ''), ' {}'),
                                               '\s*,\s*'));
$$;
COMMENT ON FUNCTION people.has_role(text) IS
    'Whether the member on whose behalf the transaction runs has a role (app.current_member_roles).';

ALTER TABLE people.members ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE people.contributions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE people.contribution_approvals ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- Each call stands in a sub-select, which is evaluated once for a statement and not for every row.

CREATE POLICY owner_maintains ON people.members TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY member_view_own_profile ON people.members
    FOR SELECT USING (member_id = (SELECT people.current_member_id()));
CREATE POLICY governance_view_all_members ON people.members
    FOR SELECT USING ((SELECT people.has_role('governance')));

CREATE POLICY owner_maintains ON people.contributions TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY member_view_own_contributions ON people.contributions
    FOR SELECT USING (contributor_id = (SELECT people.current_member_id()));
CREATE POLICY member_submit_contribution ON people.contributions
    FOR INSERT WITH CHECK (contributor_id = (SELECT people.current_member_id()));
-- A draft is edited, submitted and withdrawn by its contributor; who decides is checked by people.guard_contribution.
CREATE POLICY member_update_own_contributions ON people.contributions
    FOR UPDATE USING (contributor_id = (SELECT people.current_member_id()))
    WITH CHECK (contributor_id = (SELECT people.current_member_id()));
-- The sub-select is subject to the policies of contribution_approvals, which show an approver the rows that name them.
CREATE POLICY approver_view_pending ON people.contributions
    FOR SELECT USING (
        status = 'pending_approval'
        AND EXISTS (SELECT FROM people.contribution_approvals AS a
                     WHERE a.contribution_id = contributions.contribution_id
                       AND a.approver_id = (SELECT people.current_member_id())
                       AND a.status = 'pending'));
CREATE POLICY governance_view_all_contributions ON people.contributions
    FOR SELECT USING ((SELECT people.has_role('governance')));

CREATE POLICY owner_maintains ON people.contribution_approvals TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY approver_view_own_approvals ON people.contribution_approvals
    FOR SELECT USING (approver_id = (SELECT people.current_member_id()));
CREATE POLICY contributor_view_approvals ON people.contribution_approvals
    FOR SELECT USING (contributor_id = (SELECT people.current_member_id()));
CREATE POLICY approver_can_approve ON people.contribution_approvals
    FOR INSERT WITH CHECK (approver_id = (SELECT people.current_member_id()));
CREATE POLICY contributor_requests_approval ON people.contribution_approvals
    FOR INSERT WITH CHECK (contributor_id = (SELECT people.current_member_id()) AND status = 'pending');
CREATE POLICY approver_decides ON people.contribution_approvals
    FOR UPDATE USING (approver_id = (SELECT people.current_member_id()))
    WITH CHECK (approver_id = (SELECT people.current_member_id()));
CREATE POLICY governance_view_all_approvals ON people.contribution_approvals
    FOR SELECT USING ((SELECT people.has_role('governance')));
