//! Who sees and changes which rows: R51, tried as the role that it holds for.

use habitat_migrate::provision::Probes;
use postgres::Client;

use crate::house;
use crate::support::value;

const RIGHTS: &str = include_str!("../../migrations/habitat/probes.toml");
const ROWS: &str = include_str!("../../migrations/habitat/probes.development.toml");

const PROTECTED: [&str; 5] = [
    "people.members",
    "people.contributions",
    "people.contribution_approvals",
    "agreements.member_allocations",
    "agreements.distributions",
];

#[test]
fn r51_each_role_may_what_it_should_and_must_not_what_it_should_not() {
    for (database, text) in [("habitat_dev", RIGHTS), ("habitat_dev", ROWS), ("habitat", RIGHTS)] {
        let probes = Probes::from_toml("probes.toml", text).expect("probes");
        let report = probes.run_blocking(&house().connections(database)).expect("a report");
        assert!(report.is_as_expected(), "{database}\n{report}");
        assert!(report.results().len() >= 20);
    }
}

#[test]
fn r51_without_a_member_or_with_an_empty_one_there_are_no_rows_and_no_error() {
    let mut client = house().connect("habitat_write", "habitat_dev");
    assert_eq!(seen(&mut client, None), [0; 5], "never set");
    assert_eq!(seen(&mut client, Some(("", ""))), [0; 5], "set to nothing");
    assert_eq!(seen(&mut client, Some(("nobody", "{}"))), [0; 5], "no uuid");
    let first = member(1);
    assert_ne!(seen(&mut client, Some((&first, "member"))), [0; 5]);
    assert_eq!(seen(&mut client, None), [0; 5], "as the transaction that had set it has left it");
}

#[test]
fn r51_a_member_sees_their_own_rows_and_governance_all() {
    let mut all = house().superuser("habitat_dev");
    let mut client = house().connect("habitat_read", "habitat_dev");
    for n in [1, 3, 9] {
        let member = member(n);
        let own = [
            format!("SELECT count(*) FROM people.members WHERE member_id = '{member}'"),
            format!(
                "SELECT count(*) FROM people.contributions c WHERE contributor_id = '{member}' OR status = 'pending_approval' AND EXISTS (
                     SELECT FROM people.contribution_approvals a WHERE a.contribution_id = c.contribution_id
                        AND a.approver_id = '{member}' AND a.status = 'pending')"
            ),
            format!("SELECT count(*) FROM people.contribution_approvals WHERE '{member}' IN (approver_id, contributor_id)"),
            format!("SELECT count(*) FROM agreements.member_allocations WHERE member_id = '{member}'"),
            format!("SELECT count(*) FROM agreements.distributions WHERE member_id = '{member}'"),
        ];
        let expected = own.map(|sql| value::<i64>(&mut all, &sql));
        assert_eq!(seen(&mut client, Some((&member, "member"))), expected, "member {n}");
        assert!(expected[1] > 0 && expected[3] > 0, "it is a member with rows");
    }
    let everything = PROTECTED.map(|table| value::<i64>(&mut all, &format!("SELECT count(*) FROM {table}")));
    assert_eq!(everything[..2], [10, 50]);
    assert_eq!(everything[3], 30);
    assert_eq!(seen(&mut client, Some(("", "member, governance"))), everything, "as a list");
    assert_eq!(seen(&mut client, Some(("", "{member,governance}"))), everything, "as an array's text");
    let mut auditor = house().connect("habitat_audit", "habitat_dev");
    assert_eq!(seen(&mut auditor, None), everything, "an auditor by the role's own setting");
    let mut owner = house().connect("habitat_admin", "habitat_dev");
    assert_eq!(seen(&mut owner, None), everything, "the owner, by a policy of its own");
}

#[test]
fn r51_the_owner_is_held_by_force_and_sees_by_policy_alone() {
    let house = crate::House::empty();
    house.deploy("development", None);
    let mut owner = house.connect("habitat_admin", "habitat_dev");
    assert_ne!(seen(&mut owner, None), [0; 5]);
    for table in PROTECTED {
        owner.batch_execute(&format!("DROP POLICY owner_maintains ON {table}")).unwrap();
    }
    assert_eq!(seen(&mut owner, None), [0; 5]);
}

#[test]
fn r51_an_approver_sees_what_is_pending_and_decides_it() {
    let mut all = house().superuser("habitat_dev");
    let pending = "SELECT a.approver_id::text, a.contribution_id::text, a.contributor_id::text FROM people.contribution_approvals a
        JOIN people.contributions c USING (contribution_id) WHERE a.status = 'pending' AND c.status = 'pending_approval' LIMIT 1";
    let row = all.query_one(pending, &[]).unwrap();
    let [approver, contribution, contributor] = [0, 1, 2].map(|n| row.get::<_, String>(n));
    let stranger = "SELECT member_id::text FROM people.members WHERE member_id::text NOT IN (
        SELECT approver_id::text FROM people.contribution_approvals WHERE contribution_id = '$'
        UNION SELECT contributor_id::text FROM people.contributions WHERE contribution_id = '$') LIMIT 1";
    let stranger: String = value(&mut all, &stranger.replace('$', &contribution));
    let mut client = house().connect("habitat_write", "habitat_dev");
    let look = format!("SELECT count(*) FROM people.contributions WHERE contribution_id = '{contribution}'");
    assert_eq!(count(&mut client, Some((&approver, "member")), &look), 1);
    assert_eq!(count(&mut client, Some((&stranger, "member")), &look), 0);

    let decide = format!(
        "WITH done AS (UPDATE people.contribution_approvals SET status = 'approved' WHERE contribution_id = '{contribution}' RETURNING 1)
         SELECT count(*) FROM done"
    );
    assert_eq!(count(&mut client, Some((&approver, "member")), &decide), 1, "the approver's own");
    assert_eq!(count(&mut client, Some((&stranger, "member")), &decide), 0);

    let approve = |approver: &str| {
        format!(
            "INSERT INTO people.contribution_approvals (contribution_id, contributor_id, approver_id, status)
             VALUES ('{contribution}', '{contributor}', '{approver}', 'approved')"
        )
    };
    assert_eq!(refusal(&mut client, &stranger, &approve(&stranger)), None, "in one's own name");
    assert_eq!(
        refusal(&mut client, &contributor, &approve(&stranger)).as_deref(),
        Some("42501"),
        "in another's"
    );
}

