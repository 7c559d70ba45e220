//! Passwords, connection files, the audit's rules and probes, against real servers: R47, R50, R51.

#[path = "../support/mod.rs"]
mod support;

mod connections;
mod passwords;
mod probes;
mod rules;

use habitat_migrate::provision::{Connection, Password};
use habitat_migrate::testing::{Database, Server};

/// Everybody but `postgres` needs a password, by the socket and by TCP.
const HBA: &str =
    "local all postgres trust\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// A server that asks for passwords and logs every statement.
fn locked() -> Server {
    let server = Server::builder().file("pg_hba.conf", HBA).listen_tcp();
    server.setting("log_statement", "all").start().expect("a server")
}

/// How a role connects to a database by the server's socket.
fn connection(server: &Server, database: &Database, role: &str, password: &Password) -> Connection {
    let folder = server.socket_dir().expect("the server is our own").display().to_string();
    Connection::new("app", folder, database.name(), role).port(server.port()).password(password.clone())
}

/// Passwords with everything in them that something takes for itself.
const HARD: [&str; 14] = [
    "plain",
    "it's \"quoted\" \\ twice \\\\",
    "$HOME `id` $(id) ${x} !! #no comment",
    "a:b@c/d?e=f&g%h%20i+j;k|l<m>n*o",
    " leads and trails ",
    "\ttab\u{1}\u{7f}\u{1b}[0m",
    "'",
    "\\",
    "---\\n- yaml: {x: [y]} # z",
    "täglich\u{301} \u{2028} \u{85} \u{feff}",
    "\u{1f600} 密码 пароль",
    "Ⅷ ﬁ ª \u{a0} soft\u{ad}hyphen",
    "null",
    "$tag$ ${jndi} {{x}} %PATH% ~",
];
