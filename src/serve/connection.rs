//! One connection, and the times that it may take.

use super::handler::Handler;
use super::limits::{HEAD_BYTES_MAX, HEAD_TIME, IDLE_TIME, REQUEST_TIME};
use super::slots::Slot;
use crate::locks::lock;
use hyper::body::{Body as _, Incoming};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::Request;
use std::convert::Infallible;
use std::future::{poll_fn, Future};
use std::io;
use std::pin::{pin, Pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{ready, Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep_until, Instant};

/// When the connection is to end if nothing happens until then.
#[derive(Clone)]
struct Deadline(Arc<Mutex<Instant>>);

impl Deadline {
    fn get(&self) -> Instant {
        *lock(&self.0)
    }

    fn set(&self, after: Duration) {
        let mut deadline = lock(&self.0);
        *deadline = Instant::now() + after;
    }
}

/// Answers what comes over a connection until it ends, a time runs out, or the server stops.
pub async fn serve(
    stream: TcpStream,
    slot: Slot,
    handler: Arc<Handler>,
    mut stopping: watch::Receiver<bool>,
) {
    let deadline = Deadline(Arc::new(Mutex::new(Instant::now() + HEAD_TIME)));
    let asked = AtomicBool::new(false);
    let service = service_fn(|request: Request<Incoming>| {
        let (request, body) = request.into_parts();
        if handler.allows(&request) {
            deadline.set(REQUEST_TIME);
            slot.welcome();
        } else {
            deadline.set(HEAD_TIME);
        }
        asked.store(true, Ordering::Relaxed);
        let handler = Arc::clone(&handler);
        let deadline = deadline.clone();
        async move {
            let has_body = !body.is_end_stream();
            let ended = move || deadline.set(IDLE_TIME);
            Ok::<_, Infallible>(handler.handle(&request, has_body, ended).await)
        }
    });
    let mut connection = pin!(http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        // The deadline is for the head too, and for more than that.
        .header_read_timeout(None)
        .serve_connection(Socket::new(stream), service));
    let mut alarm = pin!(sleep_until(deadline.get()));
    let mut stop = pin!(async move {
        // The server is gone where nobody can say that it stops.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    });
    let mut evicted = pin!(slot.evicted());
    let mut told = false;
    poll_fn(|cx| {
        if !told && stop.as_mut().poll(cx).is_ready() {
            told = true;
            connection.as_mut().graceful_shutdown();
            if !asked.load(Ordering::Relaxed) {
                // hyper would wait for the rest of a head that has begun.
                return Poll::Ready(());
            }
        }
        if let Poll::Ready(outcome) = connection.as_mut().poll(cx) {
            if outcome.is_err_and(|error| error.is_parse()) {
                handler.metrics.rejected.inc();
            }
            return Poll::Ready(());
        }
        if evicted.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let until = deadline.get();
        if alarm.deadline() != until {
            alarm.as_mut().reset(until);
        }
        alarm
            .as_mut()
            .poll(cx)
            .map(|()| handler.metrics.timed_out.inc())
    })
    .await;
}

/// A connection's stream, as hyper reads and writes it.
struct Socket {
    // Before the stream, since that is the order in which they are dropped.
    #[cfg(unix)]
    _closed_in_child: crate::system::ClosedInChild,
    stream: TcpStream,
}

impl Socket {
    fn new(stream: TcpStream) -> Self {
        Self {
            #[cfg(unix)]
            _closed_in_child: crate::system::ClosedInChild::new(&stream),
            stream,
        }
    }
}

impl Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut bytes = [0; 4096];
        let room = buffer.remaining().min(bytes.len());
        let mut read = ReadBuf::new(&mut bytes[..room]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        buffer.put_slice(read.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