#[test]
fn r51_a_contribution_is_submitted_by_its_contributor_alone() {
    let mut client = house().connect("habitat_write", "habitat_dev");
    let submit = |of: &str| {
        format!(
            "INSERT INTO people.contributions (contributor_id, category, description, value, status, submitted_at)
             VALUES ('{of}', 'community', 'An evening', 10, 'pending_approval', now())"
        )
    };
    assert_eq!(refusal(&mut client, &member(1), &submit(&member(1))), None);
    assert_eq!(refusal(&mut client, &member(1), &submit(&member(2))).as_deref(), Some("42501"));
    assert_eq!(refusal(&mut client, "", &submit(&member(2))).as_deref(), Some("42501"));
    let take =
        format!("UPDATE people.contributions SET contributor_id = '{}' WHERE status = 'draft'", member(1));
    let drafts = "SELECT contributor_id::text FROM people.contributions WHERE status = 'draft' LIMIT 1";
    let other: String = value(&mut house().superuser("habitat_dev"), drafts);
    let give = take.replace(&member(1), &member(2));
    assert_eq!(refusal(&mut client, &other, &give).as_deref(), Some("42501"), "a draft is not given away");
}

#[test]
fn r51_nothing_is_deleted_by_who_writes_and_nothing_written_by_who_reads() {
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('treasury', 'people', 'agreements')";
    let tables: Vec<String> =
        house().superuser("habitat_dev").query(tables, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(tables.len(), 31);
    for (role, statements) in [
        (
            "habitat_write",
            &["DELETE FROM $", "TRUNCATE $", "DROP TABLE $", "ALTER TABLE $ ADD COLUMN x int"][..],
        ),
        (
            "habitat_read",
            &[
                "DELETE FROM $",
                "INSERT INTO $ DEFAULT VALUES",
                "LOCK TABLE $ IN EXCLUSIVE MODE",
                "DROP TABLE $",
            ],
        ),
        (
            "habitat_audit",
            &[
                "DELETE FROM $",
                "INSERT INTO $ DEFAULT VALUES",
                "LOCK TABLE $ IN EXCLUSIVE MODE",
                "DROP TABLE $",
            ],
        ),
    ] {
        let mut client = house().connect(role, "habitat_dev");
        for statement in tables.iter().flat_map(|table| statements.iter().map(move |s| s.replace('$', table)))
        {
            let governs = "SELECT set_config('app.current_member_roles', 'governance', true)";
            let mut transaction = client.transaction().unwrap();
            transaction.batch_execute(governs).unwrap();
            let error = transaction.batch_execute(&statement).expect_err(&statement);
            assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{role}: {statement}: {error:?}");
        }
    }
}

/// A member of the sample data.
fn member(n: u32) -> String {
    let sql =
        format!("SELECT public.uuid_generate_v5(public.uuid_ns_url(), 'habitat:seed:member:{n}')::text");
    value(&mut house().superuser("habitat_dev"), &sql)
}

/// How many rows of each protected table there are, on behalf of a member with roles.
fn seen(client: &mut Client, who: Option<(&str, &str)>) -> [i64; 5] {
    PROTECTED.map(|table| count(client, who, &format!("SELECT count(*) FROM {table}")))
}

/// A count in a request's transaction, which leaves nothing.
fn count(client: &mut Client, who: Option<(&str, &str)>, sql: &str) -> i64 {
    let mut transaction = client.transaction().unwrap();
    if let Some((member, roles)) = who {
        let set = "SELECT set_config('app.current_member_id', $1, true), set_config('app.current_member_roles', $2, true)";
        transaction.execute(set, &[&member, &roles]).unwrap();
    }
    let row = transaction.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    transaction.rollback().unwrap();
    row.get(0)
}

/// The SQLSTATE with which a statement of a member is refused; none where it is not. Nothing of it stays.
fn refusal(client: &mut Client, member: &str, sql: &str) -> Option<String> {
    let mut transaction = client.transaction().unwrap();
    transaction.execute("SELECT set_config('app.current_member_id', $1, true)", &[&member]).unwrap();
    let outcome = transaction.batch_execute(sql);
    transaction.rollback().unwrap();
    outcome.err().map(|error| error.code().unwrap_or_else(|| panic!("{error:?}")).code().to_owned())
}
