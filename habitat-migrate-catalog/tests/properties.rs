//! What holds for any text and any file, found out by trying many.

use habitat_migrate_catalog::{
    Catalog, Checksum, Excerpt, Layout, Loader, Location, Problems, Scripts, Source, SourceFile, Version,
    normalise, statements,
};
use proptest::prelude::*;
use std::borrow::Cow;

/// A source that holds one folder of arbitrary files.
#[derive(Debug)]
struct Files(Vec<(String, Vec<u8>)>);

impl Source for Files {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("any")
    }

    fn files(&self) -> Result<Vec<SourceFile>, Problems> {
        Ok(self.0.iter().map(|(path, bytes)| SourceFile::new(path, bytes.clone())).collect())
    }
}

/// Pieces of SQL that mean something to the splitter, in any order.
fn sql() -> impl Strategy<Value = String> {
    let pieces = [
        "'",
        "''",
        "E'",
        "e'\\'",
        "U&'",
        "U&\"",
        "\"",
        "$$",
        "$a$",
        "$1",
        "a$$b",
        "--",
        "-- c\n",
        "/*",
        "*/",
        "\\",
        ";",
        "(",
        ")",
        "[",
        "]",
        ":",
        "::",
        ":a",
        ":'a'",
        "BEGIN",
        " ATOMIC ",
        " END",
        "CREATE FUNCTION f() ",
        "OR REPLACE ",
        "COPY t FROM STDIN",
        "\\.",
        "\n",
        "\r\n",
        "\r",
        "\t",
        " ",
        "\u{feff}",
        "é",
        "SELECT 1",
        "COMMIT",
        "VACUUM ",
        "ALTER TYPE t ADD VALUE 'x'",
        "'x'",
        "-- habitat: requires a:1_b\n",
        "-- habitat: ",
        "-- no-transaction\n",
        "-- habitat: placeholders a, b\n",
        "-- habitat: replaces 0_a, 1_a\n",
        "-- habitat: verify-as c\n",
        "${a}",
        "${a:literal}",
        "${b:identifier}",
        "${",
        "DO ",
        "CREATE INDEX CONCURRENTLY ",
        "REINDEX (",
        "JSON_OBJECT(",
        "\u{0}",
        "\n-- migrate:up",
        "\n-- migrate:down\n",
        " transaction:false\n",
        "\n-- +goose Up\n",
        "\n-- +goose Down\n",
        "\n-- +goose StatementBegin\n",
        "\n-- +goose StatementEnd\n",
        "-- +goose NO TRANSACTION\n",
        "-- +goose é\r",
        "${a}",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

/// Any text, and text that looks like SQL more often.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => sql(), 1 => any::<String>()]
}

fn name() -> impl Strategy<Value = String> {
    let parts = [
        "0", "1", "12", "_", "__", "a", "-", ".", "down", "up", ".verify", "R", "V", "U", "é", " ", ".sql",
        ".SQL", "/", "1_a/", "V1__", "1_", ".up", ".down",
    ];
    let endings = [".sql", ".sql", ".sql", ".sql.conf", ".rs", ".go", "/metadata.toml"];
    let parts = prop::collection::vec(prop::sample::select(parts.to_vec()), 0..8);
    (parts, prop::sample::select(endings.to_vec())).prop_map(|(parts, ending)| parts.concat() + ending)
}

/// Any layout, or none, so that it is recognised.
fn layout() -> impl Strategy<Value = Option<Layout>> {
    prop::sample::select(vec![
        None,
        Some(Layout::Habitat),
        Some(Layout::Sqlx),
        Some(Layout::GolangMigrate),
        Some(Layout::Refinery),
        Some(Layout::Flyway),
        Some(Layout::Diesel),
        Some(Layout::Dbmate),
        Some(Layout::Goose),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn r17_statements_give_back_the_script(text in text()) {
        match statements(&text) {
            Ok(statements) => {
                let joined: String = statements.iter().map(|statement| &text[statement.range()]).collect();
                prop_assert_eq!(&joined, &text);
                for statement in &statements {
                    let (range, code) = (statement.range(), statement.code());
                    prop_assert!(range.start <= code.start && code.end <= range.end);
                    prop_assert!(!range.is_empty());
                    prop_assert_eq!(statement.is_empty(), text[code].is_empty());
                }
            }
            Err(error) => {
                prop_assert!(text.is_char_boundary(error.offset()) && error.offset() < text.len());
            }
        }
    }

    #[test]
    fn r17_a_statement_cut_out_is_one_statement(text in text()) {
        let Ok(statements) = statements(&text) else { return Ok(()) };
        for statement in statements.iter().filter(|statement| !statement.is_empty()) {
            let code = &text[statement.code()];
            // A byte order mark is white space at the beginning of a text only.
            if code.starts_with('\u{feff}') {
                continue;
            }
            let again = habitat_migrate_catalog::statements(code).expect("it was complete before");
            prop_assert_eq!(again.len(), 1, "{:?}", code);
        }
    }

    #[test]
    fn nothing_makes_the_loader_panic(
        names in prop::collection::vec(name(), 1..5),
        texts in prop::collection::vec(text(), 5),
        layout in layout(),
    ) {
        let files = names.into_iter().zip(texts).map(|(name, text)| (name, text.into_bytes())).collect();
        let loader = Loader::new().source(Files(files));
        let loaded = match layout {
            Some(layout) => loader.layout(layout).load(),
            None => loader.load(),
        };
        if let Err(problems) = loaded {
            prop_assert!(!problems.render().is_empty());
        }
    }

    #[test]
    fn a_set_of_our_own_names_is_never_taken_for_anothers(
        names in prop::collection::vec("([a-c]/)?([0-9]{1,2}_|R__)[a-cVU_-]{1,3}([.](down|verify))?[.]sql", 1..5),
        texts in prop::collection::vec(text(), 5),
    ) {
        // A script of ours does not speak to dbmate or goose.
        let silent = |text: String| text.replace("migrate:", "").replace("+goose", "");
        let files: Vec<_> = names.into_iter().zip(texts).map(|(name, text)| (name, silent(text).into_bytes())).collect();
        let shown = |loader: Loader<'_>| match loader.load() {
            Ok(catalog) => format!("{:?}", catalog.migrations()),
            Err(problems) => problems.render(),
        };
        let recognised = shown(Loader::new().source(Files(files.clone())));
        prop_assert_eq!(recognised, shown(Loader::new().source(Files(files)).layout(Layout::Habitat)));
    }

    #[test]
    fn sections_keep_the_lines_of_their_file(up in sql(), down in sql(), goose in any::<bool>()) {
        let (first, second, layout) = match goose {
            true => ("-- +goose Up\n", "\n-- +goose Down\n", Layout::Goose),
            false => ("-- migrate:up\n", "\n-- migrate:down\n", Layout::Dbmate),
        };
        let text = format!("{first}{up}{second}{down}");
        let files = Files(vec![("1_a.sql".to_owned(), text.clone().into_bytes())]);
        let Ok(catalog) = Loader::new().source(files).layout(layout).load() else { return Ok(()) };
        let lines = |text: &str| text.split(['\n', '\r']).map(str::to_owned).collect::<Vec<_>>();
        let whole = lines(&text);
        let migration = &catalog.migrations()[0];
        let section = Some(migration.script()).into_iter().chain(migration.down());
        for script in section {
            for (line, of_file) in lines(script).iter().zip(&whole) {
                let replaced = line.trim().is_empty() || line == "-- no-transaction" || line.trim() == ";";
                // A `BEGIN` around the whole is taken out where it stands.
                let blanked = line.len() == of_file.len()
                    && line.bytes().zip(of_file.bytes()).all(|(byte, of_file)| byte == of_file || byte == b' ');
                prop_assert!(replaced || blanked, "{line:?} is not {of_file:?}");
            }
        }
        prop_assert!(migration.down().is_none_or(|down| lines(down).len() == whole.len()));
    }

    #[test]
    fn r42_flyways_versions_order_part_by_part(a in prop::collection::vec(0_u64.., 1..4), b in prop::collection::vec(0_u64.., 1..4)) {
        let version = |parts: &[u64]| {
            let parts: Vec<String> = parts.iter().map(u64::to_string).collect();
            Version::new(format!("{}_a", parts.join(".")))
        };
        let filled = |parts: &[u64]| [0, 1, 2].map(|at| parts.get(at).copied().unwrap_or(0));
        if filled(&a) != filled(&b) {
            prop_assert_eq!(version(&a).cmp(&version(&b)), filled(&a).cmp(&filled(&b)));
        }
    }

    #[test]
    fn no_bytes_make_the_loader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), name in any::<String>()) {
        let files = Files(vec![("1_a.sql".to_owned(), bytes.clone()), (name, bytes)]);
        if let Err(problems) = Catalog::load(files) {
            prop_assert!(!problems.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_catalog_that_loads_keeps_its_scripts(text in sql()) {
        let scripts = Scripts::new("a", [("1_a.sql", text.clone())]);
        if let Ok(catalog) = Loader::new().source(scripts).layout(Layout::Habitat).load() {
            prop_assert_eq!(catalog.migrations()[0].script(), &text);
            prop_assert_eq!(catalog.migrations()[0].checksum(), Checksum::of(&text));
        }
    }

    #[test]
    fn r37_variants_of_a_file_share_a_checksum(lines in prop::collection::vec("[^\r\n\u{feff}]*", 1..8)) {
        let unix = lines.join("\n");
        let checksum = Checksum::of(&unix);
        for ends in ["\r\n", "\r"] {
            prop_assert_eq!(Checksum::of(&lines.join(ends)), checksum);
        }
        prop_assert_eq!(Checksum::of(&format!("\u{feff}{unix}")), checksum);
        prop_assert_eq!(Checksum::of(&format!("{unix}\n")), checksum);
        prop_assert_eq!(Checksum::of(&format!("{unix}\r\n")), checksum);
    }

    #[test]
    fn r37_a_newline_that_moves_code_changes_the_checksum(before in "[a-z ]{0,9}", after in "[a-z]{1,9}") {
        let commented = Checksum::of(&format!("-- {before}{after};"));
        let running = Checksum::of(&format!("-- {before}\n{after};"));
        prop_assert_ne!(commented, running);
    }

    #[test]
    fn r37_what_is_sent_has_the_checksum_of_the_file(text in text()) {
        let sent = normalise(&text);
        prop_assert!(!sent.contains('\r'));
        prop_assert_eq!(Checksum::of(&sent), Checksum::of(&text));
        prop_assert_eq!(normalise(&sent), sent.as_ref().strip_prefix('\u{feff}').unwrap_or(&sent));
    }

    #[test]
    fn r42_versions_order_by_number(a in 0_u128.., b in 0_u128.., zeros in 0_usize..4) {
        let one = Version::new(format!("{}{a}_z", "0".repeat(zeros)));
        let other = Version::new(format!("{b}_a"));
        if a != b {
            prop_assert_eq!(one.cmp(&other), a.cmp(&b));
        }
        prop_assert_eq!(one.number(), a.to_string());
    }

    #[test]
    fn r42_the_order_of_versions_is_total(names in prop::collection::vec("[0-9]{0,2}([.][0-9]{1,2}){0,2}[_a-b]{0,2}", 3)) {
        let [a, b, c] = [0, 1, 2].map(|at| Version::new(names[at].clone()));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b).is_eq(), a == b);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }

    #[test]
    fn any_place_can_be_shown(text in any::<String>(), offset in 0_usize..300) {
        let excerpt = Excerpt::at(&text, offset);
        prop_assert_eq!(excerpt.location(), Location::at(&text, offset));
        prop_assert!(!excerpt.line().chars().any(char::is_control));
    }
}
