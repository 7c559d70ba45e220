#[habitat_migrate::test(migrations = false, flavor = "multi_thread")]
fn blocking() {}

#[habitat_migrate::test(migrations = false, flavor = "multi_thread")]
#[tokio::test]
async fn of_another_attribute() {}

#[habitat_migrate::test(migrations = false, worker_threads = 2)]
async fn threads_of_one() {}

#[habitat_migrate::test(migrations = false, flavor = "vanilla")]
async fn unheard_of() {}

#[habitat_migrate::test(migrations = false, flavor = "multi_thread", worker_threads = 0)]
async fn without_a_thread() {}

fn main() {}
