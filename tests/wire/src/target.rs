//! Where connections come from and go to: Unix sockets and TCP behind one type.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// The server that a proxy forwards to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Place);

impl Target {
    /// The server whose socket is `.s.PGSQL.<port>` in the directory `dir`.
    pub fn unix(dir: impl Into<PathBuf>, port: u16) -> Self {
        Self(Place::Unix(dir.into().join(socket_name(port))))
    }

    /// The server that listens at a TCP address.
    ///
    /// # Errors
    /// When the address does not resolve.
    pub fn tcp(addr: impl ToSocketAddrs) -> io::Result<Self> {
        let addr = addr.to_socket_addrs()?.next();
        addr.map(|addr| Self(Place::Tcp(addr))).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// The server that a client would reach with libpq's `host` and `port`: a host that begins with `/` is a directory.
    ///
    /// # Errors
    /// When a host name does not resolve.
    pub fn host(host: &str, port: u16) -> io::Result<Self> {
        if host.starts_with('/') { Ok(Self::unix(host, port)) } else { Self::tcp((host, port)) }
    }

    pub(crate) fn connect(&self) -> io::Result<Stream> {
        self.0.connect()
    }
}

/// An address of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Place {
    pub(crate) fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).map(Stream::Unix),
            Self::Tcp(addr) => TcpStream::connect(addr).and_then(Stream::tcp),
        }
    }

    pub(crate) fn listen(&self) -> io::Result<Listener> {
        match self {
            Self::Unix(path) => UnixListener::bind(path).map(Listener::Unix),
            Self::Tcp(addr) => TcpListener::bind(addr).map(Listener::Tcp),
        }
    }
}

/// A listening socket of either kind.
#[derive(Debug)]
pub(crate) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

impl Listener {
    /// Where it listens, given what was `wanted`: a port that the system chose is known only now.
    pub(crate) fn place(&self, wanted: &Place) -> io::Result<Place> {
        match self {
            Self::Unix(_) => Ok(wanted.clone()),
            Self::Tcp(listener) => listener.local_addr().map(Place::Tcp),
        }
    }

    pub(crate) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(listener) => listener.accept().map(|(stream, _)| Stream::Unix(stream)),
            Self::Tcp(listener) => listener.accept().and_then(|(stream, _)| Stream::tcp(stream)),
        }
    }
}

/// A connected socket of either kind; shared references read and write it.
#[derive(Debug)]
pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    fn tcp(stream: TcpStream) -> io::Result<Self> {
        // Nagle's algorithm would add a latency that nobody asked for.
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    pub(crate) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => (&mut &*stream).read(buffer),
            Self::Tcp(stream) => (&mut &*stream).read(buffer),
        }
    }

    pub(crate) fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(stream) => (&mut &*stream).write_all(bytes),
            Self::Tcp(stream) => (&mut &*stream).write_all(bytes),
        }
    }

    /// Ends both directions; what was written before still arrives. A socket that is already closed is no error.
    pub(crate) fn close(&self) {
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

/// The name that PostgreSQL's clients look for in a socket directory.
pub(crate) fn socket_name(port: u16) -> String {
    format!(".s.PGSQL.{port}")
}
