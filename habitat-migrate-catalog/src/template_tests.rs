use super::*;
use crate::Location;

pub(super) const NAMES: [Cow<'static, str>; 3] =
    [Cow::Borrowed("schema"), Cow::Borrowed("title"), Cow::Borrowed("count")];

pub(super) fn values() -> Placeholders {
    Placeholders::new().set("schema", "my \"app\"").set("title", "it's \\ $$").set("count", "42")
}

fn rendered(text: &str) -> String {
    let rendered = Template::of(text, &NAMES).render(&values()).expect("every value is fit");
    rendered.text().to_owned()
}

/// What is wrong with a script: place, message and help.
fn faults(text: &str) -> Vec<String> {
    let names = NAMES.each_ref().map(|name| &**name);
    let slots = Slots::of(text, &names);
    let mut faults: Vec<_> = slots.faults.iter().collect();
    faults.sort_by_key(|fault| fault.place);
    let place = |fault: &crate::value::Fault| Location::at(text, fault.place.expect("each has a place"));
    faults.iter().map(|fault| format!("{} {}; {}", place(fault), fault.message, fault.help)).collect()
}

fn fault(text: &str) -> String {
    let faults = faults(text);
    assert_eq!(faults.len(), 1, "{text}: {faults:?}");
    faults[0].clone()
}

#[test]
fn values_are_quoted_by_their_kind() {
    assert_eq!(
        rendered(
            "CREATE TABLE ${schema:identifier}.t${count}(n int DEFAULT ${count}, b text DEFAULT ${title:literal});"
        ),
        r#"CREATE TABLE "my ""app""".t42(n int DEFAULT 42, b text DEFAULT E'it''s \\ $$');"#
    );
}

#[test]
fn a_script_that_declares_nothing_is_never_touched() {
    let text = "SELECT ${schema:identifier}, '${title}', $$ ${title:literal} $$";
    let rendered = Template::of(text, &[]).render(&Placeholders::new()).expect("nothing is missing");
    assert!(matches!(rendered.into_text(), Cow::Borrowed(same) if same == text));
}

#[test]
fn comments_are_left_alone() {
    let text = "-- ${title} ${nobody:kind} ${\nSELECT /* ${title:literal} /* ${ */ */ 1; DO $$ -- ${title:literal}\n$$";
    assert_eq!(rendered(text), text);
    assert_eq!(faults(text), [""; 0]);
}

#[test]
fn a_body_is_touched_only_where_a_declared_name_has_a_kind() {
    let text = "DO $a$ BEGIN PERFORM `${title}`, ${nobody:literal}, ${other}; END $a$; SELECT $1$2, a$b$, $${title}$$";
    assert_eq!((rendered(text), faults(text)), (text.to_owned(), Vec::new()));
    assert_eq!(
        rendered("DO $$ BEGIN CREATE SCHEMA ${schema:identifier}; END $$"),
        r#"DO $$ BEGIN CREATE SCHEMA "my ""app"""; END $$"#
    );
    assert_eq!(rendered("DO $$${title:literal}$$"), r"DO $$E'it''s \\ \x24\x24'$$");
    assert_eq!(
        rendered("DO $$ EXECUTE $a$ SELECT ${title:literal} $a$ $$"),
        r"DO $$ EXECUTE $a$ SELECT E'it''s \\ \x24\x24' $a$ $$"
    );
}

#[test]
fn a_value_cannot_end_the_body_around_it() {
    let template = Template::of("DO $$ $x$ ${schema:identifier} $x$ $$", &NAMES);
    for value in ["a$$b", "$x$"] {
        let errors = template.render(&Placeholders::new().set("schema", value)).expect_err("it ends a body");
        assert!(errors[0].to_string().contains("give the body another tag"), "{errors:?}");
    }
    template.render(&Placeholders::new().set("schema", "a$b")).expect("it ends none");
}

#[test]
fn bodies_within_bodies_are_searched_to_a_depth_that_is_told() {
    let nested = |depth: usize| {
        let tags: Vec<String> = (0..depth).map(|level| format!(" $t{level}$ ")).collect();
        let back: Vec<&str> = tags.iter().rev().map(String::as_str).collect();
        format!("DO {}${{title:literal}}{}", tags.concat(), back.concat())
    };
    assert_eq!(faults(&nested(8)), [""; 0]);
    assert!(!rendered(&nested(8)).contains("${"));
    assert!(fault(&nested(9)).contains("is not replaced"));
    assert!(fault(&nested(5_000)).contains("is not replaced"));
}

#[test]
fn an_undeclared_name_is_answered_with_the_nearest() {
    assert_eq!(
        fault("SELECT\n  ${tilte:literal}"),
        "2:3 the placeholder `tilte` is not declared; did you mean `title`?"
    );
    assert!(fault("SELECT ${zebra}").contains("`-- habitat: placeholders zebra`"));
}

#[test]
fn an_unknown_kind_is_answered_with_the_nearest() {
    assert_eq!(
        fault("SELECT ${title:litteral}"),
        "1:16 there is no kind `litteral` of placeholder; did you mean `literal`?"
    );
    assert!(fault("SELECT ${title:number}").contains("the kinds are `identifier` and `literal`"));
    assert!(fault("DO $$ ${title:string} $$").contains("1:15 there is no kind `string`"));
}

#[test]
fn a_malformed_placeholder_is_told_how_to_be_written() {
    for wrong in [
        "${}",
        "${ title }",
        "${1a}",
        "${title:}",
        "${:literal}",
        "${title:a:b}",
        "${größe}",
        "${title",
        "${",
    ] {
        let problem = fault(&format!("SELECT {wrong};"));
        assert!(problem.starts_with("1:8 this is no placeholder"), "{problem}");
        assert!(problem.contains("write `${name}`, `${name:identifier}` or `${name:literal}`"), "{problem}");
    }
}

#[test]
fn a_placeholder_in_quotes_is_told_to_stand_for_the_whole_of_them() {
    for text in
        ["SELECT 'a ${title}'", "SELECT 'a ${title:literal}'", "SELECT E'\\'${title}'", "SELECT U&'${title}'"]
    {
        let problem = fault(text);
        assert!(
            problem.contains("inside of a string is not replaced; write `${title:literal}` in place"),
            "{problem}"
        );
    }
    assert_eq!(fault("SELECT 'é ${nobody}'").split(' ').next(), Some("1:11"));
    let problem = fault("SELECT \"${schema}_x\"");
    assert!(
        problem.contains("quoted identifier is not replaced; write `${schema:identifier}` in place"),
        "{problem}"
    );
    assert!(fault("DO $$ SELECT '${title:literal}' $$").starts_with("1:15 a placeholder inside of a string"));
    assert!(fault("COMMENT ON TABLE t IS $$it's ${title:literal}$$").contains("inside of a string"));
    assert_eq!(faults("SELECT 'a${2}', '${', '$${title', '${ title }'"), [""; 0]);
}

#[test]
fn a_placeholder_touches_no_quote() {
    for text in [
        "${count}'a\\'",
        "a_${count}e'a'",
        "${count}\"a\"",
        "${count}$$a$$",
        "${count}&'a'",
        "E${title:literal}",
        "U&${title:literal}",
        "'a'${title:literal}",
        "${title:literal}'a'",
        "${schema:identifier}_old",
        "old_${schema:identifier}",
        "${schema:identifier}${count}",
        "${count}${schema:identifier}",
        "${schema:identifier}$a$ b $a$",
        "\"a\"${schema:identifier}",
    ] {
        assert!(fault(&format!("SELECT {text}")).contains("touches"), "{text}");
    }
    for text in [
        "a${count}_${count}b",
        "(${title:literal}::text)",
        "-${count}+1",
        "${schema:identifier}.${schema:identifier}",
    ] {
        assert_eq!(faults(&format!("SELECT {text}")), [""; 0], "{text}");
    }
}

#[test]
fn a_value_does_not_become_one_string_with_another() {
    for text in ["${title:literal}\n'a'", "'a' -- b\n ${title:literal}", "${title:literal}\n${title:literal}"]
    {
        assert!(fault(&format!("SELECT {text}")).contains("join them with `||`"), "{text}");
    }
    assert_eq!(faults("SELECT ${title:literal} || '' || ${title:literal}, ${title:literal}"), [""; 0]);
}

#[test]
fn everything_that_is_missing_or_unfit_is_told_at_once_and_never_shown() {
    let text = "SELECT ${count}, ${title:literal}, ${schema:identifier}, ${title:literal}, ${title}";
    let shown = |values: Placeholders| -> Vec<String> {
        let errors = Template::of(text, &NAMES).render(&values).expect_err("values are wrong");
        errors.iter().map(|error| format!("{}: {error}", error.offset())).collect()
    };
    let missing = shown(Placeholders::new());
    assert_eq!(missing.len(), 3);
    assert_eq!(missing[1], "17: there is no value for the placeholder `title`");
    let unfit = shown(Placeholders::new().set("count", "-1").set("title", "sec\0ret").set("schema", ""));
    assert_eq!(unfit.len(), 4, "one name may be wrong in two ways: {unfit:?}");
    assert!(unfit[0].contains("write `${count:identifier}` or `${count:literal}` to have it quoted"));
    assert!(unfit[1].contains("holds NUL") && unfit[2].contains("is empty"));
    assert!(!unfit.join("").contains("sec"));
    let long = shown(Placeholders::new().set("count", "1").set("title", "a").set("schema", "é".repeat(32)));
    assert!(long.len() == 1 && long[0].contains("longer than 63 bytes"));
}

#[test]
fn r47_values_are_not_shown() {
    let values = Placeholders::new().set("title", "hunter2");
    assert_eq!(format!("{values:?}"), "Placeholders {\"title\"}");
    let rendered = Template::of("SELECT ${title:literal}", &NAMES).render(&values).expect("it is fit");
    assert!(rendered.text().contains("hunter2") && !format!("{rendered:?}").contains("hunter2"));
}

#[test]
fn an_offset_leads_back_to_the_template() {
    let text = "SELECT ${count} +\n ${title:literal} + x";
    let rendered = Template::of(text, &NAMES).render(&values()).expect("every value is fit");
    let back = |piece: &str| rendered.template_offset(rendered.text().find(piece).expect("is there"));
    assert_eq!(&text[back("SELECT")..][..6], "SELECT");
    assert_eq!(back("2"), text.find("${count}").expect("is there"));
    assert_eq!(back("s \\"), text.find("${title").expect("is there"));
    assert_eq!(back("+ x"), text.find("+ x").expect("is there"));
    assert_eq!(rendered.template_offset(rendered.text().len()), text.len());
}
