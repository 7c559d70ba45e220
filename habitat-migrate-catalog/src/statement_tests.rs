use super::*;

/// The code of each statement that holds any.
fn split(text: &str) -> Vec<&str> {
    let statements = statements(text).expect("the script is complete");
    let joined: String = statements.iter().map(|statement| &text[statement.range()]).collect();
    assert_eq!(joined, text);
    statements
        .iter()
        .filter(|statement| !statement.is_empty())
        .map(|statement| &text[statement.code()])
        .collect()
}

fn foreign(text: &str) -> Vec<(ForeignKind, &str)> {
    let scan = Scan::of(text).expect("the script is complete");
    scan.foreign.iter().map(|foreign| (foreign.kind, &text[foreign.range.clone()])).collect()
}

fn error(text: &str) -> (usize, Unterminated) {
    let error = statements(text).expect_err("the script is not complete");
    (error.offset(), error.what())
}

#[test]
fn a_semicolon_ends_a_statement() {
    assert_eq!(split("SELECT 1; SELECT 2"), ["SELECT 1;", "SELECT 2"]);
}

#[test]
fn trivia_belongs_to_the_statement_after_it() {
    let text = "-- a;\nSELECT 1 /* ; */ ; -- b\n";
    let statements = statements(text).expect("complete");
    assert_eq!(&text[statements[0].range()], "-- a;\nSELECT 1 /* ; */ ;");
    assert_eq!(&text[statements[1].range()], " -- b\n");
    assert!(statements[1].is_empty());
    assert_eq!(statements.len(), 2);
}

#[test]
fn a_last_statement_without_semicolon_leaves_its_trailing_trivia_to_an_empty_one() {
    let text = "SELECT 1 -- x\n";
    let statements = statements(text).expect("complete");
    assert_eq!((&text[statements[0].range()], statements[1].is_empty()), ("SELECT 1", true));
}

#[test]
fn a_lone_semicolon_is_empty() {
    assert!(statements(";;\n").expect("complete").iter().all(Statement::is_empty));
    assert!(split("/* */ ; -- x").is_empty());
}

#[test]
fn quotes_hide_semicolons() {
    for quoted in [
        "';'",
        "'a'';b'",
        "E'\\';'",
        "e'a''\\';'",
        "'\\'",
        "U&'\\0041;'",
        "U&\"d;\" ",
        "\"a\"\";\"",
        "$$;$$",
        "$tag$;$$;$tag$",
        "$é$;$é$",
        "N';'",
        "B';'",
        "x';'",
        "E'a'\n  '\\';'",
        "E'a' -- c\n\n'\\';'",
    ] {
        let script = format!("SELECT {quoted}; SELECT 2");
        assert_eq!(split(&script), [&format!("SELECT {quoted};"), "SELECT 2"], "{quoted}");
    }
}

#[test]
fn an_escape_string_goes_on_only_over_a_line_break() {
    assert_eq!(split("SELECT E'a' '\\'; SELECT 2"), ["SELECT E'a' '\\';", "SELECT 2"]);
}

#[test]
fn a_word_that_ends_in_e_escapes_nothing() {
    assert_eq!(split("SELECT date'\\'; SELECT 2"), ["SELECT date'\\';", "SELECT 2"]);
}

#[test]
fn comments_nest_and_begin_inside_operators() {
    assert_eq!(split("SELECT 1 /* ; /* ; */ ; */; SELECT 2"), ["SELECT 1 /* ; /* ; */ ; */;", "SELECT 2"]);
    assert_eq!(split("SELECT 1 <-- ;\n 2; SELECT 2"), ["SELECT 1 <-- ;\n 2;", "SELECT 2"]);
    assert_eq!(split("SELECT 1 -- ;\r 2; SELECT 2"), ["SELECT 1 -- ;\r 2;", "SELECT 2"]);
    assert_eq!(split("SELECT 2 /*/ ; */ ;"), ["SELECT 2 /*/ ; */ ;"]);
}

#[test]
fn a_dollar_sign_inside_a_name_or_before_a_digit_quotes_nothing() {
    assert_eq!(split("SELECT a$$b; SELECT c$$d"), ["SELECT a$$b;", "SELECT c$$d"]);
    assert_eq!(split("SELECT $1; SELECT $1"), ["SELECT $1;", "SELECT $1"]);
    assert_eq!(split("SELECT é$$; SELECT 2 -- $$"), ["SELECT é$$;", "SELECT 2"]);
    assert_eq!(split("SELECT $a b; SELECT $a"), ["SELECT $a b;", "SELECT $a"]);
    assert_eq!(split("SELECT 1$$;$$; SELECT 2"), ["SELECT 1$$;$$;", "SELECT 2"]);
}

