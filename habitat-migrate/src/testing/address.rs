//! Connection strings: how a Unix socket's folder stands in one, and how to name another database in one.

/// A URI that libpq, tokio-postgres and sqlx read alike. A folder as the host must have its slashes escaped.
pub(super) fn url(host: &str, port: u16, user: &str, database: &str) -> String {
    format!("postgresql://{}@{}:{port}/{}", escape(user), escape(host), escape(database))
}

/// `address`, a URI or a list of `key=value`, with another database.
pub(super) fn with_database(address: &str, database: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        // The last mention of a key counts.
        return format!("{address} dbname={database}");
    };
    let (before, query) = match rest.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (rest, None),
    };
    let authority = before.split_once('/').map_or(before, |(authority, _)| authority);
    let parameters = query.into_iter().flat_map(|query| query.split('&'));
    let mut url = format!("{scheme}://{authority}/{}", escape(database));
    let mut separator = '?';
    parameters.filter(|parameter| !parameter.starts_with("dbname=")).for_each(|parameter| {
        url.push(separator);
        url.push_str(parameter);
        separator = '&';
    });
    url
}

/// `address` with a session that acts as `role`.
pub(super) fn with_role(address: &str, role: &str) -> String {
    let option = role_option(role);
    if !address.contains("://") {
        let value = option.replace('\\', "\\\\").replace('\'', "\\'");
        return format!("{address} options='{value}'");
    }
    let separator = if address.contains('?') { '&' } else { '?' };
    format!("{address}{separator}options={}", escape(&option))
}

/// A command-line option for the session, in which a space and a backslash have to be escaped.
pub(super) fn role_option(role: &str) -> String {
    let mut escaped = String::from("-c role=");
    for character in role.chars() {
        if character.is_whitespace() || character == '\\' {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// For a person to paste into a shell, between single quotes; the password is asked for.
pub(super) fn without_password(config: &tokio_postgres::Config, database: &str) -> String {
    use tokio_postgres::config::Host;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(folder)) => super::data::text(folder),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    url(&host, port, config.get_user().unwrap_or("postgres"), database)
}

pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use postgres::config::Host;

    #[test]
    fn a_socket_folder_is_read_back_by_the_driver() {
        let url = url("/dev/shm/a b", 5433, "postgres", "é");
        assert_eq!(url, "postgresql://postgres@%2Fdev%2Fshm%2Fa%20b:5433/%C3%A9");
        let config: postgres::Config = url.parse().unwrap();
        assert_eq!(config.get_hosts(), [Host::Unix("/dev/shm/a b".into())]);
        assert_eq!(config.get_ports(), [5433]);
        assert_eq!(config.get_dbname(), Some("é"));
    }

    #[test]
    fn a_role_of_any_name_gets_into_the_session() {
        for address in ["postgres://u@h/db", "postgres://u@h/db?sslmode=disable", "host=h user=u"] {
            let config: tokio_postgres::Config = with_role(address, r"o'b \x &?%").parse().unwrap();
            assert_eq!(config.get_options(), Some(r"-c role=o'b\ \\x\ &?%"), "{address}");
        }
    }

    #[test]
    fn what_is_shown_has_no_password_and_no_quote() {
        let config: tokio_postgres::Config = "postgres://o'b:secret@h:1/db".parse().unwrap();
        assert_eq!(without_password(&config, "d"), "postgresql://o%27b@h:1/d");
    }

    #[test]
    fn another_database_keeps_the_rest_of_the_address() {
        for (address, expected) in [
            ("postgres://u:p@h:1/db", "postgres://u:p@h:1/other"),
            ("postgres://u@h", "postgres://u@h/other"),
            ("postgres://h/?sslmode=disable&dbname=x&user=u", "postgres://h/other?sslmode=disable&user=u"),
            ("postgres://u@h?host=/tmp", "postgres://u@h/other?host=/tmp"),
            ("host=/tmp user=u dbname=db", "host=/tmp user=u dbname=db dbname=other"),
        ] {
            assert_eq!(with_database(address, "other"), expected);
            let config: postgres::Config = with_database(address, "other").parse().unwrap();
            assert_eq!(config.get_dbname(), Some("other"));
        }
    }
}
