//! Any text that can be cut into statements is given back by them.

#![no_main]

use habitat_migrate_catalog::statements;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match statements(text) {
        Ok(statements) => {
            let mut end = 0;
            for statement in &statements {
                assert_eq!(statement.range().start, end);
                end = statement.range().end;
                assert!(statement.code().start >= statement.range().start && statement.code().end <= end);
                assert!(text.get(statement.code()).is_some());
            }
            assert_eq!(end, text.len());
        }
        Err(error) => assert!(text.is_char_boundary(error.offset())),
    }
});
