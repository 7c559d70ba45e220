//! How long a crate that embeds migrations takes to compile, its dependencies built before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Result;
use crate::measure::Samples;
use crate::scripts::{self, Script};
use crate::table::{Table, milliseconds, ratio, thousands};

/// One migration shows what the build takes anyhow.
const COUNTS: [usize; 3] = [1, 1_000, 5_000];

const ROUNDS: usize = 3;

/// A library with a macro that embeds a folder.
struct Candidate {
    name: &'static str,
    /// Its entry in a manifest; `{root}` is the workspace.
    dependency: &'static str,
    program: &'static str,
}

/// The first is compared with the others.
const CANDIDATES: &[Candidate] = &[
    Candidate {
        name: "habitat_migrate::migrate!",
        dependency: r#"habitat-migrate = { path = "{root}/habitat-migrate" }"#,
        program: "fn main() {
    println!(\"{}\", habitat_migrate::migrate!(\"./migrations\").migrations().len());
}
",
    },
    Candidate {
        name: "sqlx::migrate!",
        dependency: r#"sqlx = { version = "0.9", default-features = false, features = ["runtime-tokio", "postgres", "migrate", "macros"] }"#,
        program: "static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!(\"./migrations\");

fn main() {
    println!(\"{}\", MIGRATIONS.iter().count());
}
",
    },
];

/// Measures every candidate with every count, in turns; the table as Markdown.
pub(crate) fn run() -> Result<String> {
    let folder = tempfile::tempdir()?;
    let mut table = Table::new(
        std::iter::once("milliseconds of `cargo build`".to_owned())
            .chain(CANDIDATES.iter().map(|candidate| format!("`{}`", candidate.name)))
            .chain(
                CANDIDATES.iter().skip(1).map(|candidate| format!("`{}`, times the first", candidate.name)),
            ),
    );
    for count in COUNTS {
        let crates: Vec<_> = CANDIDATES
            .iter()
            .map(|candidate| Crate::generate(candidate, &Script::first(count), folder.path()))
            .collect::<Result<_>>()?;
        for each in &crates {
            each.build()?;
        }
        let mut samples = vec![Samples::default(); crates.len()];
        for round in 0..ROUNDS {
            for at in (0..crates.len()).map(|at| (at + round) % crates.len()) {
                crates[at].touch(round)?;
                let took = crates[at].build()?;
                eprintln!("N = {count}, {}: {took:?}", CANDIDATES[at].name);
                samples[at].push(took);
            }
        }
        let medians: Vec<_> = samples.iter().map(Samples::median).collect();
        let first = medians.first().copied().unwrap_or_default();
        table.push(
            std::iter::once(format!("N = {}", thousands(u64::try_from(count)?)))
                .chain(medians.iter().map(|median| milliseconds(*median)))
                .chain(medians.iter().skip(1).map(|median| ratio(*median, first))),
        );
    }
    let note = "A debug build of the last crate only, after a change of its `main.rs`; medians of three.";
    Ok(format!("{note}\n\n{table}"))
}

/// A generated crate outside the workspace, which shares one target folder with its like.
struct Crate {
    root: PathBuf,
    program: &'static str,
    target: PathBuf,
}

impl Crate {
    fn generate(candidate: &Candidate, scripts: &[Script], folder: &Path) -> Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the workspace is a folder")?;
        let name = candidate.name.split("::").next().unwrap_or(candidate.name);
        let root = folder.join(format!("{name}_{}", scripts.len()));
        let dependency = candidate.dependency.replace("{root}", &workspace.display().to_string());
        let manifest = format!(
            "[package]\nname = \"embeds-{}-{name}\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n\n[workspace]\n",
            scripts.len()
        );
        fs::create_dir_all(root.join("src"))?;
        fs::write(root.join("Cargo.toml"), manifest)?;
        // The versions that the other benchmarks have.
        fs::copy(workspace.join("Cargo.lock"), root.join("Cargo.lock"))?;
        scripts::write(scripts, &root.join("migrations"))?;
        let executable = std::env::current_exe()?;
        let target =
            executable.ancestors().nth(2).ok_or("the executable is in a target folder")?.join("embed");
        let generated = Self { root, program: candidate.program, target };
        generated.touch(ROUNDS)?;
        Ok(generated)
    }

    /// Changes the program without changing what it does.
    fn touch(&self, round: usize) -> Result<()> {
        Ok(fs::write(self.root.join("src/main.rs"), format!("// Round {round}.\n{}", self.program))?)
    }

    fn build(&self) -> Result<Duration> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let start = Instant::now();
        let status = Command::new(cargo)
            .args(["build", "--quiet"])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", &self.target)
            .status()?;
        let took = start.elapsed();
        if status.success() {
            Ok(took)
        } else {
            Err(format!("cargo build failed in {}", self.root.display()).into())
        }
    }
}
