//! The server process that a connection was told of when it began.
//!
//! The driver keeps it to itself, apart from the request to cancel a query, which it writes to any stream that it is given: this one
//! keeps the bytes, and nothing reaches a network.

use std::future::{Ready, ready};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::CancelToken;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// Reads the process out of the request to cancel; none if the server told of none.
pub(super) fn process_of(token: &CancelToken) -> Option<i32> {
    let mut capture = Capture::default();
    {
        let written = pin!(token.cancel_query_raw(&mut capture, Plain));
        // Every read and write below is ready at once.
        let Poll::Ready(Ok(())) = written.poll(&mut Context::from_waker(Waker::noop())) else { return None };
    }
    process_in(&capture.written)
}

/// The request is sixteen bytes: its length, its code, the process, the key.
/// <https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-CANCELREQUEST>
fn process_in(written: &[u8]) -> Option<i32> {
    let request = written.get(written.len().checked_sub(16)?..)?;
    let number = |at: usize| Some(i32::from_be_bytes(request.get(at..at + 4)?.try_into().ok()?));
    let is_request = number(0)? == 16 && number(4)? == CANCEL;
    is_request.then_some(number(8)?).filter(|process| *process != 0)
}

const CANCEL: i32 = 80_877_102;

/// A stream that keeps what is written, and says yes to TLS.
#[derive(Default)]
struct Capture {
    written: Vec<u8>,
}

impl AsyncRead for Capture {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buffer.remaining() > 0 {
            buffer.put_slice(b"S");
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Capture {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// TLS that is none.
struct Plain;

impl<'c> TlsConnect<&'c mut Capture> for Plain {
    type Stream = &'c mut Capture;
    type Error = io::Error;
    type Future = Ready<io::Result<&'c mut Capture>>;

    fn connect(self, stream: &'c mut Capture) -> Self::Future {
        ready(Ok(stream))
    }
}

impl TlsStream for &mut Capture {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_stands_in_the_request_to_cancel() {
        let request = |process: i32| {
            let parts = [16_i32, CANCEL, process, 7];
            parts.iter().flat_map(|part| part.to_be_bytes()).collect::<Vec<u8>>()
        };
        assert_eq!(process_in(&request(4711)), Some(4711));
        let tls = [&8_i32.to_be_bytes()[..], &80_877_103_i32.to_be_bytes(), &request(4711)].concat();
        assert_eq!(process_in(&tls), Some(4711), "behind a request for TLS");
        assert_eq!(process_in(&request(0)), None, "the server told of none");
        assert_eq!(process_in(&tls[..8]), None);
        assert_eq!(process_in(&[]), None);
    }
}
