-- Takes the members away with everything that is known of them. Nothing is dropped by CASCADE: what others have
-- put into the schema, or built upon it, stops the script.

DROP MATERIALIZED VIEW people.member_patronage_summary;

DROP TABLE people.ens_records;
DROP TABLE people.ens_names;
DROP TABLE people.contribution_approvals;
DROP TABLE people.contribution_evidence;
DROP TABLE people.contributions;
DROP TABLE people.approval_policies;
DROP TABLE people.member_roles;
DROP TABLE people.memberships;
DROP TABLE people.members;

DROP FUNCTION people.guard_contribution();
DROP FUNCTION people.guard_approval();
DROP FUNCTION people.approvals_required(people.patronage_category, numeric);
DROP FUNCTION people.set_updated_at();

DROP TYPE people.approval_status;
DROP TYPE people.contribution_status;
DROP TYPE people.patronage_category;
DROP TYPE people.member_status;
DROP SCHEMA people;
