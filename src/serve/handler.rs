//! From a request to its response.

use super::access;
use super::body::{Body, Budget};
use super::cancel::Cancel;
use super::limits::{READS_MAX, READ_TIME, READ_WAIT, TARGET_BYTES_MAX};
use super::reply::{Rejection, Reply};
use super::route::{listed, Asked, Lost, Shape};
use super::target::parameters;
use super::{Problem, Source};
use crate::excerpt::excerpt;
use crate::locks::lock;
use crate::metrics::{Format, ServeMetrics};
use hyper::header::ACCEPT;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// What handles all requests of a server.
pub struct Handler {
    token: Option<String>,
    source: Arc<dyn Source>,
    pub metrics: Arc<ServeMetrics>,
    budget: Budget,
    reads: Arc<Semaphore>,
    running: Mutex<Running>,
}

/// The questions that run.
#[derive(Default)]
struct Running {
    closing: bool,
    next: u64,
    cancels: HashMap<u64, Cancel>,
}

impl Handler {
    pub fn new(token: Option<String>, source: Arc<dyn Source>, metrics: Arc<ServeMetrics>) -> Self {
        Self {
            token,
            source,
            metrics,
            budget: Budget::default(),
            reads: Arc::new(Semaphore::new(READS_MAX)),
            running: Mutex::default(),
        }
    }

    /// Lets no question begin any more, and has those that run end soon.
    pub fn cancel_reads(&self) {
        let mut running = self.running();
        running.closing = true;
        running.cancels.values().for_each(Cancel::cancel);
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        lock(&self.running)
    }

    /// The answer to one request; `ended` is called when the client has taken it.
    pub async fn handle(
        self: &Arc<Self>,
        request: &Parts,
        has_body: bool,
        ended: impl Fn() + Send + 'static,
    ) -> Response<Body> {
        self.metrics.requests.inc();
        let reply = match self.reply(request, has_body).await {
            Ok(reply) => reply,
            Err(rejection) => self.reject(&rejection),
        };
        match self.budget.take(reply.len()) {
            Some(share) => reply.into_response(|content| Body::new(content, Some(share), ended)),
            None => self
                .reject(&Rejection::busy(
                    "too many answers wait to be taken: ask again",
                ))
                .into_response(|content| Body::new(content, None, ended)),
        }
    }

    fn reject(&self, rejection: &Rejection) -> Reply {
        if rejection.is_busy() {
            self.metrics.busy.inc();
        } else if rejection.is_internal() {
            self.metrics.failed.inc();
        } else if rejection.status().is_client_error() {
            self.metrics.rejected.inc();
        }
        rejection.reply()
    }

    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether the client may ask at all.
    pub fn allows(&self, request: &Parts) -> bool {
        access::check(request, self.token.as_deref()).is_ok()
    }

    async fn reply(self: &Arc<Self>, request: &Parts, has_body: bool) -> Result<Reply, Rejection> {
        access::check(request, self.token.as_deref())?;
        let target = request
            .uri
            .path_and_query()
            .map_or("", |target| target.as_str());
        if target.len() > TARGET_BYTES_MAX {
            return Err(Rejection::uri_too_long(target.len()));
        }
        if has_body {
            return Err(Rejection::content_too_large());
        }
        let asked = Asked::of(request.uri.path()).map_err(|lost| match lost {
            Lost::Unknown => Rejection::not_found(format!(
                "nothing is at {}: ask for {}",
                request.uri.path(),
                listed()
            )),
            Lost::Malformed(problem) => Rejection::bad_request(&problem),
        })?;
        if request.method != Method::GET && request.method != Method::HEAD {
            return Err(Rejection::method_not_allowed(request.method.as_str()));
        }
        self.follow(asked, request).await
    }

