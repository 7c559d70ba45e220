//! The connection files that a declaration names, and the connections of its roles: [`ConnectionFile`], [`Endpoint`].

use std::path::{Path, PathBuf};

use super::access::AccessError;
use super::connection::{Connection, Connections};
use super::connection_file::ConnectionFormat;
use super::database::Database;
use super::declaration::Declaration;
use super::role::{Password as Source, Role};
use super::secret::Written;

/// Where programs reach a server, which a declaration does not know.
///
/// ```
/// use habitat_migrate::provision::Endpoint;
///
/// let endpoint = Endpoint::new("postgres-rw.postgres.svc.cluster.local").ssl_mode("require");
/// # let _ = endpoint;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    host: String,
    port: u16,
    ssl_mode: Option<String>,
    root_certificate: Option<String>,
}

impl Endpoint {
    /// A name, an address or the folder of a socket; port 5432.
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), port: 5432, ssl_mode: None, root_certificate: None }
    }

    /// The server's port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// How exact to be about TLS, in libpq's words. It counts more than what a connection file declares.
    #[must_use]
    pub fn ssl_mode(mut self, mode: impl Into<String>) -> Self {
        self.ssl_mode = Some(mode.into());
        self
    }

    /// The file of root certificates, or `system`.
    #[must_use]
    pub fn root_certificate(mut self, path: impl Into<String>) -> Self {
        self.root_certificate = Some(path.into());
        self
    }

    fn connection(
        &self,
        name: &str,
        database: &str,
        role: &Role,
        ssl_mode: Option<&String>,
    ) -> Result<Connection, AccessError> {
        let mut connection =
            Connection::new(name, self.host.clone(), database, role.name.clone()).port(self.port);
        if let Some(source) = &role.password {
            let about = |error: AccessError| error.about(&format!("no connection as {:?}", role.name));
            connection = connection.password(source.load().map_err(about)?);
        }
        if let Some(mode) = self.ssl_mode.as_ref().or(ssl_mode) {
            connection = connection.ssl_mode(mode.clone());
        }
        if let Some(path) = &self.root_certificate {
            connection = connection.root_certificate(path.clone());
        }
        Ok(connection)
    }
}

/// A file by which a service learns how to connect, as it is declared: which roles, by which names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionFile {
    pub(super) service: String,
    pub(super) path: PathBuf,
    pub(super) format: ConnectionFormat,
    pub(super) database: String,
    pub(super) schema: Option<String>,
    pub(super) ssl_mode: Option<String>,
    /// What each connection is called, and its role.
    pub(super) roles: Vec<(String, String)>,
}

impl ConnectionFile {
    /// A file without connections yet, for a service and the database that it uses.
    pub fn new(
        service: impl Into<String>,
        database: impl Into<String>,
        path: impl Into<PathBuf>,
        format: ConnectionFormat,
    ) -> Self {
        Self {
            service: service.into(),
            path: path.into(),
            format,
            database: database.into(),
            schema: None,
            ssl_mode: None,
            roles: Vec::new(),
        }
    }

    /// Adds the connection `name` as a declared role.
    #[must_use]
    pub fn with_role(mut self, name: impl Into<String>, role: impl Into<String>) -> Self {
        self.roles.push((name.into(), role.into()));
        self
    }

    /// The schema that the service works in.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = Some(name.into());
        self
    }

    /// How exact to be about TLS, in libpq's words.
    #[must_use]
    pub fn ssl_mode(mut self, mode: impl Into<String>) -> Self {
        self.ssl_mode = Some(mode.into());
        self
    }

    /// The service that it is for.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connections(
        &self,
        declaration: &Declaration,
        endpoint: &Endpoint,
    ) -> Result<Connections, AccessError> {
        let mut all = Connections::new(&self.service);
        for (name, role) in &self.roles {
            let role = declaration.role(role).ok_or_else(|| {
                AccessError::invalid(format!(
                    "connection {name:?} of {:?} is as {role:?}, which is not declared",
                    self.service
                ))
            })?;
            let mut connection = endpoint.connection(name, &self.database, role, self.ssl_mode.as_ref())?;
            if let Some(schema) = &self.schema {
                connection = connection.schema(schema.clone());
            }
            all = all.with(connection);
        }
        Ok(all)
    }
}

impl Declaration {
    /// Adds a connection file.
    #[must_use]
    pub fn with_connection_file(mut self, file: ConnectionFile) -> Self {
        self.connection_files.push(file);
        self
    }

    /// The connection files.
    pub fn connection_files(&self) -> &[ConnectionFile] {
        &self.connection_files
    }

    /// Takes every file with a password and every connection file that it names for one of this folder, unless its path is absolute.
    #[must_use]
    pub fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        // An absolute path stays what it is: that is how paths are joined.
        let within = |path: &mut PathBuf| *path = folder.as_ref().join(&*path);
        self.connection_files.iter_mut().for_each(|file| within(&mut file.path));
        for role in &mut self.roles {
            match &mut role.password {
                Some(Source::File(path) | Source::Generate(path)) => within(path),
                Some(Source::Variable(_)) | None => {}
            }
        }
        self
    }

    /// Writes every connection file, each for its owner alone to read, and makes the folders that they are in; tells which were written anew.
    ///
    /// # Errors
    ///
    /// Those of [`PasswordSource::load`](super::PasswordSource::load) and [`Connections::write`]; nothing is written
    /// where a password cannot be had.
    pub fn write_connection_files(
        &self,
        endpoint: &Endpoint,
    ) -> Result<Vec<(PathBuf, Written)>, AccessError> {
        let files = self.connection_files.iter();
        let all = files.map(|file| Ok((file, file.connections(self, endpoint)?)));
        let all = all.collect::<Result<Vec<_>, AccessError>>()?;
        let write = |(file, connections): (&ConnectionFile, Connections)| {
            if let Some(folder) = file.path.parent() {
                let failed = |error| AccessError::io(format!("{} cannot be made", folder.display()), error);
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            Ok((file.path.clone(), connections.write(&file.path, &file.format)?))
        };
        all.into_iter().map(write).collect()
    }

    /// A connection to a database as each role that may log in, called by the role's name: what [`Probes::run`](super::Probes::run) takes.
    ///
    /// # Errors
    ///
    /// Those of [`PasswordSource::load`](super::PasswordSource::load).
    pub fn connections(
        &self,
        database: &Database,
        endpoint: &Endpoint,
    ) -> Result<Vec<Connection>, AccessError> {
        let roles = self.roles.iter().filter(|role| role.login);
        let ssl_mode = |role: &Role| {
            let files = self.connection_files.iter();
            let of_it = |file: &&ConnectionFile| file.roles.iter().any(|(_, name)| *name == role.name);
            files.filter(of_it).find_map(|file| file.ssl_mode.as_ref())
        };
        roles.map(|role| endpoint.connection(&role.name, &database.name, role, ssl_mode(role))).collect()
    }
}
