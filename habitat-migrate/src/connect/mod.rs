//! Connections by URL: patient with a server that starts, exact about TLS.
