//! All of Habitat goes up, down and up again without a trace: a dump and the rows tell.

use habitat_migrate::testing::Server;

use crate::lifecycle::{
    apply, assert_same, down, dump, plain_owner, revert, set, there_and_back, try_revert, up,
};
use crate::support::{database, own_server, value};
use crate::{FOLDER, rows};

#[test]
fn up_down_and_up_again_leave_the_same_schema_and_rows_byte_for_byte() {
    let (server, database) = (Server::shared().expect("a server"), database());
    let mut client = database.connect().unwrap();
    there_and_back((server, &database), &mut client, &set(FOLDER), rows, |_| {});
}

#[test]
fn a_login_that_owns_the_database_needs_no_superuser() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut client = plain_owner(&database, "habitat_owner");
    there_and_back((&server, &database), &mut client, &set(FOLDER), rows, |_| {});
}

#[test]
fn the_seed_changes_no_schema() {
    let (server, database, catalog) = (Server::shared().expect("a server"), database(), set(FOLDER));
    let mut client = database.connect().unwrap();
    let (seed, core) = catalog.migrations().split_last().expect("migrations");
    core.iter().for_each(|migration| apply(&mut client, &catalog, migration));
    let before = dump(server, &database);
    apply(&mut client, &catalog, seed);
    assert_same(&dump(server, &database), &before, "seeded");
}

#[test]
fn extensions_that_were_there_before_stay() {
    let server = own_server();
    let (database, catalog) = (server.database().unwrap(), set(FOLDER));
    let mut admin = database.connect().unwrap();
    admin.batch_execute("CREATE EXTENSION pgcrypto; CREATE EXTENSION \"uuid-ossp\"").unwrap();
    let before = dump(&server, &database);
    let mut owner = plain_owner(&database, "habitat_owner");
    up(&mut owner, &catalog);
    down(&mut owner, &catalog);
    assert_same(&dump(&server, &database), &before, "down");
    let extensions = "SELECT count(*) FROM pg_extension WHERE extname IN ('pgcrypto', 'uuid-ossp')";
    assert_eq!(value::<i64>(&mut admin, extensions), 2);
}

#[test]
fn an_extension_that_others_use_by_now_stays() {
    let (database, catalog) = (database(), set(FOLDER));
    let mut client = database.connect().unwrap();
    up(&mut client, &catalog);
    client.batch_execute("CREATE TABLE public.notes (id uuid DEFAULT public.uuid_generate_v4())").unwrap();
    down(&mut client, &catalog);
    let extensions = "SELECT string_agg(extname, ' ') FROM pg_extension WHERE extname <> 'plpgsql'";
    assert_eq!(value::<String>(&mut client, extensions), "uuid-ossp");
}

#[test]
fn what_others_have_put_into_a_schema_stops_its_down_script() {
    let (database, catalog) = (database(), set(FOLDER));
    let mut client = database.connect().unwrap();
    up(&mut client, &catalog);
    client.batch_execute("CREATE VIEW agreements.of_others AS SELECT 1").unwrap();
    catalog.migrations()[4..].iter().rev().for_each(|later| revert(&mut client, &catalog, later));
    let error = try_revert(&mut client, &catalog).unwrap_err();
    assert_eq!(error.server_error().map(|error| error.code.as_str()), Some("2BP01"), "{error:?}");
    client.batch_execute("DROP VIEW agreements.of_others").unwrap();
    revert(&mut client, &catalog, &catalog.migrations()[3]);
}
