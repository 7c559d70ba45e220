-- Row-level security is on, for the owner too.
SELECT bool_and(relrowsecurity AND relforcerowsecurity),
       'open: ' || string_agg(relname, ', ') FILTER (WHERE NOT (relrowsecurity AND relforcerowsecurity))
  FROM pg_class
 WHERE oid IN ('people.members'::regclass, 'people.contributions'::regclass, 'people.contribution_approvals'::regclass);

-- The policies are there, for the command that each is for, and none of the members' is for deleting.
SELECT bool_and(p.polname IS NOT NULL),
       'missing: ' || string_agg(expected.relation || ' ' || expected.name, ', ') FILTER (WHERE p.polname IS NULL)
  FROM (VALUES ('people.members', 'member_view_own_profile', 'r'),
               ('people.members', 'governance_view_all_members', 'r'),
               ('people.contributions', 'member_view_own_contributions', 'r'),
               ('people.contributions', 'member_submit_contribution', 'a'),
               ('people.contributions', 'member_update_own_contributions', 'w'),
               ('people.contributions', 'approver_view_pending', 'r'),
               ('people.contributions', 'governance_view_all_contributions', 'r'),
               ('people.contribution_approvals', 'approver_view_own_approvals', 'r'),
               ('people.contribution_approvals', 'contributor_view_approvals', 'r'),
               ('people.contribution_approvals', 'approver_can_approve', 'a'),
               ('people.contribution_approvals', 'contributor_requests_approval', 'a'),
               ('people.contribution_approvals', 'approver_decides', 'w'),
               ('people.contribution_approvals', 'governance_view_all_approvals', 'r')) AS expected (relation, name, command)
  LEFT JOIN pg_policy AS p
    ON p.polrelid = expected.relation::regclass AND p.polname = expected.name AND p.polcmd = expected.command::"char"
   AND p.polpermissive AND p.polroles = ARRAY[0::oid];

-- Nobody is let through as a whole but the owner.
SELECT count(*) = 0, string_agg(polrelid::regclass || ' ' || polname, ', ')
  FROM pg_policy
 WHERE polrelid IN ('people.members'::regclass, 'people.contributions'::regclass, 'people.contribution_approvals'::regclass)
   AND polname <> 'owner_maintains' AND (pg_get_expr(polqual, polrelid) = 'true' OR pg_get_expr(polwithcheck, polrelid) = 'true');

-- Empty, as a setting is once the transaction that set it has ended: nobody, and no error.
SELECT CASE WHEN set_config('app.current_member_id', '', true) = '' AND set_config('app.current_member_roles', '', true) = ''
            THEN people.current_member_id() IS NULL AND NOT people.has_role('governance') AND NOT people.has_role('member') END;

-- What is no uuid is nobody.
SELECT CASE WHEN set_config('app.current_member_id', 'nobody', true) = 'nobody' THEN people.current_member_id() IS NULL END;

-- A member, with their roles as a list …
SELECT CASE WHEN set_config('app.current_member_id', '00000000-0000-4000-8000-000000000001', true) <> ''
             AND set_config('app.current_member_roles', 'member, governance', true) <> ''
            THEN people.current_member_id() IS NOT DISTINCT FROM '00000000-0000-4000-8000-000000000001'
             AND people.has_role('governance') AND NOT people.has_role('govern') END;

-- … and as the text of an array.
SELECT CASE WHEN set_config('app.current_member_roles', '{member,steward}', true) <> ''
            THEN people.has_role('steward') AND NOT people.has_role('governance') END;
