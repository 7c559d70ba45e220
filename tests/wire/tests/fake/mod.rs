//! A server and a client that speak just enough of the protocol.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use habitat_wire::{Proxy, Target};

/// A message with its header.
pub(crate) fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("tests use short bodies");
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// A start-up packet with this code.
pub(crate) fn packet(code: u32) -> Vec<u8> {
    [8_u32.to_be_bytes(), code.to_be_bytes()].concat()
}

pub(crate) const STARTUP: u32 = 196_608;
pub(crate) const SSL_REQUEST: u32 = 80_877_103;
pub(crate) const CANCEL_REQUEST: u32 = 80_877_102;

/// What the fake server received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Query(Vec<u8>),
    Cancel,
    End,
}

/// Starts a server that answers a query's text with CommandComplete of the same text and ReadyForQuery, and the
/// query `die` with an ErrorResponse and the end of the connection.
pub(crate) fn server() -> (Target, Receiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let target =
        Target::tcp(listener.local_addr().expect("it is bound")).expect("an address resolves to itself");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                let _ = serve(stream, &sender);
                let _ = sender.send(Received::End);
            });
        }
    });
    (target, receiver)
}

fn serve(mut stream: TcpStream, received: &Sender<Received>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let mut bytes = [0; 8];
        stream.read_exact(&mut bytes)?;
        match u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) {
            SSL_REQUEST => stream.write_all(b"N")?,
            CANCEL_REQUEST => {
                let _ = received.send(Received::Cancel);
                return Ok(());
            }
            _ => break,
        }
    }
    stream.write_all(&[message(b'R', &[0; 4]), message(b'Z', b"I")].concat())?;
    loop {
        let (_, body) = read_message(&mut stream)?;
        let _ = received.send(Received::Query(body.clone()));
        if body == b"die" {
            return stream.write_all(&message(b'E', b"gone"));
        }
        stream.write_all(&[message(b'C', &body), message(b'Z', b"I")].concat())?;
    }
}

pub(crate) fn read_message(stream: &mut impl Read) -> std::io::Result<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    stream.read_exact(&mut header)?;
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    let mut body = vec![0; length - 4];
    stream.read_exact(&mut body)?;
    Ok((header[0], body))
}

/// A client that has gone through start-up.
pub(crate) struct Client(pub(crate) UnixStream);

impl Client {
    pub(crate) fn connect(proxy: &Proxy) -> Self {
        let mut client = Self::raw(proxy);
        client.send(&packet(STARTUP));
        while client.receive().expect("the server starts a session").0 != b'Z' {}
        client
    }

    pub(crate) fn raw(proxy: &Proxy) -> Self {
        let path = format!("{}/.s.PGSQL.{}", proxy.config_host(), proxy.port());
        let stream = UnixStream::connect(path).expect("the proxy listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it is no zero timeout");
        Self(stream)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the proxy reads");
    }

    pub(crate) fn receive(&mut self) -> std::io::Result<(u8, Vec<u8>)> {
        read_message(&mut self.0)
    }

    pub(crate) fn query(&mut self, text: &[u8]) -> std::io::Result<Vec<u8>> {
        self.0.write_all(&message(b'Q', text))?;
        let (tag, body) = self.receive()?;
        assert_eq!(tag, b'C');
        assert_eq!(self.receive()?.0, b'Z');
        Ok(body)
    }
}
