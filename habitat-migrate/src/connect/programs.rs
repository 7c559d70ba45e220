//! How libpq's programs are told to connect as a [`Connector`] does: [`Variables`].

use std::fmt;

use zeroize::Zeroizing;

use super::Connector;
use super::error::ConnectError;
use super::params::Params;
use super::settings::Place;
use super::surroundings::VARIABLES;

/// Environment variables of libpq, with the password among them. Its `Debug` shows none of them.
#[derive(Clone, Default)]
pub(crate) struct Variables(Vec<(&'static str, Zeroizing<String>)>);

impl Variables {
    /// What a connection string says, but for hosts and ports.
    pub(super) fn of(params: &Params) -> Self {
        let known = VARIABLES.into_iter().chain(MORE);
        let own = known.filter(|(_, key)| !["host", "hostaddr", "port", "password"].contains(key));
        let said = own.filter_map(|(name, key)| Some((name, Zeroizing::new(params.get(key)?.to_owned()))));
        Self(said.collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Gives a variable a value, in the place of the one before.
    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, Zeroizing::new(value.to_owned())));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Zeroizing<String>)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables(…)")
    }
}

impl Connector {
    /// Each host of the list by itself: a program has to reach the server that a client has looked at, and not another one of them.
    pub(crate) fn each_host(&self) -> Vec<Connector> {
        let alone = |endpoint: &super::settings::Endpoint| {
            let mut connector = self.clone();
            connector.settings.endpoints = vec![endpoint.clone()];
            connector
        };
        self.settings.endpoints.iter().map(alone).collect()
    }

    /// What makes libpq's programs connect as this does, to the first host of its list.
    pub(crate) fn variables(&self) -> Result<Variables, ConnectError> {
        let mut variables = self.settings.variables.clone();
        if let Some(endpoint) = self.settings.endpoints.first() {
            match &endpoint.place {
                Place::Unix(name) | Place::Name(name) => variables.set("PGHOST", name),
                Place::Address(address, name) => {
                    variables.set("PGHOSTADDR", &address.to_string());
                    if let Some(name) = name {
                        variables.set("PGHOST", name);
                    }
                }
            }
            variables.set("PGPORT", &endpoint.port.to_string());
        }
        let base = &self.settings.base;
        if let Some(database) = base.get_dbname() {
            variables.set("PGDATABASE", database);
        }
        if let Some(password) = base.get_password() {
            let password = std::str::from_utf8(password).map_err(|_| {
                ConnectError::invalid("the password is not UTF-8, which libpq's programs are not told")
            })?;
            variables.set("PGPASSWORD", password);
        }
        Ok(variables)
    }
}

/// What has a variable, and is not read from it.
const MORE: [(&str, &str); 3] = [
    ("PGSSLCERTMODE", "sslcertmode"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGSSLMAXPROTOCOLVERSION", "ssl_max_protocol_version"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_told_all_that_the_string_says() {
        let text = "host=a,b hostaddr=,10.0.0.2 port=1,2 user=app password='p w' dbname=shop \
                    sslmode=verify-full sslrootcert=/r.crt options='-c role=x' ssl_min_protocol_version=TLSv1.3";
        let connector = Connector::new(text).expect("a connection string");
        let hosts = connector.to_database("drill").each_host();
        let told: Vec<Variables> = hosts.iter().map(|host| host.variables().expect("variables")).collect();
        let both = |name| told.iter().map(|variables| variables.get(name)).collect::<Vec<_>>();
        assert_eq!(both("PGHOST"), [Some("a"), Some("b")]);
        assert_eq!(both("PGHOSTADDR"), [None, Some("10.0.0.2")]);
        assert_eq!(both("PGPORT"), [Some("1"), Some("2")]);
        assert_eq!(both("PGDATABASE"), [Some("drill"); 2]);
        for (name, value) in [
            ("PGUSER", "app"),
            ("PGPASSWORD", "p w"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/r.crt"),
            ("PGOPTIONS", "-c role=x"),
            ("PGSSLMINPROTOCOLVERSION", "TLSv1.3"),
        ] {
            assert_eq!(both(name), [Some(value); 2], "{name}");
        }
    }

    #[test]
    fn r47_variables_show_no_password() {
        let connector = Connector::new("host=a user=app password=hunter2").expect("a connection string");
        let variables = connector.variables().expect("variables");
        assert_eq!(variables.get("PGPASSWORD"), Some("hunter2"));
        assert_eq!(format!("{variables:?} {variables:#?}"), "Variables(…) Variables(…)");
        let odd = Connector::new("postgresql://app:hunter2%ff@a/x").expect("a connection string");
        let error = odd.variables().expect_err("no UTF-8");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}
