struct Suite;

impl Suite {
    #[habitat_migrate::test]
    fn borrowed(&self, client: postgres::Client) {}

    #[habitat_migrate::test]
    fn owned(mut self) {}
}

fn main() {}
