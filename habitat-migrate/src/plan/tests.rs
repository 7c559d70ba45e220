use std::iter;

use habitat_migrate_catalog::{Compatibility, Digest, Loader, Scripts};
use proptest::prelude::*;

use super::*;
use crate::history::Record;
use crate::policy::{Missing, NewerDatabase};

fn version(n: usize) -> String {
    format!("{n:02}_step")
}

fn id(context: &str, n: usize) -> MigrationId {
    MigrationId::new(context.to_owned(), Version::new(version(n)))
}

fn catalog(scripts: &[(&str, usize, &str)]) -> Catalog {
    let contexts: HashSet<&str> = scripts.iter().map(|script| script.0).collect();
    let source = |context: &str| {
        let own = scripts.iter().filter(|script| script.0 == context);
        Scripts::new(context, own.map(|(_, n, text)| (format!("{}.sql", version(*n)), (*text).to_owned())))
    };
    let loader =
        contexts.into_iter().fold(Loader::new().external("people"), |loader, c| loader.source(source(c)));
    loader.load().unwrap_or_else(|problems| panic!("{}", problems.render()))
}

fn app(numbers: &[usize]) -> Catalog {
    catalog(&numbers.iter().map(|n| ("app", *n, "SELECT 1;")).collect::<Vec<_>>())
}

/// What a database has after these were applied, in this order; the text of each is `SELECT 1;`.
fn history(ids: &[(&str, usize)]) -> Vec<Record> {
    let checksum = app(&[1]).migrations()[0].checksum().to_string();
    let mut ordinals: HashMap<&str, u32> = HashMap::new();
    let mut records = Vec::new();
    for (context, n) in ids {
        let ordinal = ordinals.entry(context).or_default();
        *ordinal += 1;
        records.push(Record {
            id: id(context, *n),
            description: String::new(),
            checksum: checksum.clone(),
            ordinal: Some(*ordinal),
            state: State::Applied,
            compatibility: Compatibility::Compatible,
            deployed_at: Default::default(),
            deployed_by: String::new(),
            execution_time: Default::default(),
            down: None,
        });
    }
    records
}

fn applied(numbers: &[usize]) -> Vec<Record> {
    history(&numbers.iter().map(|n| ("app", *n)).collect::<Vec<_>>())
}

/// What a plan comes to.
#[derive(Debug)]
struct Summary {
    pending: Vec<String>,
    ordinals: Vec<u32>,
    end: Option<Digest>,
    newer: Vec<MigrationId>,
    present: usize,
}

fn plan_by(policy: Policy, catalog: &Catalog, records: Vec<Record>) -> Result<Summary, Vec<Refusal>> {
    let plan = Plan::new(catalog, &History::new(records), policy)
        .map_err(|refusals| refusals.iter().cloned().collect::<Vec<_>>())?;
    Ok(Summary {
        pending: plan.pending().map(|migration| migration.id().to_string()).collect(),
        newer: plan.newer().to_vec(),
        present: plan.already_applied(),
        ordinals: plan.steps.iter().filter_map(|step| Some(step.link?.ordinal)).collect(),
        end: plan.steps.last().and_then(|step| Some(step.link?.digest)),
    })
}

fn plan(catalog: &Catalog, records: Vec<Record>) -> Result<Summary, Vec<Refusal>> {
    plan_by(Policy::default(), catalog, records)
}

#[test]
fn steps_go_on_where_the_history_ends() {
    let plan = plan(&app(&[1, 2, 3]), applied(&[1])).unwrap();
    assert_eq!((plan.present, plan.newer.len(), plan.ordinals), (1, 0, vec![2, 3]));
    assert_eq!(plan.end, Some(app(&[1, 2, 3]).contexts()[0].digest()), "the whole set is the catalog's");
}

#[test]
fn r35_a_late_step_names_the_highest_that_is_applied_or_stands_behind_all_of_them() {
    let refusals = plan(&app(&[1, 2, 3]), applied(&[1, 3, 9])).unwrap_err();
    assert_eq!(refusals, [Refusal::OutOfOrder { migration: id("app", 2), after: id("app", 9) }]);
    let policy = Policy { out_of_order: OutOfOrder::Apply, ..Policy::default() };
    assert_eq!(plan_by(policy, &app(&[1, 2, 3]), applied(&[1, 3, 9])).unwrap().ordinals, [4]);
}

#[test]
fn every_reason_is_told_at_once() {
    let mut records = applied(&[1, 2, 4, 7]);
    records[0].checksum = "sha256:00".to_owned();
    records[3].compatibility = Compatibility::Breaking;
    let catalog = app(&[1, 3, 4]);
    let [changed, others @ ..] = &plan(&catalog, records).unwrap_err()[..] else { panic!() };
    let expected = Refusal::Changed {
        migration: id("app", 1),
        path: "app/01_step.sql".to_owned(),
        recorded: "sha256:00".to_owned(),
        built: catalog.migrations()[0].checksum().to_string(),
    };
    assert_eq!(*changed, expected);
    let expected = [
        Refusal::Missing { migration: id("app", 2) },
        Refusal::Breaking { migration: id("app", 7) },
        Refusal::OutOfOrder { migration: id("app", 3), after: id("app", 7) },
    ];
    assert_eq!(others, expected);
}

