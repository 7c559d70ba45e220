#[habitat_migrate::test]
fn of_a_type<T: Default>(client: T) {}

#[habitat_migrate::test]
fn of_a_lifetime<'a>(url: &'a str) {}

#[habitat_migrate::test]
fn of_an_unnamed_type(client: impl Default) {}

fn main() {}
