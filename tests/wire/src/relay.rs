//! One client's connection: two directions, each a thread that reads and a thread that writes when the time has come.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::delay::{Gate, Item, Line};
use crate::frame::{Framer, Framing, Piece};
use crate::rules::{Action, Direction, Message, Rules};
use crate::stats::Counters;
use crate::target::Stream;

/// What all connections of a proxy share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) counters: Counters,
    pub(crate) rules: Rules,
    pub(crate) gate: Gate,
}

/// What the four threads of a connection share.
#[derive(Debug)]
pub(crate) struct Session {
    shared: Arc<Shared>,
    client: Stream,
    server: Stream,
    to_server: Line,
    to_client: Line,
    /// The server said ReadyForQuery for the first time.
    ready: AtomicBool,
    /// The server's next byte answers an encryption request.
    encryption: AtomicBool,
    /// Messages cannot be told apart any more.
    opaque: AtomicBool,
    /// The client sent something that nothing came back for yet.
    waiting: AtomicBool,
    /// The last of the client's, or the server's, bytes are being delivered before a cut.
    frontend_severed: AtomicBool,
    backend_severed: AtomicBool,
    closed: AtomicBool,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>, client: Stream, server: Stream, latency: Duration) -> Self {
        Self {
            shared,
            client,
            server,
            to_server: Line::new(latency),
            to_client: Line::new(latency),
            ready: AtomicBool::new(false),
            encryption: AtomicBool::new(false),
            opaque: AtomicBool::new(false),
            waiting: AtomicBool::new(false),
            frontend_severed: AtomicBool::new(false),
            backend_severed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// Starts the four threads; they end when either side closes or [`Session::close`] is called.
    pub(crate) fn start(self: &Arc<Self>) -> Vec<JoinHandle<()>> {
        let mut threads = Vec::new();
        for direction in [Direction::Frontend, Direction::Backend] {
            let session = Arc::clone(self);
            threads.push(thread::spawn(move || Reader::new(&session, direction).run()));
            let session = Arc::clone(self);
            threads.push(thread::spawn(move || session.deliver(direction)));
        }
        threads
    }

    /// Cuts both sockets at once.
    pub(crate) fn close(&self) {
        self.closed.store(true, SeqCst);
        self.client.close();
        self.server.close();
        self.to_server.close();
        self.to_client.close();
        self.shared.gate.wake();
    }

    fn line(&self, direction: Direction) -> &Line {
        match direction {
            Direction::Frontend => &self.to_server,
            Direction::Backend => &self.to_client,
        }
    }

    fn severed(&self, direction: Direction) -> &AtomicBool {
        match direction {
            Direction::Frontend => &self.frontend_severed,
            Direction::Backend => &self.backend_severed,
        }
    }

    fn deliver(&self, direction: Direction) {
        let destination = match direction {
            Direction::Frontend => &self.server,
            Direction::Backend => &self.client,
        };
        let mut broken = false;
        while let Some(item) = self.line(direction).pop() {
            match item {
                Item::Hold => self.shared.gate.shut(direction),
                Item::Close => self.close(),
                Item::Sever => self.severed(direction).store(true, SeqCst),
                Item::Bytes(_) if broken => {}
                // A side that hung up may have sent something before: the end is left to the other direction, which
                // is still to deliver that.
                Item::Bytes(bytes) => {
                    self.shared.gate.pass(direction, || self.closed.load(SeqCst));
                    broken = self.severed(direction.other()).load(SeqCst)
                        || destination.write_all(&bytes).is_err();
                }
            }
        }
    }

    /// A client waited if the server's bytes follow some of its own.
    fn note_burst(&self, direction: Direction) {
        match direction {
            Direction::Frontend => self.waiting.store(true, SeqCst),
            Direction::Backend if self.waiting.swap(false, SeqCst) => {
                let counters = &self.shared.counters;
                let started = self.ready.load(SeqCst) || self.opaque.load(SeqCst);
                add(if started { &counters.round_trips } else { &counters.startup_round_trips }, 1);
            }
            Direction::Backend => {}
        }
    }
}

/// Whether a reader goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Continue,
    Stop,
}

/// The reading half of one direction.
struct Reader<'s> {
    session: &'s Session,
    direction: Direction,
    framer: Framer,
    /// What the current read lets pass.
    out: Vec<u8>,
    /// The client's start-up packet has passed.
    started: bool,
    /// What becomes of the current message.
    action: Action,
    /// The current message is counted.
    counted: bool,
}

impl<'s> Reader<'s> {
    const CHUNK: usize = 16 * 1024;

    fn new(session: &'s Session, direction: Direction) -> Self {
        Self {
            session,
            direction,
            framer: Framer::default(),
            out: Vec::new(),
            started: false,
            action: Action::Forward,
            counted: false,
        }
    }

