-- habitat: description Agreements row-level security: own allocations and distributions, governance
-- habitat: requires agreements:05_agreements_core, people:06_people_policies, treasury:02_treasury_migrations

-- Members see what was allocated and is distributed to them, governance sees all; what they may change here is nothing.
-- The settings of a request, FORCE and `owner_maintains` are as in people:06_people_policies.

ALTER TABLE agreements.member_allocations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE agreements.distributions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY owner_maintains ON agreements.member_allocations TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY member_view_own_allocations ON agreements.member_allocations
    FOR SELECT USING (member_id = (SELECT people.current_member_id()));
CREATE POLICY governance_view_all_allocations ON agreements.member_allocations
    FOR SELECT USING ((SELECT people.has_role('governance')));

CREATE POLICY owner_maintains ON agreements.distributions TO CURRENT_USER USING (true) WITH CHECK (true);
CREATE POLICY member_view_own_distributions ON agreements.distributions
    FOR SELECT USING (member_id = (SELECT people.current_member_id()));
CREATE POLICY governance_view_all_distributions ON agreements.distributions
    FOR SELECT USING ((SELECT people.has_role('governance')));
