#[habitat_migrate::test(server = "newest")]
fn server() {}

#[habitat_migrate::test(server = "pg8")]
fn server_of_long_ago() {}

#[habitat_migrate::test(environment = "on my machine")]
fn environment() {}

#[habitat_migrate::test(fixtures = "members")]
fn fixtures() {}

#[habitat_migrate::test(placeholders(a = "1", a = "2"))]
fn placeholders() {}

#[habitat_migrate::test(role = "")]
fn role() {}

fn main() {}
