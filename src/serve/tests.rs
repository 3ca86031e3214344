//! The server with a source that does what a test wants of it, over real sockets.

use super::{Cancel, Format, Health, Options, Parameters, Problem, Server, Source};
use crate::metrics::{Registry, ServeMetrics};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Its questions take until they are let go, or interrupted.
#[derive(Default)]
struct Fake {
    panics: AtomicBool,
    holds: AtomicBool,
    asked: AtomicU32,
}

impl Source for Fake {
    fn metrics(&self, format: Format) -> String {
        assert!(!self.panics.load(Ordering::Relaxed), "panicked in metrics");
        format!("{format:?}")
    }

    fn health(&self) -> Health {
        Health {
            healthy: false,
            json: "{\"status\":\"unhealthy\"}".into(),
        }
    }

    fn page(&self, _: &str, filters: &Parameters, cancel: &Cancel) -> Result<String, Problem> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        assert!(
            !self.panics.load(Ordering::Relaxed),
            "panicked in operations"
        );
        if !self.holds.load(Ordering::Relaxed) {
            return Ok(format!("{filters:?}"));
        }
        while !cancel.is_cancelled() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(Problem::Failed("interrupted".into()))
    }

    fn member(
        &self,
        _: &str,
        id: &str,
        _: &Parameters,
        _: &Cancel,
    ) -> Result<Option<String>, Problem> {
        match id {
            "known" => Ok(Some("{}".into())),
            "broken" => Err(Problem::Failed("the disk is gone".into())),
            _ => Ok(None),
        }
    }

    fn row(&self, _: &str, _: &Parameters, _: &Cancel) -> Result<String, Problem> {
        Err(Problem::Parameter("period is 'x': give another".into()))
    }
}

struct Running {
    server: Server,
    source: Arc<Fake>,
    metrics: Arc<ServeMetrics>,
}

fn start() -> Running {
    let source = Arc::<Fake>::default();
    let metrics = Arc::new(ServeMetrics::register(&Registry::default()));
    let options = Options::parse("127.0.0.1", 0, None).unwrap();
    Running {
        server: Server::start(options, Arc::clone(&source) as _, Arc::clone(&metrics)).unwrap(),
        source,
        metrics,
    }
}

fn send(address: SocketAddr, target: &str, headers: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn receive(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    // A reset ends an answer as well as a close does.
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn ask(address: SocketAddr, target: &str, headers: &str) -> String {
    receive(send(address, target, headers))
}

fn wait_until(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "it never came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_source_decides_what_is_answered() {
    let running = start();
    let address = running.server.address();
    for (target, status, content) in [
        ("/metrics", "200 OK", "Text"),
        ("/health", "503 ", "unhealthy"),
        ("/operations?a=b+c", "200 OK", "[(\"a\", \"b c\")]"),
        (
            "/projects/p%2F/operations",
            "200 OK",
            "[(\"project_id\", \"p/\")]",
        ),
        ("/operations/known", "200 OK", "{}"),
        (
            "/operations/unknown",
            "404 ",
            "no operation has the id unknown",
        ),
        ("/operations/broken", "500 ", "the disk is gone"),
        ("/operations/stats", "400 ", "period is 'x': give another"),
    ] {
        let answer = ask(address, target, "");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{answer}"
        );
        assert!(answer.contains(content), "{answer}");
    }
    let accept = "Accept: application/openmetrics-text; version=1.0.0\r\n";
    let answer = ask(address, "/metrics", accept);
    assert!(
        answer.contains(Format::OpenMetrics.content_type()),
        "{answer}"
    );
    assert!(answer.ends_with("OpenMetrics"), "{answer}");
    assert_eq!(running.metrics.requests.get(), 9);
    assert_eq!(running.metrics.rejected.get(), 2);
    assert_eq!(running.metrics.failed.get(), 1);
}

#[test]
fn a_panic_of_the_source_is_an_answer_like_any_other() {
    let running = start();
    let address = running.server.address();
    running.source.panics.store(true, Ordering::Relaxed);
    for target in [
        "/metrics",
        "/operations",
        "/metrics",
        "/operations",
        "/operations",
    ] {
        let answer = ask(address, target, "");
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(answer.contains("please report it"), "{answer}");
    }
    running.source.panics.store(false, Ordering::Relaxed);
    assert!(ask(address, "/operations", "").starts_with("HTTP/1.1 200 "));
    assert_eq!(running.metrics.reads.get(), 0);
}

#[test]
fn questions_that_find_no_turn_are_put_off_and_the_rest_is_answered() {
    let running = start();
    let address = running.server.address();
    running.source.holds.store(true, Ordering::Relaxed);
    let held = [(); 2].map(|()| send(address, "/operations", ""));
    wait_until(|| running.metrics.reads.get() == 2);
    let answer = ask(address, "/operations", "");
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    assert!(answer.contains("\"code\":\"busy\""), "{answer}");
    assert_eq!(running.metrics.busy.get(), 1);
    assert_eq!(running.source.asked.load(Ordering::Relaxed), 2);
    assert!(ask(address, "/metrics", "").starts_with("HTTP/1.1 200 "));
    // A client that goes away takes its question along.
    drop(held);
    wait_until(|| running.metrics.reads.get() == 0);
    running.source.holds.store(false, Ordering::Relaxed);
    assert!(ask(address, "/operations", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_stop_interrupts_what_runs_and_says_so() {
    let running = start();
    let address = running.server.address();
    running.source.holds.store(true, Ordering::Relaxed);
    let held = send(address, "/operations", "");
    wait_until(|| running.metrics.reads.get() == 1);
    let silent = TcpStream::connect(address).unwrap();
    let begun = Instant::now();
    running.server.stop();
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert!(receive(held).contains("\"code\":\"closing\""));
    assert_eq!(receive(silent), "");
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(running.metrics.connections.get(), 0);
    assert_eq!(running.metrics.reads.get(), 0);
    assert_eq!(Arc::strong_count(&running.source), 1);
}
