#[habitat_migrate::test(migrations = false, fixtures("no_such_file"))]
#[rustfmt::test]
fn by_name() {}

#[habitat_migrate::test(migrations = false, fixtures("elsewhere/members.sql"))]
#[rustfmt::test]
fn by_path() {}

fn main() {}
