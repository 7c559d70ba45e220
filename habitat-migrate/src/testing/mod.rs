//! Throw-away PostgreSQL servers for examples and tests.
