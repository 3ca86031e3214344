//! The HTTP server of a log: one at most, whichever of its hosts has started it.

use super::engine::Engine;
use super::error::Error;
use super::shared::Shared;
use crate::locks::lock;
use crate::serve::{Options, Server, Source};
use std::net::SocketAddr;
use std::sync::Arc;

impl Engine {
    /// Has a server listen, and returns where. It is the same one where it runs with the same options already.
    pub fn serve(
        &self,
        options: Options,
        source: impl FnOnce(Arc<Shared>) -> Arc<dyn Source>,
    ) -> Result<SocketAddr, Error> {
        let mut server = lock(&self.serving.server);
        if let Some(running) = server.as_ref().filter(|server| !server.has_stopped()) {
            if running.is(&options) {
                return Ok(running.address());
            }
            return Err(Error::Serves {
                address: running.address(),
            });
        }
        *server = None;
        let metrics = Arc::clone(&self.shared.metrics.own.serve);
        let started = Server::start(options, source(Arc::clone(&self.shared)), metrics)
            .map_err(Error::Serve)?;
        Ok(server.insert(started).address())
    }

    /// Ends the server, and returns where it listened.
    pub fn stop_serving(&self) -> Option<SocketAddr> {
        let server = lock(&self.serving.server).take()?;
        let address = server.address();
        server.stop();
        Some(address)
    }

    /// Where a server listens now.
    pub fn serving_at(&self) -> Option<SocketAddr> {
        let server = lock(&self.serving.server);
        let running = server.as_ref().filter(|server| !server.has_stopped());
        running.map(Server::address)
    }
}
