#[habitat_migrate::test]
const fn constant() {}

#[habitat_migrate::test]
unsafe fn dangerous() {}

#[habitat_migrate::test]
pub extern "C" fn foreign() {}

#[habitat_migrate::test]
async unsafe fn dangerous_and_async() {}

fn main() {}
