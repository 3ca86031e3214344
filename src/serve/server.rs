//! A listening socket and its thread, from start to stop.

use super::connection;
use super::handler::Handler;
use super::limits::{CONNECTIONS_MAX, GRACE_TIME, READS_MAX};
use super::options::Options;
use super::reply::Rejection;
use super::slots::Slots;
use super::Source;
use crate::metrics::ServeMetrics;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// A server that runs. It holds its source, and must be stopped before what the source needs is gone; dropping it stops it
/// too. Neither may happen on a thread of its own.
pub struct Server {
    options: Options,
    address: SocketAddr,
    handler: Arc<Handler>,
    stopping: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens before it returns.
    pub fn start(
        options: Options,
        source: Arc<dyn Source>,
        metrics: Arc<ServeMetrics>,
    ) -> Result<Self, String> {
        let wanted = options.listen_on();
        let listening = |error: io::Error| {
            format!("cannot listen on {wanted} ({error}): give another address or port, or port := 0 for any free one")
        };
        // Takes the port over from connections of an earlier server that linger; not from one that listens.
        let listener = std::net::TcpListener::bind(wanted).map_err(listening)?;
        listener.set_nonblocking(true).map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let starting = |error: io::Error| format!("cannot start the server's thread: {error}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            // One more than reads, so that metrics and health need not wait for them.
            .max_blocking_threads(READS_MAX + 1)
            .thread_name("oplog-answer")
            .build()
            .map_err(starting)?;
        let listener = {
            let _entered = runtime.enter();
            TcpListener::from_std(listener).map_err(listening)?
        };
        let handler = Arc::new(Handler::new(options.token.clone(), source, metrics));
        let (stopping, stop) = watch::channel(false);
        let for_thread = Arc::clone(&handler);
        let thread = std::thread::Builder::new()
            .name("oplog-serve".into())
            .spawn(move || {
                // A panic ends the server; that it has stopped is seen from outside.
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    runtime.block_on(listen(listener, for_thread, stop));
                    // Waits for the threads that work out answers.
                    drop(runtime);
                }));
            })
            .map_err(starting)?;
        Ok(Self {
            options,
            address,
            handler,
            stopping,
            thread: Some(thread),
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn has_stopped(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Whether it runs as it would if it were started with these options.
    pub fn is(&self, options: &Options) -> bool {
        let same_port = [self.options.port, self.address.port()].contains(&options.port);
        same_port && self.options.address == options.address && self.options.token == options.token
    }

    /// Closes every connection and ends every thread. Requests under way get [`GRACE_TIME`].
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        // It is gone where nobody receives.
        let _ = self.stopping.send(true);
        self.handler.cancel_reads();
        let _ = thread.join();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Takes in connections until the server stops, and then sees them out.
async fn listen(listener: TcpListener, handler: Arc<Handler>, stop: watch::Receiver<bool>) {
    // Declared behind the listener, and so dropped before it.
    #[cfg(unix)]
    let closed_in_child = crate::system::ClosedInChild::new(&listener);
    let slots = Slots::new(handler.has_token());
    let mut connections = JoinSet::new();
    let mut stopping = stop.clone();
    let mut stopped = std::pin::pin!(stopping.wait_for(|stopping| *stopping));
    loop {
        let accepted = std::future::poll_fn(|cx| {
            if stopped.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            // Connections that have ended are let go of here.
            while let Poll::Ready(Some(_)) = connections.poll_join_next(cx) {}
            listener.poll_accept(cx).map(Some)
        })
        .await;
        match accepted {
            None => break,
            Some(Ok((stream, client))) => {
                let slot = slots.take(client.ip());
                if !matches!(slot, Some((_, false))) {
                    handler.metrics.refused.inc();
                }
                let Some((slot, _)) = slot else {
                    reject(stream);
                    continue;
                };
                let open = Open::new(&handler.metrics);
                let served = connection::serve(stream, slot, Arc::clone(&handler), stop.clone());
                connections.spawn(async move {
                    served.await;
                    drop(open);
                });
            }
            // The client is gone already, or the process has no file left: the next one may fare better in a moment.
            Some(Err(_)) => sleep(Duration::from_millis(20)).await,
        }
    }
    #[cfg(unix)]
    drop(closed_in_child);
    drop(listener);
    let all_gone = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE_TIME, all_gone).await.is_err() {
        connections.shutdown().await;
    }
}

/// Tells a client that there is no room, as far as that goes without waiting for it.
fn reject(stream: TcpStream) {
    let reply =
        Rejection::busy(format!("{CONNECTIONS_MAX} connections are open: try again")).reply();
    let Ok(mut stream) = stream.into_std() else {
        return;
    };
    // To close a connection with something unread would take the answer back.
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write(reply.to_wire().as_bytes());
    let _ = stream.shutdown(Shutdown::Both);
}

/// A connection counts while this lives.
struct Open(Arc<ServeMetrics>);

impl Open {
    fn new(metrics: &Arc<ServeMetrics>) -> Self {
        metrics.connections.inc();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
