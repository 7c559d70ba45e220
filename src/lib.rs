//! Examples and integration tests of habitat-migrate live in this package; it has no library of its own.
