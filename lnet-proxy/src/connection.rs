//! The two tasks of a TCP connection.
use crate::drive::Report;
use bytes::{Buf, Bytes, BytesMut};
use lnet_core::{ConnId, Input};
use socket2::SockRef;
use std::io;
use std::net::{IpAddr, Shutdown};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Most bytes read at once.
const READ_SIZE: usize = 16 << 10;
/// How long a refused peer may take to read why.
const DRAIN: Duration = Duration::from_secs(5);

/// A connection with its tasks; dropping it closes the socket.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnId,
    stream: Arc<TcpStream>,
    reports: mpsc::Sender<Report>,
    reader: AbortHandle,
    /// From the first write on: most of those who come to do harm are never answered.
    writer: Option<(mpsc::UnboundedSender<Bytes>, AbortHandle)>,
}

impl Connection {
    pub(crate) fn start(id: ConnId, stream: TcpStream, reports: &mpsc::Sender<Report>) -> Self {
        let stream = Arc::new(stream);
        let reader = tokio::spawn(read(id, Arc::clone(&stream), reports.clone())).abort_handle();
        Self { id, stream, reports: reports.clone(), reader, writer: None }
    }

    /// The address that it came by has moved away: the system must forget it at once, too. A connection that waits there
    /// for the acknowledgement of its end would not reset what the peer sends when the address comes back, and the
    /// peer would wait with it.
    pub(crate) fn forget_with(&self, ip: IpAddr) {
        if self.stream.local_addr().is_ok_and(|local| local.ip() == ip) {
            let _ = SockRef::from(&*self.stream).set_linger(Some(Duration::ZERO)); // it may be closed already
        }
    }

    pub(crate) fn write(&mut self, bytes: Bytes) {
        let (writes, _) = self.writer.get_or_insert_with(|| {
            let (writes, queue) = mpsc::unbounded_channel();
            let writer = write(self.id, Arc::clone(&self.stream), queue, self.reports.clone());
            (writes, tokio::spawn(writer).abort_handle())
        });
        let _ = writes.send(bytes); // a writer that is gone has reported why
    }

    /// Closes after what was given to `write` is out.
    pub(crate) fn drain(mut self) {
        self.reader.abort();
        // Without its queue the writer ends by itself.
        let Some((_, writer)) = self.writer.take() else { return };
        tokio::spawn(async move {
            tokio::time::sleep(DRAIN).await;
            writer.abort();
        });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.reader.abort();
        if let Some((_, writer)) = &self.writer {
            writer.abort();
        }
    }
}

async fn read(id: ConnId, stream: Arc<TcpStream>, reports: mpsc::Sender<Report>) {
    loop {
        let input = match read_some(&stream).await {
            Ok(bytes) if bytes.is_empty() => Input::Closed { conn: id, error: None },
            Ok(bytes) => Input::Bytes { conn: id, bytes },
            Err(error) => Input::Closed { conn: id, error: Some(error.to_string()) },
        };
        let last = matches!(input, Input::Closed { .. });
        if reports.send(Report::Input(input)).await.is_err() || last {
            return;
        }
    }
}

async fn read_some(stream: &TcpStream) -> io::Result<Bytes> {
    loop {
        stream.readable().await?;
        // Taken only when there is something to read: idle connections hold no buffer.
        let mut buffer = BytesMut::with_capacity(READ_SIZE);
        match stream.try_read_buf(&mut buffer) {
            Ok(_) => return Ok(buffer.freeze()),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
}

async fn write(
    id: ConnId,
    stream: Arc<TcpStream>,
    mut queue: mpsc::UnboundedReceiver<Bytes>,
    reports: mpsc::Sender<Report>,
) {
    while let Some(mut bytes) = queue.recv().await {
        while !bytes.is_empty() {
            let input = match write_some(&stream, &bytes).await {
                Ok(n) => {
                    bytes.advance(n);
                    Input::Flushed { conn: id, bytes: n }
                }
                Err(error) => Input::Closed { conn: id, error: Some(error.to_string()) },
            };
            let last = matches!(input, Input::Closed { .. });
            if reports.send(Report::Input(input)).await.is_err() || last {
                return;
            }
        }
    }
    let _ = SockRef::from(&*stream).shutdown(Shutdown::Write); // it may be closed already
}

async fn write_some(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    loop {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            other => return other,
        }
    }
}
