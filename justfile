# Every task that a person needs; `.ci/run` calls the same ones.

# Lists the tasks.
default:
    @just --list

# All tests; they start PostgreSQL themselves.
test:
    cargo test

# The same under nextest, a process for each test.
nextest:
    cargo nextest run

# The command line, as people and pipelines use it.
cli:
    cargo test -p habitat-migrate --features cli,testing --lib --test cli

# The command as it is given to people: its size, and how soon it tells the status of 5,000 migrations.
shipped:
    cargo build --profile dist -p habitat-migrate --features cli --bin habitat-migrate
    HABITAT_COMMAND={{justfile_directory()}}/target/dist/habitat-migrate cargo test -p habitat-migrate --features cli,testing --test cli -- --ignored --nocapture as_it_is_shipped

# Databases that other tools migrated are adopted; builds those tools.
adoption:
    cargo test -p habitat-adoption

# Format, clippy, documentation, the feature powerset, the dependency budget.
lint: fmt clippy docs powerset budget

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --all-targets -- -D warnings

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features -p habitat-migrate -p habitat-migrate-macros -p habitat-migrate-catalog

# Any two features together compile (needs cargo-hack).
powerset:
    cargo hack check --feature-powerset --depth 2 --exclude-features default -p habitat-migrate -p habitat-migrate-catalog

# At most ten crates on top of what tokio-postgres brings.
budget:
    .ci/budget

# What would be published.
package:
    cargo package --allow-dirty -p habitat-migrate-catalog -p habitat-migrate-macros -p habitat-migrate

# Side by side with the peers; writes docs/benchmarks.md.
bench *args:
    cargo run --release -p habitat-benches -- {{args}}

# A database for every test, side by side with the other ways; writes docs/benchmarks-testing.md. Without libpq, whose
# loading would be a part of what a process takes.
bench-testing *args:
    cargo run --release -p habitat-benches --no-default-features -- --testing {{args}}

# The first boot of 1,000 beside the same SQL by hand, on a disk and in memory.
bench-by-hand:
    cargo run --release -p habitat-benches --no-default-features -- --by-hand

# Compile times of embedding, side by side with sqlx.
bench-embed:
    cargo run --release -p habitat-benches -- --embed

# Habitat on a throw-away server, step by step.
quickstart:
    cargo run --example quickstart

# Phase C up, verified, down and up again on a throw-away server.
phase-c:
    cargo run --example phase_c

# Systems from nothing: provisioned, migrated, probed and audited on throw-away servers.
systems:
    cargo run --example go_labs
    cargo run --example cleaning_tracker
    cargo run --example beersystem
