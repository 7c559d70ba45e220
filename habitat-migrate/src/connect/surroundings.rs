//! What libpq reads besides the connection string: `PG*` variables, `pg_service.conf` and `.pgpass`.

use std::path::{Path, PathBuf};

use super::error::ConnectError;
use super::params::Params;

/// Fills in what the string does not say: first from the service's file, then from variables, then from libpq's
/// defaults; last the password from the password file.
///
/// <https://www.postgresql.org/docs/current/libpq-envars.html>
pub(super) fn complete(
    text: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Params, ConnectError> {
    let mut params = match text {
        Some(text) => Params::parse_with_files(text)?,
        None => Params::default(),
    };
    let file = |key: &str, name: &str| params.file(key).map(str::to_owned).or_else(|| variable(name));
    let passfile = file("passfile", "PGPASSFILE");
    let (service, services) = (file("service", "PGSERVICE"), file("servicefile", "PGSERVICEFILE"));
    let home = variable("HOME").map(PathBuf::from);
    let named = text.is_some() || service.is_some() || NAMING.iter().any(|name| variable(name).is_some());
    if !named {
        return Err(ConnectError::invalid("no database is named"));
    }
    if let Some(service) = service {
        read_service(&mut params, &service, services.as_deref(), home.as_deref(), variable)?;
    }
    for (name, key) in VARIABLES {
        if let (None, Some(value)) = (params.given(key), variable(name)) {
            params.fill(key, value)?;
        }
    }
    if params.get("host").is_none() && params.get("hostaddr").is_none() {
        let host = SOCKETS.iter().find(|folder| Path::new(folder).is_dir()).unwrap_or(&"localhost");
        params.fill("host", (*host).to_owned())?;
    }
    if params.get("user").is_none() {
        if let Some(user) = variable("USER").or_else(|| variable("LOGNAME")) {
            params.fill("user", user)?;
        }
    }
    if params.password().is_none() {
        let path = passfile.map(PathBuf::from).or_else(|| home.map(|home| home.join(".pgpass")));
        if let Some(password) = path.and_then(|path| password(&path, &params)) {
            params.fill("password", password)?;
        }
    }
    Ok(params)
}

/// <https://www.postgresql.org/docs/current/libpq-pgservice.html>
fn read_service(
    params: &mut Params,
    service: &str,
    file: Option<&str>,
    home: Option<&Path>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<(), ConnectError> {
    let own = file.map(PathBuf::from).or_else(|| home.map(|home| home.join(".pg_service.conf")));
    let system =
        variable("PGSYSCONFDIR").map_or_else(|| PathBuf::from("/etc/postgresql-common"), PathBuf::from);
    for path in own.into_iter().chain([system.join("pg_service.conf")]) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let mut inside = false;
        let mut found = false;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                inside = name == service;
                found |= inside;
                continue;
            }
            if !inside {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                let path = path.display();
                return Err(ConnectError::invalid(format!(
                    "a line of service {service:?} in {path} has no `=`"
                )));
            };
            if params.given(key.trim()).is_none() {
                params.fill(key.trim(), value.trim().to_owned())?;
            }
        }
        if found {
            return Ok(());
        }
    }
    Err(ConnectError::invalid(format!("no service file has the service {service:?}")))
}

/// The password of the first line that fits. A file that others may read is ignored, as libpq does.
///
/// <https://www.postgresql.org/docs/current/libpq-pgpass.html>
fn password(path: &Path, params: &Params) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let about = std::fs::metadata(path).ok()?;
        if !about.is_file() || about.mode() & 0o077 != 0 {
            return None;
        }
    }
    let text = std::fs::read_to_string(path).ok()?;
    let first = |key: &str| params.get(key).map(|list| list.split(',').next().unwrap_or_default());
    let host = first("host").or(first("hostaddr")).unwrap_or_default();
    // A server behind libpq's default socket is `localhost`.
    let host = if SOCKETS.contains(&host) { "localhost" } else { host };
    let port = first("port").filter(|port| !port.is_empty()).unwrap_or("5432");
    let user = params.get("user").unwrap_or_default();
    let database = params.get("dbname").unwrap_or(user);
    let wanted = [host, port, database, user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields = fields(line);
        let [patterns @ .., password] = fields.as_slice() else { return None };
        let fits = patterns.len() == wanted.len()
            && patterns.iter().zip(wanted).all(|(pattern, value)| pattern == "*" || pattern == value);
        fits.then(|| password.clone())
    })
}

