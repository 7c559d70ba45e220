// The attribute `rustfmt::test` does nothing: it keeps the functions where no tests are compiled.
#[habitat_migrate::test(migrations = false)]
#[rustfmt::test]
fn a_number(_number: u64) {}

#[habitat_migrate::test(migrations = false)]
#[rustfmt::test]
fn a_borrowed_number(_number: &mut u64) {}

#[habitat_migrate::test(migrations = false)]
#[rustfmt::test]
async fn a_number_in_an_async_test(_number: u64) {}

fn main() {}