    async fn follow(self: &Arc<Self>, asked: Asked, request: &Parts) -> Result<Reply, Rejection> {
        let Asked { shape, project, id } = asked;
        let query = match shape {
            Shape::Metrics => {
                let accept = request.headers.get_all(ACCEPT).iter();
                let format = Format::negotiate(accept.filter_map(|value| value.to_str().ok()));
                let text = self.work(move |source| source.metrics(format)).await?;
                return Ok(Reply::metrics(format, text));
            }
            Shape::Health => {
                let health = self.work(|source| source.health()).await?;
                let status = if health.healthy {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                return Ok(Reply::json(status, health.json));
            }
            Shape::Page(query) | Shape::Member(query) | Shape::Row(query) => query,
        };
        let filters = filters(request.uri.query().unwrap_or(""), project)?;
        let of = id.clone();
        let answer = self.read(move |source, cancel| match (shape, of) {
            (Shape::Page(_), _) => source.page(query, &filters, cancel).map(Some),
            (_, Some(id)) => source.member(query, &id, &filters, cancel),
            (_, None) => source.row(query, &filters, cancel).map(Some),
        });
        match answer.await? {
            Some(json) => Ok(Reply::json(StatusCode::OK, json)),
            None => Err(Rejection::not_found(format!(
                "no operation has the id {}: it was never recorded here, or retention has deleted it",
                id.unwrap_or_default()
            ))),
        }
    }

    /// Has something worked out on another thread, so that this one goes on waiting for sockets.
    async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&dyn Source) -> T + Send + 'static,
    ) -> Result<T, Rejection> {
        let source = Arc::clone(&self.source);
        tokio::task::spawn_blocking(move || work(&*source))
            .await
            .map_err(|_| {
                Rejection::internal("internal error in oplog (contained, please report it)")
            })
    }

    /// Asks a question that may take long.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&dyn Source, &Cancel) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Rejection> {
        let turn = timeout(READ_WAIT, Arc::clone(&self.reads).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Rejection::busy(format!(
                "{READS_MAX} other questions are being answered: ask again"
            )));
        };
        let read = self.begin_read().ok_or_else(Rejection::closing)?;
        let waiting = CancelOnDrop(read.cancel.clone());
        let answer = self.work(move |source| {
            let answer = ask(source, &read.cancel);
            // Held until here, whether or not somebody waits for the answer.
            drop((read, turn));
            answer
        });
        let answer = timeout(READ_TIME, answer).await;
        let closing = self.running().closing;
        drop(waiting);
        match answer {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(Problem::Parameter(problem)))) => Err(Rejection::bad_parameter(problem)),
            Ok(Ok(Err(Problem::TooLarge(problem)))) => Err(Rejection::answer_too_large(problem)),
            _ if closing => Err(Rejection::closing()),
            Ok(Ok(Err(Problem::Failed(problem)))) => Err(Rejection::internal(problem)),
            Ok(Err(rejection)) => Err(rejection),
            Err(_) => Err(Rejection::timeout(format!(
                "the question took {} s: ask about a shorter period, or in SQL",
                READ_TIME.as_secs()
            ))),
        }
    }

    fn begin_read(self: &Arc<Self>) -> Option<Read> {
        let mut running = self.running();
        if running.closing {
            return None;
        }
        let cancel = Cancel::default();
        let number = running.next;
        running.next += 1;
        running.cancels.insert(number, cancel.clone());
        self.metrics.reads.inc();
        Some(Read {
            handler: Arc::clone(self),
            number,
            cancel,
        })
    }
}

/// A question that runs, until it is dropped.
struct Read {
    handler: Arc<Handler>,
    number: u64,
    cancel: Cancel,
}

impl Drop for Read {
    fn drop(&mut self) {
        self.handler.running().cancels.remove(&self.number);
        self.handler.metrics.reads.dec();
    }
}

/// Whoever waited for the answer has it, or is gone.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn filters(query: &str, project: Option<String>) -> Result<Vec<(String, String)>, Rejection> {
    let mut filters = parameters(query).map_err(Rejection::bad_parameter)?;
    if let Some(project) = project {
        if let Some((_, given)) = filters.iter().find(|(name, _)| name == "project_id") {
            return Err(Rejection::bad_parameter(format!(
                "project_id is '{given}', and the path names '{project}': leave the parameter out",
                given = excerpt(given),
                project = excerpt(&project)
            )));
        }
        filters.push(("project_id".to_owned(), project));
    }
    Ok(filters)
}
