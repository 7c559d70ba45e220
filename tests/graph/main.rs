//! A catalog as a picture: the same one each time, and one that reads well.

#[path = "../support/mod.rs"]
mod support;

use habitat_migrate::graph::{Detail, Graph};
use habitat_migrate::{Catalog, Loader, MigrationId, Migrator, Scripts, Version};
use support::{catalog, database};

fn habitat() -> Catalog {
    Catalog::from_directory("migrations/habitat").unwrap_or_else(|problems| panic!("{}", problems.render()))
}

/// Compares with what is kept; `HABITAT_BLESS=1` keeps what is there now, to be looked at.
fn is_kept(name: &str, text: &str) {
    let path = format!("tests/graph/kept/{name}");
    if std::env::var_os("HABITAT_BLESS").is_some() {
        std::fs::create_dir_all("tests/graph/kept").expect("a folder");
        std::fs::write(&path, text).expect("a file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == kept, "{path} is another picture now: look at it, and run with HABITAT_BLESS=1");
}

#[test]
fn habitats_catalog_is_drawn_in_every_notation_as_it_is_kept() {
    let graph = Graph::of(&habitat());
    is_kept("habitat.svg", &graph.to_svg());
    is_kept("habitat.mmd", &graph.to_mermaid());
    is_kept("habitat.dot", &graph.to_dot());
    is_kept("habitat.txt", &graph.to_string());
    let graph = graph.detail(Detail::Contexts);
    is_kept("contexts.svg", &graph.to_svg());
    is_kept("contexts.mmd", &graph.to_mermaid());
    is_kept("contexts.dot", &graph.to_dot());
    is_kept("contexts.txt", &graph.to_string());
}

/// Habitat up to the policies of its members, on a server.
fn halfway() -> (Catalog, habitat_migrate::Status) {
    let database = database();
    let mut client = database.connect().expect("a connection");
    let catalog = habitat();
    let target = MigrationId::new("people", Version::new("06_people_policies"));
    Migrator::new(catalog.clone()).target(target).migrate(&mut client).expect("half of it");
    let status = Migrator::new(catalog.clone()).status(&mut client).expect("a status");
    (catalog, status)
}

#[test]
fn what_a_database_has_is_told_from_what_is_pending() {
    let (catalog, status) = halfway();
    let graph = Graph::of(&catalog).with_status(&status);
    let text = graph.to_string();
    for line in ["│  ✓  │   people:06_people_policies", "○──┤  │   treasury:02_treasury_migrations"]
    {
        assert!(text.contains(line), "{text}");
    }
    assert!(text.ends_with("○ 4 pending, ✓ 2 applied, · 1 elsewhere\n"), "{text}");
    assert!(!text.contains('…') && text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let svg = graph.to_svg();
    assert_eq!(svg.matches("<g class=\"applied\"><title>").count(), 2, "{svg}");
    assert_eq!(svg.matches("<g class=\"pending\"><title>").count(), 4);
    assert_eq!(svg.matches("<g class=\"aside\"><title>").count(), 1);
    assert!(svg.contains("0 of 3 applied"));
    assert!(graph.to_mermaid().contains("[\"✓ 06_people_policies\"]:::applied"));
    assert!(graph.to_dot().contains("label=\"06_people_policies\\napplied\""));
    assert!(graph.detail(Detail::Contexts).to_string().contains("people      2 of 2 applied"));
    if let Some(folder) = std::env::var_os("HABITAT_PICTURES") {
        let graph = Graph::of(&catalog).with_status(&status);
        std::fs::write(std::path::Path::new(&folder).join("halfway.svg"), graph.to_svg()).unwrap();
    }
}

#[test]
fn what_the_database_alone_has_is_drawn_below_its_context() {
    let database = database();
    let mut client = database.connect().expect("a connection");
    let both = catalog("shop", [("01_items.sql", "SELECT 1;\n"), ("02_orders.sql", "SELECT 2;\n")]);
    Migrator::new(both).migrate(&mut client).expect("applied");
    let older = catalog("shop", [("01_items.sql", "SELECT 3;\n")]);
    let status = Migrator::new(older.clone()).status(&mut client).expect("a status");
    let graph = Graph::of(&older).with_status(&status);
    assert!(graph.to_string().contains("! shop:01_items  changed"), "{graph}");
    assert!(graph.to_string().contains("· shop:02_orders  newer"), "{graph}");
    assert!(graph.to_svg().contains("<g class=\"trouble\"><title>shop:01_items: "));
}

#[test]
fn what_another_program_has_is_drawn_where_it_is_required() {
    let scripts = Scripts::new(
        "shop",
        [(
            "01_orders.sql",
            "-- habitat: requires people:04_core\nCREATE TABLE orders (id int PRIMARY KEY);\n",
        )],
    );
    let catalog = Loader::new().source(scripts).external("people").load();
    let graph = Graph::of(&catalog.unwrap_or_else(|problems| panic!("{}", problems.render())));
    assert!(graph.to_string().contains("people:04_core"), "{graph}");
    assert!(graph.to_svg().contains("people:04_core: another program&#39;s (external)"));
}

#[test]
fn names_that_mean_something_to_a_notation_stay_names() {
    let description = "-- habitat: description a < b & \"c\" </title><script>alert(1)</script>\nSELECT 1;\n";
    let catalog = catalog("shop", [("01_items.sql", description)]);
    let graph = Graph::of(&catalog);
    let svg = graph.to_svg();
    assert!(!svg.contains("<script") && svg.contains("a &lt; b &amp; &quot;c&quot;"), "{svg}");
    assert!(graph.to_dot().contains("tooltip=\"a < b & \\\"c\\\" </title>"));
}

#[test]
fn no_line_passes_over_a_box() {
    let crossing = |n: usize| {
        let requires = match n {
            3 => "-- habitat: requires a:01_x, b:01_x, c:02_x\n",
            2 => "-- habitat: requires a:01_x\n",
            _ => "",
        };
        format!("{requires}SELECT {n};\n")
    };
    let loader = ["a", "b", "c", "d"].map(|context| {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join(context);
        std::fs::create_dir(&inner).expect("a folder");
        (folder, inner)
    });
    let root = tempfile::tempdir().expect("a folder");
    for (_, inner) in &loader {
        let name = inner.file_name().expect("a name");
        std::fs::create_dir(root.path().join(name)).expect("a folder");
        let count = if name == "d" { 3 } else { 2 };
        for n in 1..=count {
            let own = name != "a" || n != 2;
            let text = if own { crossing(n) } else { "SELECT 2;\n".to_owned() };
            std::fs::write(root.path().join(name).join(format!("0{n}_x.sql")), text).expect("a file");
        }
    }
    let catalog = Catalog::from_directory(root.path()).unwrap_or_else(|p| panic!("{}", p.render()));
    let svg = Graph::of(&catalog).to_svg();
    let number = |text: &str, key: &str| -> f32 {
        let rest = text.split_once(&format!(" {key}=\"")).expect(key).1;
        rest.split_once('"').expect("a quote").0.parse().expect("a number")
    };
    let boxes: Vec<[f32; 4]> = svg
        .split("<rect class=\"box\"")
        .skip(1)
        .map(|rest| ["x", "y", "width", "height"].map(|key| number(rest, key)))
        .collect();
    assert_eq!(boxes.len(), 9);
    let mut seen = 0;
    for path in svg.split("<path class=\"line hue").skip(1) {
        let d = path.split_once(" d=\"").expect("a path").1.split_once('"').expect("a quote").0;
        let places: Vec<f32> = d
            .split(['M', 'L', 'Q', ' '])
            .filter(|s| !s.is_empty())
            .map(|s| s.parse().expect("a number"))
            .collect();
        let places: Vec<(f32, f32)> = places.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        for pair in places.windows(2) {
            for step in 0..=50 {
                let part = step as f32 / 50.0;
                let (x, y) =
                    (pair[0].0 + (pair[1].0 - pair[0].0) * part, pair[0].1 + (pair[1].1 - pair[0].1) * part);
                let inside = |b: &&[f32; 4]| {
                    x > b[0] + 1.0 && x < b[0] + b[2] - 1.0 && y > b[1] + 1.0 && y < b[1] + b[3] - 1.0
                };
                assert!(!boxes.iter().any(|b| inside(&b)), "{x},{y} of {d} is within a box");
                seen += 1;
            }
        }
    }
    assert!(seen > 1000, "{seen}");
}

#[test]
fn thousands_of_migrations_are_drawn_at_once() {
    let catalog = support::numbered(5000);
    let start = std::time::Instant::now();
    let graph = Graph::of(&catalog);
    assert!(graph.to_svg().len() > 100_000 && graph.to_string().lines().count() == 5000);
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
}
