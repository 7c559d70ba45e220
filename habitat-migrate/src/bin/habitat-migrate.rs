//! Migrations of folders of SQL, from the command line. See [`habitat_migrate::cli`].

fn main() -> std::process::ExitCode {
    habitat_migrate::cli::stand_alone()
}
