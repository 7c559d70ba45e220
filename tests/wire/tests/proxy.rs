//! The proxy between a fake client and a fake server.

mod fake;

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fake::{CANCEL_REQUEST, Client, Received, SSL_REQUEST, STARTUP, message, packet, server};
use habitat_wire::{Action, Cut, Direction, Proxy, Target};

const SOON: Duration = Duration::from_secs(20);

fn query(text: &[u8]) -> Received {
    Received::Query(text.to_vec())
}

#[test]
fn a_query_is_one_round_trip() {
    let (target, _received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    let mut client = Client::connect(&proxy);
    for text in [b"one", b"two"] {
        assert_eq!(client.query(text).expect("it is answered"), text);
    }
    let stats = proxy.stats();
    assert_eq!((stats.connections, stats.startup_round_trips, stats.round_trips), (1, 1, 2));
    assert_eq!((stats.frontend_messages, stats.backend_messages), (2, 4));
    assert_eq!((stats.bytes_to_server, stats.bytes_to_client), (16, 28));
    proxy.reset();
    assert_eq!(proxy.stats(), habitat_wire::Stats::default());
}

#[test]
fn messages_sent_together_are_one_round_trip_and_one_delay() {
    let (target, _received) = server();
    let proxy = Proxy::to(target)
        .latency(Duration::from_millis(40))
        .start()
        .expect("the temporary directory is writable");
    let mut client = Client::connect(&proxy);
    let start = Instant::now();
    client.send(&message(b'Q', b"one").repeat(100));
    for _ in 0..200 {
        client.receive().expect("it is answered");
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(80), "{took:?}");
    assert!(took < Duration::from_millis(800), "{took:?}");
    assert_eq!(proxy.stats().round_trips, 1);
    assert_eq!(proxy.stats().frontend_messages, 100);
}

#[test]
fn an_encryption_request_that_is_declined_belongs_to_the_startup() {
    let (target, _received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    let mut client = Client::raw(&proxy);
    client.send(&packet(SSL_REQUEST));
    let mut answer = [0];
    client.0.read_exact(&mut answer).expect("it is answered");
    assert_eq!(&answer, b"N");
    client.send(&packet(STARTUP));
    while client.receive().expect("the server starts a session").0 != b'Z' {}
    assert_eq!(client.query(b"one").expect("it is answered"), b"one");
    let stats = proxy.stats();
    assert_eq!((stats.connections, stats.startup_round_trips, stats.round_trips), (1, 2, 1));
}

#[test]
fn an_encrypted_connection_goes_on_as_opaque_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let target =
        Target::tcp(listener.local_addr().expect("it is bound")).expect("an address resolves to itself");
    let server = thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut [0; 8])?;
        stream.write_all(b"S")?;
        let mut hello = [0; 300];
        stream.read_exact(&mut hello)?;
        stream.write_all(&hello)
    });
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    let mut client = Client::raw(&proxy);
    client.send(&packet(SSL_REQUEST));
    let (mut answer, mut echo) = ([0], [0; 300]);
    client.0.read_exact(&mut answer).expect("it is answered");
    assert_eq!(&answer, b"S");
    client.send(&[0x16; 300]);
    client.0.read_exact(&mut echo).expect("it is answered");
    assert_eq!(echo, [0x16; 300]);
    server.join().expect("the server does not panic").expect("the server serves");
    let stats = proxy.stats();
    assert_eq!((stats.startup_round_trips, stats.round_trips, stats.bytes_to_client), (1, 1, 300));
    assert_eq!((stats.frontend_messages, stats.backend_messages), (0, 0));
}

#[test]
fn a_cancel_request_passes() {
    let (target, received) = server();
    let proxy = Proxy::to(target).on_tcp().start().expect("loopback has a free port");
    let mut stream =
        std::net::TcpStream::connect((proxy.config_host(), proxy.port())).expect("the proxy listens");
    stream.write_all(&packet(CANCEL_REQUEST)).expect("the proxy reads");
    assert_eq!(received.recv_timeout(SOON), Ok(Received::Cancel));
    assert_eq!((proxy.stats().cancels, proxy.stats().connections), (1, 0));
}

