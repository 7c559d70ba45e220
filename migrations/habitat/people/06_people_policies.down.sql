-- Whoever has the privileges sees every row again.

ALTER TABLE people.members NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
ALTER TABLE people.contributions NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
ALTER TABLE people.contribution_approvals NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;

DROP POLICY governance_view_all_approvals ON people.contribution_approvals;
DROP POLICY approver_decides ON people.contribution_approvals;
DROP POLICY contributor_requests_approval ON people.contribution_approvals;
DROP POLICY approver_can_approve ON people.contribution_approvals;
DROP POLICY contributor_view_approvals ON people.contribution_approvals;
DROP POLICY approver_view_own_approvals ON people.contribution_approvals;
DROP POLICY owner_maintains ON people.contribution_approvals;

DROP POLICY governance_view_all_contributions ON people.contributions;
DROP POLICY approver_view_pending ON people.contributions;
DROP POLICY member_update_own_contributions ON people.contributions;
DROP POLICY member_submit_contribution ON people.contributions;
DROP POLICY member_view_own_contributions ON people.contributions;
DROP POLICY owner_maintains ON people.contributions;

DROP POLICY governance_view_all_members ON people.members;
DROP POLICY member_view_own_profile ON people.members;
DROP POLICY owner_maintains ON people.members;

DROP FUNCTION people.has_role(text);
DROP FUNCTION people.current_member_id();