#[test]
fn each_policy_answers_its_own_question_only() {
    let question = |policy: Policy, program: &[usize]| plan_by(policy, &app(program), applied(&[1, 2, 4]));
    let missing = Policy { missing: Missing::Ignore, ..Policy::default() };
    assert!(question(missing, &[1, 4]).is_ok());
    assert!(question(missing, &[1, 2, 3, 4]).is_err());
    let late = Policy { out_of_order: OutOfOrder::Apply, ..Policy::default() };
    assert!(question(late, &[1, 2, 3, 4]).is_ok());
    assert!(question(late, &[1, 4]).is_err());
    let newer = Policy { newer: NewerDatabase::Refuse, ..Policy::default() };
    assert_eq!(question(newer, &[1, 2]).unwrap_err(), [Refusal::Newer { migration: id("app", 4) }]);
    assert!(question(newer, &[1, 2, 4]).is_ok());
    let mut records = applied(&[1, 2]);
    records[0].checksum = String::new();
    let changed = Policy { changed: Changed::Ignore, ..Policy::default() };
    assert!(plan_by(changed, &app(&[1, 2]), records.clone()).is_ok());
    assert!(plan(&app(&[1, 2]), records).is_err());
}

#[test]
fn r34_a_gap_is_refused_below_and_above_the_end_of_the_history() {
    for program in [&[1, 3][..], &[1, 3, 4]] {
        let refusals = plan(&app(program), applied(&[1, 2, 3])).unwrap_err();
        assert_eq!(refusals, [Refusal::Missing { migration: id("app", 2) }], "{program:?}");
    }
}

#[test]
fn r34_what_came_after_all_that_a_program_has_is_newer_whatever_its_version() {
    let records = || applied(&[1, 3, 2, 4]);
    assert_eq!(plan(&app(&[1, 3]), records()).unwrap().newer, [id("app", 2), id("app", 4)]);
    // This one has something that the database lacks: no older program, but another branch.
    assert_eq!(
        plan(&app(&[1, 3, 5]), records()).unwrap_err(),
        [Refusal::Missing { migration: id("app", 2) }, Refusal::Missing { migration: id("app", 4) }]
    );
}

#[test]
fn a_requirement_is_met_by_the_history_or_by_an_earlier_step() {
    let outside = "-- habitat: requires people:04_step\nSELECT 1;";
    let needs_people = catalog(&[("app", 1, outside)]);
    let refusals = plan(&needs_people, history(&[("people", 3)])).unwrap_err();
    assert_eq!(refusals, [Refusal::Requires { migration: id("app", 1), required: id("people", 4) }]);
    assert_eq!(plan(&needs_people, history(&[("people", 4)])).unwrap().pending, ["app:01_step"]);
    let inside = "-- habitat: requires shop:01_step\nSELECT 1;";
    let both = catalog(&[("app", 1, inside), ("shop", 1, "SELECT 1;")]);
    assert_eq!(plan(&both, Vec::new()).unwrap().pending, ["shop:01_step", "app:01_step"]);
}

#[test]
fn an_interrupted_migration_stops_the_programs_of_its_context_only() {
    let interrupted = |context| {
        let mut records = history(&[("app", 1), (context, 2)]);
        records[1].state = State::Interrupted;
        records
    };
    let refusals = plan(&app(&[1]), interrupted("app")).unwrap_err();
    assert_eq!(refusals, [Refusal::Interrupted { migration: id("app", 2) }]);
    assert_eq!(plan(&app(&[1, 2]), interrupted("shop")).unwrap().pending, ["app:02_step"]);
}

proptest! {
    /// The tracker's short question compares the digest over the first rows with the catalog's. Where it says that
    /// there is nothing to do, a plan must say so too.
    #[test]
    fn the_short_question_and_the_plan_agree(
        order in Just((1..=6).collect::<Vec<usize>>()).prop_shuffle(),
        length in 0..=6usize,
        has in prop::collection::vec(any::<bool>(), 6),
    ) {
        let numbers: Vec<usize> = iter::zip(1.., has).filter_map(|(n, has)| has.then_some(n)).collect();
        prop_assume!(!numbers.is_empty());
        let (catalog, records) = (app(&numbers), applied(&order[..length]));
        let first = History::new(records.iter().take(numbers.len()).cloned().collect());
        let digest = first.ends().get("app").map(|end| end.digest);
        let is_current = length >= numbers.len() && digest == Some(catalog.contexts()[0].digest());
        match plan(&catalog, records) {
            Ok(plan) if is_current => {
                prop_assert!(plan.pending.is_empty());
                prop_assert_eq!(plan.newer.len(), length - numbers.len());
            }
            Ok(_) => {}
            Err(refusals) => prop_assert!(!is_current, "{:?}", refusals),
        }
    }
}

#[test]
fn the_other_scripts_stand_beside_it() {
    assert_eq!(beside("m/01_x.sql", "verify"), "m/01_x.verify.sql");
    assert_eq!(beside("m/01_x.up.sql", "down"), "m/01_x.down.sql");
    assert_eq!(beside("m/2024_x/up.sql", "down"), "m/2024_x/down.sql");
    assert_eq!(beside("m/01_setup.sql", "verify"), "m/01_setup.verify.sql");
}
