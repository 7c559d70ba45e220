-- Whoever has the privileges sees every row again.

ALTER TABLE agreements.member_allocations NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
ALTER TABLE agreements.distributions NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;

DROP POLICY governance_view_all_distributions ON agreements.distributions;
DROP POLICY member_view_own_distributions ON agreements.distributions;
DROP POLICY owner_maintains ON agreements.distributions;

DROP POLICY governance_view_all_allocations ON agreements.member_allocations;
DROP POLICY member_view_own_allocations ON agreements.member_allocations;
DROP POLICY owner_maintains ON agreements.member_allocations;