#[test]
fn rules_hold_semicolons_in_parentheses() {
    let rule = "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b;);";
    assert_eq!(split(&format!("{rule} SELECT 2")), [rule, "SELECT 2"]);
}

#[test]
fn a_routine_holds_its_body() {
    for routine in [
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;",
        "create or replace procedure p() begin /* c */ atomic SELECT CASE WHEN a THEN 1 END; END;",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 AS end; END;",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC END;",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT (1); -- END\n END COST 5;",
        "CREATE FUNCTION begin(begin int) RETURNS int RETURN 1;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'BEGIN ATOMIC; x';",
    ] {
        assert_eq!(split(&format!("{routine} SELECT 2")), [routine, "SELECT 2"]);
    }
}

#[test]
fn begin_atomic_means_nothing_elsewhere() {
    assert_eq!(split("SELECT begin atomic; END;"), ["SELECT begin atomic;", "END;"]);
    assert_eq!(split("CREATE TABLE begin atomic; END;"), ["CREATE TABLE begin atomic;", "END;"]);
}

#[test]
fn copy_data_is_no_sql() {
    let copy = "COPY t (a, b) FROM STDIN WITH (FORMAT csv);\n1;'\n\\.";
    assert_eq!(split(&format!("{copy}\nSELECT 2;")), [copy, "SELECT 2;"]);
    assert_eq!(foreign(copy)[0].0, ForeignKind::CopyData);
    assert!(foreign("COPY (SELECT 1 FROM stdin) TO '/x'; COPY t FROM '/y';").is_empty());
    assert_eq!(split("copy t from stdin;\n'\n"), ["copy t from stdin;\n'\n"]);
    assert_eq!(foreign("COPY (SELECT 1) TO STDOUT WITH (FORMAT csv);")[0].0, ForeignKind::CopyOut);
    assert_eq!(foreign("copy t to stdout")[0].0, ForeignKind::CopyOut);
}

#[test]
fn commands_of_psql_are_found_outside_quotes() {
    use ForeignKind::MetaCommand;
    assert_eq!(split("\\echo it's\nSELECT 1;"), ["\\echo it's", "SELECT 1;"]);
    assert_eq!(foreign("\\set ON_ERROR_STOP 1\r\nSELECT '\\x';"), [(MetaCommand, "\\set ON_ERROR_STOP 1")]);
    assert_eq!(split("SELECT 1 AS a \\gset\nSELECT 2;"), ["SELECT 1 AS a \\gset", "SELECT 2;"]);
    assert!(foreign("SELECT E'\\\\', $$ \\d $$; -- \\d\n/* \\d */ SELECT 1").is_empty());
}

#[test]
fn variables_of_psql_are_found_outside_casts_and_subscripts() {
    assert_eq!(foreign("SELECT :a, :'b', :\"c\", :{?d};").len(), 4);
    for fine in [
        "SELECT a::int, b[1:c], b[:c], f(a := 1)",
        "SELECT JSON_OBJECT('a':b, 'c': d), json_objectagg(a:b)",
        "SELECT ':a', \":b\", $$:c$$ -- :d",
        "SELECT a::\"Type\", x : 'not one'",
    ] {
        assert!(foreign(fine).is_empty(), "{fine}");
    }
}

#[test]
fn what_has_no_end_is_named_with_its_beginning() {
    assert_eq!(error("SELECT 'a; "), (7, Unterminated::String));
    assert_eq!(error("SELECT E'a\\'"), (7, Unterminated::String));
    assert_eq!(error("SELECT E'a\\"), (7, Unterminated::String));
    assert_eq!(error("SELECT U&\"a"), (7, Unterminated::Identifier));
    assert_eq!(error("SELECT 1; /* /* */"), (10, Unterminated::Comment));
    assert_eq!(error("SELECT $x$ $X$"), (7, Unterminated::DollarQuote));
    assert_eq!(statements("'").expect_err("open").to_string(), "the string that begins here has no end");
}

#[test]
fn a_byte_order_mark_is_white_space() {
    assert_eq!(split("\u{feff}SELECT 1;"), ["SELECT 1;"]);
}
