#[habitat_migrate::test]
struct Members;

#[habitat_migrate::test]
static MEMBERS: i32 = 1;

fn main() {}
