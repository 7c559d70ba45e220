//! Cuts a byte stream into PostgreSQL's messages, without keeping their bodies.

/// How the next message is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A start-up packet: four bytes of length, then a four-byte code.
    Packet,
    /// A tag and four bytes of length.
    Tagged,
    /// One byte, the answer to an encryption request.
    Byte,
    /// No messages any more: TLS, or a protocol that is not PostgreSQL's.
    Opaque,
}

/// One step of cutting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A message begins; [`Framer::head`] has its first bytes.
    Head,
    /// More of the message that began.
    Body(&'a [u8]),
    /// The message that began is complete.
    End,
    /// Bytes that belong to no message.
    Opaque(&'a [u8]),
    /// A length that no message can have.
    Malformed,
}

/// PostgreSQL refuses longer start-up packets; the first bytes of a TLS connection read as a far greater length.
const LONGEST_PACKET: usize = 10_000;

/// The state between two reads of one direction of a connection.
#[derive(Debug, Default)]
pub(crate) struct Framer {
    head: Vec<u8>,
    header: usize,
    length: usize,
    remaining: Option<usize>,
}

impl Framer {
    /// The bytes of the current message that were collected before it was announced: header and start of the body.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The part of [`Framer::head`] that belongs to the body.
    pub(crate) fn body(&self) -> &[u8] {
        self.head.get(self.header..).unwrap_or_default()
    }

    /// The length of the current message's body.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Takes the next piece off `input`, or all of it and returns `None` when more is needed. A head holds at least
    /// `peek` bytes of a tagged message's body, or the whole.
    pub(crate) fn next<'a>(
        &mut self,
        framing: Framing,
        peek: usize,
        input: &mut &'a [u8],
    ) -> Option<Piece<'a>> {
        match self.remaining {
            Some(0) => {
                self.remaining = None;
                self.head.clear();
                return Some(Piece::End);
            }
            Some(_) if input.is_empty() => return None,
            Some(remaining) => {
                let (body, rest) = input.split_at(remaining.min(input.len()));
                *input = rest;
                self.remaining = Some(remaining - body.len());
                return Some(Piece::Body(body));
            }
            None => {}
        }
        let (header, length_at, peek) = match framing {
            Framing::Opaque if input.is_empty() => return None,
            Framing::Opaque => return Some(Piece::Opaque(std::mem::take(input))),
            Framing::Byte => (1, None, 0),
            Framing::Packet => (4, Some(0), 4),
            Framing::Tagged => (5, Some(1), peek),
        };
        if !self.collect(header, input) {
            return None;
        }
        self.header = header;
        self.length = match length_at {
            None => 0,
            Some(at) => match self.declared_length(at) {
                Some(length) => length,
                None => return Some(Piece::Malformed),
            },
        };
        if framing == Framing::Packet && self.length > LONGEST_PACKET {
            return Some(Piece::Malformed);
        }
        if !self.collect(header + self.length.min(peek), input) {
            return None;
        }
        self.remaining = Some(self.length - self.body().len());
        Some(Piece::Head)
    }

    /// Forgets the message that began and gives back what was collected of it.
    pub(crate) fn abandon(&mut self) -> Vec<u8> {
        self.remaining = None;
        std::mem::take(&mut self.head)
    }

    /// Moves bytes from `input` until the head has `size`; whether it has.
    fn collect(&mut self, size: usize, input: &mut &[u8]) -> bool {
        let missing = size.saturating_sub(self.head.len());
        let (taken, rest) = input.split_at(missing.min(input.len()));
        self.head.extend_from_slice(taken);
        *input = rest;
        self.head.len() >= size
    }

    fn declared_length(&self, at: usize) -> Option<usize> {
        let bytes = self.head.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(i32::from_be_bytes(bytes)).ok()?.checked_sub(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).expect("tests use short bodies");
        [&[tag][..], &length.to_be_bytes(), body].concat()
    }

    /// The bytes that come out, and for each message the body as far as its head shows it.
    fn cut(stream: &[u8], chunk: usize, peek: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut framer, mut out, mut bodies) = (Framer::default(), Vec::new(), Vec::new());
        for mut input in stream.chunks(chunk) {
            while let Some(piece) = framer.next(Framing::Tagged, peek, &mut input) {
                match piece {
                    Piece::Head => {
                        out.extend_from_slice(framer.head());
                        bodies.push(framer.body().to_vec());
                    }
                    Piece::Body(bytes) => out.extend_from_slice(bytes),
                    Piece::End => {}
                    other => panic!("unexpected {other:?}"),
                }
            }
        }
        assert!(framer.head.is_empty() && framer.remaining.is_none());
        (out, bodies)
    }

    #[test]
    fn any_chunking_gives_the_same_messages_and_bytes() {
        let stream = [tagged(b'Q', b"SELECT 1\0"), tagged(b'S', b""), tagged(b'd', &[7; 300])].concat();
        for chunk in 1..stream.len() {
            let (out, bodies) = cut(&stream, chunk, 16);
            assert_eq!(out, stream);
            assert_eq!(bodies, [&b"SELECT 1\0"[..], b"", &[7; 16]]);
        }
    }

    #[test]
    fn without_peek_only_the_header_is_kept() {
        let stream = [tagged(b'd', &[1; 100_000]), tagged(b'Z', b"I")].concat();
        let (out, bodies) = cut(&stream, 8192, 0);
        assert_eq!(out, stream);
        assert_eq!(bodies, [b"", b""]);
    }

    #[test]
    fn a_length_below_its_own_size_is_malformed() {
        let mut input = &[b'Q', 0, 0, 0, 3][..];
        let mut framer = Framer::default();
        assert_eq!(framer.next(Framing::Tagged, 0, &mut input), Some(Piece::Malformed));
        assert_eq!(framer.abandon(), [b'Q', 0, 0, 0, 3]);
    }
}