#[test]
fn a_message_larger_than_the_delay_line_passes_whole() {
    let (target, _received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    proxy.on_message(|message| {
        assert!(message.body().len() <= habitat_wire::Message::PEEK);
        Action::Forward
    });
    let mut client = Client::connect(&proxy);
    let text = vec![b'x'; 20 * 1024 * 1024];
    // The server answers only once it has read everything, so one thread can do both.
    assert_eq!(client.query(&text).expect("it is answered"), text);
    assert_eq!(proxy.stats().round_trips, 1);
}

#[test]
fn a_cut_before_a_query_keeps_it_from_the_server() {
    let (target, received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    proxy.cut_at(Cut::before(Direction::Frontend, 2));
    let mut client = Client::connect(&proxy);
    client.query(b"one").expect("only the second is cut");
    assert!(!proxy.cut_fired());
    assert!(client.query(b"two").is_err());
    assert!(proxy.cut_fired());
    assert_eq!(received.recv_timeout(SOON), Ok(query(b"one")));
    assert_eq!(received.recv_timeout(SOON), Ok(Received::End));
    // It happens once.
    assert_eq!(Client::connect(&proxy).query(b"two").expect("the cut is spent"), b"two");
}

#[test]
fn a_cut_after_a_query_lets_the_server_see_it_and_the_client_nothing() {
    let (target, received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    let mut client = Client::connect(&proxy);
    client.query(b"one").expect("no cut is armed yet");
    proxy.cut_at(Cut::after(Direction::Frontend, 1));
    assert!(client.query(b"two").is_err());
    let seen: Vec<_> = (0..3).map_while(|_| received.recv_timeout(SOON).ok()).collect();
    assert_eq!(seen, [query(b"one"), query(b"two"), Received::End]);
}

#[test]
fn a_cut_in_the_reply_shows_the_client_what_came_before() {
    let (target, _received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    for cut in [Cut::after(Direction::Backend, 1), Cut::before(Direction::Backend, 2)] {
        let mut client = Client::connect(&proxy);
        proxy.cut_at(cut);
        client.send(&message(b'Q', b"one"));
        assert_eq!(client.receive().expect("it came before the cut"), (b'C', b"one".to_vec()));
        assert!(client.receive().is_err());
    }
}

#[test]
fn a_callback_drops_and_cuts_by_what_a_message_says() {
    let (target, received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    proxy.on_message(|message| match message.direction() {
        Direction::Frontend if message.contains("lost") => Action::Drop,
        Direction::Frontend if message.contains("COMMIT") => Action::CutAfter,
        _ => Action::Forward,
    });
    let mut client = Client::connect(&proxy);
    client.send(&message(b'Q', b"lost"));
    assert_eq!(client.query(b"kept").expect("it is forwarded"), b"kept");
    assert!(client.query(b"do it; COMMIT").is_err());
    let seen: Vec<_> = (0..3).map_while(|_| received.recv_timeout(SOON).ok()).collect();
    assert_eq!(seen, [query(b"kept"), query(b"do it; COMMIT"), Received::End]);
}

#[test]
fn a_held_message_arrives_after_release() {
    let (target, received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    proxy.on_message(|message| if message.contains("wait") { Action::Hold } else { Action::Forward });
    let mut client = Client::connect(&proxy);
    client.send(&[message(b'Q', b"one"), message(b'Q', b"wait")].concat());
    assert!(proxy.wait_held(Direction::Frontend, SOON));
    assert_eq!(received.recv_timeout(SOON), Ok(query(b"one")));
    assert!(received.try_recv().is_err());
    // Even a client that is gone by then has sent it.
    drop(client);
    proxy.forward_all();
    proxy.release(Direction::Frontend);
    assert_eq!(received.recv_timeout(SOON), Ok(query(b"wait")));
    assert_eq!(received.recv_timeout(SOON), Ok(Received::End));
}

#[test]
fn the_last_words_of_a_server_arrive() {
    let (target, _received) = server();
    let proxy = Proxy::to(target)
        .latency(Duration::from_millis(20))
        .start()
        .expect("the temporary directory is writable");
    let mut client = Client::connect(&proxy);
    client.send(&[message(b'Q', b"die"), message(b'Q', b"more")].concat());
    assert_eq!(client.receive().expect("it was sent before the end"), (b'E', b"gone".to_vec()));
    assert!(client.receive().is_err());
}

#[test]
fn a_client_that_goes_ends_its_session() {
    let (target, received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    drop(Client::connect(&proxy));
    assert_eq!(received.recv_timeout(SOON), Ok(Received::End));
}

#[test]
fn a_dropped_proxy_leaves_nothing() {
    let (target, received) = server();
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    let directory = proxy.config_host().to_owned();
    let mut client = Client::connect(&proxy);
    proxy.hold(Direction::Frontend);
    client.send(&message(b'Q', b"held"));
    assert!(proxy.wait_held(Direction::Frontend, SOON));
    drop(proxy);
    assert!(client.receive().is_err());
    assert_eq!(received.recv_timeout(SOON), Ok(Received::End));
    assert!(!Path::new(&directory).exists());
}

#[test]
fn without_a_server_the_client_is_hung_up_on() {
    let target = Target::unix("/nonexistent", 1);
    let proxy = Proxy::to(target).start().expect("the temporary directory is writable");
    let mut client = Client::raw(&proxy);
    assert!(client.receive().is_err());
}

#[test]
fn a_url_escapes_its_parts() {
    let (target, _received) = server();
    let proxy = Proxy::to(target).on_tcp().start().expect("loopback has a free port");
    let expected = format!("postgresql://a%40b@127.0.0.1:{}/my%20db", proxy.port());
    assert_eq!(proxy.url("my db", "a@b"), expected);
}
