//! A PostgreSQL proxy that counts round trips, adds latency and cuts connections.