    fn run(mut self) {
        let source = match self.direction {
            Direction::Frontend => &self.session.client,
            Direction::Backend => &self.session.server,
        };
        let mut buffer = vec![0; Self::CHUNK];
        loop {
            match source.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break self.push(Item::Close),
                Ok(size) => {
                    self.session.note_burst(self.direction);
                    let flow = self.take(&buffer[..size]);
                    self.flush();
                    if flow == Flow::Stop {
                        break self.push(Item::Close);
                    }
                }
            }
        }
    }

    fn take(&mut self, mut input: &[u8]) -> Flow {
        loop {
            let (framing, peek) = (self.framing(), self.session.shared.rules.peek());
            let Some(piece) = self.framer.next(framing, peek, &mut input) else { return Flow::Continue };
            match piece {
                Piece::Head => {
                    self.begin(framing);
                    match self.action {
                        Action::CutBefore => return Flow::Stop,
                        Action::Hold => {
                            self.flush();
                            self.push(Item::Hold);
                        }
                        _ => {}
                    }
                    let head = self.framer.head().len();
                    self.emit(head, |reader| reader.out.extend_from_slice(reader.framer.head()));
                }
                Piece::Body(bytes) => self.emit(bytes.len(), |reader| reader.out.extend_from_slice(bytes)),
                Piece::End if self.action == Action::CutAfter => {
                    self.push(Item::Sever);
                    return Flow::Stop;
                }
                Piece::End => {}
                Piece::Opaque(bytes) => {
                    self.opaque();
                    self.emit(bytes.len(), |reader| reader.out.extend_from_slice(bytes));
                }
                Piece::Malformed => {
                    self.session.opaque.store(true, SeqCst);
                    self.opaque();
                    let head = self.framer.abandon();
                    self.emit(head.len(), |reader| reader.out.extend_from_slice(&head));
                }
            }
        }
    }

    fn framing(&self) -> Framing {
        match self.direction {
            _ if self.session.opaque.load(SeqCst) => Framing::Opaque,
            Direction::Frontend if !self.started => Framing::Packet,
            Direction::Backend if self.session.encryption.load(SeqCst) => Framing::Byte,
            _ => Framing::Tagged,
        }
    }

    /// A message was announced: follow what it means for the connection, count it, and ask the rules.
    fn begin(&mut self, framing: Framing) {
        let (session, shared) = (self.session, &self.session.shared);
        self.action = Action::Forward;
        self.counted = false;
        let first = self.framer.head().first().copied().unwrap_or_default();
        match framing {
            Framing::Packet => match Packet::of(self.framer.body()) {
                Packet::Encryption => session.encryption.store(true, SeqCst),
                Packet::Cancel => add(&shared.counters.cancels, 1),
                Packet::Startup => {
                    self.started = true;
                    add(&shared.counters.connections, 1);
                }
            },
            Framing::Byte => {
                session.encryption.store(false, SeqCst);
                // 'S' and 'G' accept encryption, 'N' declines; an old server answers with a whole error message.
                session.opaque.store(first != b'N', SeqCst);
            }
            Framing::Tagged if session.ready.load(SeqCst) => {
                let messages = match self.direction {
                    Direction::Frontend => &shared.counters.frontend_messages,
                    Direction::Backend => &shared.counters.backend_messages,
                };
                add(messages, 1);
                self.counted = true;
                self.action = shared.rules.decide(&Message {
                    direction: self.direction,
                    tag: first,
                    length: self.framer.length(),
                    body: self.framer.body(),
                });
            }
            Framing::Tagged if self.direction == Direction::Backend && first == READY_FOR_QUERY => {
                session.ready.store(true, SeqCst);
            }
            Framing::Tagged | Framing::Opaque => {}
        }
    }

    /// Bytes outside messages are forwarded and counted.
    fn opaque(&mut self) {
        self.action = Action::Forward;
        self.counted = true;
    }

    fn emit(&mut self, size: usize, append: impl FnOnce(&mut Self)) {
        if self.action == Action::Drop {
            return;
        }
        append(self);
        if self.counted {
            let counters = &self.session.shared.counters;
            let bytes = match self.direction {
                Direction::Frontend => &counters.bytes_to_server,
                Direction::Backend => &counters.bytes_to_client,
            };
            add(bytes, u64::try_from(size).unwrap_or(u64::MAX));
        }
    }

    fn flush(&mut self) {
        if !self.out.is_empty() {
            let bytes = std::mem::take(&mut self.out);
            self.push(Item::Bytes(bytes));
        }
    }

    fn push(&self, item: Item) {
        self.session.line(self.direction).push(item);
    }
}

/// What a client may send before its messages have tags.
enum Packet {
    Startup,
    Encryption,
    Cancel,
}

impl Packet {
    fn of(body: &[u8]) -> Self {
        // The codes of CancelRequest, SSLRequest and GSSENCRequest in PostgreSQL's "Message Formats".
        match body.first_chunk().map(|code| u32::from_be_bytes(*code)) {
            Some(80_877_102) => Self::Cancel,
            Some(80_877_103 | 80_877_104) => Self::Encryption,
            _ => Self::Startup,
        }
    }
}

const READY_FOR_QUERY: u8 = b'Z';

fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Relaxed);
}