/// The fields of a line, at most five: `\:` and `\\` stand for themselves.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        if let Some(field) = fields.last_mut() {
            field.push(c);
        }
    }
    fields
}

/// The variables that say which database is meant.
const NAMING: [&str; 5] = ["PGHOST", "PGHOSTADDR", "PGDATABASE", "PGPORT", "PGUSER"];

/// Where libpq looks for a server that nobody names: Debian's folder, and the one of PostgreSQL itself.
const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// libpq's variables, and the parameters that they give a value.
pub(super) const VARIABLES: [(&str, &str); 20] = [
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGPORT", "port"),
    ("PGDATABASE", "dbname"),
    ("PGUSER", "user"),
    ("PGPASSWORD", "password"),
    ("PGOPTIONS", "options"),
    ("PGAPPNAME", "application_name"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGSSLSNI", "sslsni"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGCLIENTENCODING", "client_encoding"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGGSSENCMODE", "gssencmode"),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::complete;
    use crate::connect::params::Params;

    fn completed(text: Option<&str>, variables: &[(&str, &str)]) -> Result<Params, String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        complete(text, &find).map_err(|error| error.to_string())
    }

    #[cfg(unix)]
    fn secret(path: &Path, text: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(path, text).expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    #[test]
    fn variables_fill_in_what_the_string_does_not_say() {
        let variables = [("PGHOST", "db"), ("PGUSER", "other"), ("PGPORT", "6432"), ("PGPASSWORD", "geheim")];
        let params = completed(Some("user=app dbname=shop"), &variables).expect("parameters");
        let values = ["host", "user", "port", "dbname"].map(|key| params.get(key));
        assert_eq!(values, [Some("db"), Some("app"), Some("6432"), Some("shop")]);
        assert_eq!(params.password(), Some(b"geheim".as_slice()));
    }

    #[test]
    fn nothing_named_is_an_error_and_not_somebody_s_database() {
        assert_eq!(
            completed(None, &[("HOME", "/root")]).err().as_deref(),
            Some("invalid connection string: no database is named")
        );
    }

    #[cfg(unix)]
    #[test]
    fn the_password_file_s_first_line_that_fits_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pass");
        let text = "# c\ndb:5432:other:app:no\n*:*:shop:app:pa\\:ss\\\\w:ord\n*:*:*:*:late\n";
        secret(&path, text, 0o600);
        let variables = [("PGPASSFILE", path.to_str().expect("UTF-8"))];
        let params = completed(Some("host=db user=app dbname=shop"), &variables).expect("parameters");
        assert_eq!(params.password(), Some(b"pa:ss\\w:ord".as_slice()));
        secret(&path, text, 0o644);
        let params = completed(Some("host=db user=app dbname=shop"), &variables).expect("parameters");
        assert_eq!(params.password(), None, "others may read it");
    }

    #[test]
    fn a_service_comes_before_variables_and_behind_the_string() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("services");
        fs::write(&path, "[shop]\nhost=db\nuser=app\nport=6432\n[other]\nhost=no\n").expect("a file");
        let path = path.to_str().expect("UTF-8");
        let variables =
            [("PGSERVICE", "shop"), ("PGSERVICEFILE", path), ("PGUSER", "x"), ("PGDATABASE", "d")];
        let params = completed(Some("port=7000"), &variables).expect("parameters");
        let values = ["host", "user", "port", "dbname"].map(|key| params.get(key));
        assert_eq!(values, [Some("db"), Some("app"), Some("7000"), Some("d")]);
        let lacking = completed(None, &[("PGSERVICE", "shap"), ("PGSERVICEFILE", path)]).err();
        assert_eq!(
            lacking.as_deref(),
            Some("invalid connection string: no service file has the service \"shap\"")
        );
    }
}
