//! Answers as they go out: status, headers, and what a rejection says.

use super::body::Body;
use crate::metrics::Format;
use hyper::header::{
    HeaderName, HeaderValue, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE,
};
use hyper::header::{RETRY_AFTER, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use hyper::{Response, StatusCode};

const JSON: &str = "application/json";

/// An answer before it is sent.
pub struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    content: String,
}

impl Reply {
    pub fn json(status: StatusCode, content: String) -> Self {
        Self::new(status, JSON, content)
    }

    pub fn metrics(format: Format, content: String) -> Self {
        let mut reply = Self::new(StatusCode::OK, format.content_type(), content);
        reply
            .headers
            .push((VARY, HeaderValue::from_static("Accept")));
        reply
    }

    fn new(status: StatusCode, content_type: &'static str, content: String) -> Self {
        Self {
            status,
            headers: vec![
                (CONTENT_TYPE, HeaderValue::from_static(content_type)),
                (CONTENT_LENGTH, HeaderValue::from(content.len())),
                // Answers are of this moment and for this client; nothing may keep them, or take them for something to run.
                (CACHE_CONTROL, HeaderValue::from_static("no-store")),
                (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            ],
            content,
        }
    }

    pub fn len(&self) -> usize {
        self.content.len()
    }

    /// The answer with the body that `body` makes of its content.
    pub fn into_response(mut self, body: impl FnOnce(String) -> Body) -> Response<Body> {
        let mut response = Response::new(body(std::mem::take(&mut self.content)));
        *response.status_mut() = self.status;
        response.headers_mut().extend(self.headers);
        response
    }

    /// The answer as bytes, after which the connection is closed.
    pub fn to_wire(&self) -> String {
        let mut wire = format!("HTTP/1.1 {}\r\nconnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            wire += &format!("{name}: {}\r\n", value.to_str().unwrap_or_default());
        }
        wire + "\r\n" + &self.content
    }
}

/// Why a request is not answered with what it asks for: what is wrong, the value, the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    kind: Kind,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    BadRequest,
    BadParameter,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    ContentTooLarge,
    AnswerTooLarge,
    UriTooLong,
    Busy,
    Timeout,
    Closing,
    Internal,
}

impl Kind {
    fn code(self) -> (StatusCode, &'static str) {
        match self {
            Self::BadRequest => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::BadParameter => (StatusCode::BAD_REQUEST, "bad_parameter"),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::ContentTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "content_too_large"),
            Self::AnswerTooLarge => (StatusCode::UNPROCESSABLE_ENTITY, "answer_too_large"),
            Self::UriTooLong => (StatusCode::URI_TOO_LONG, "uri_too_long"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            Self::Closing => (StatusCode::SERVICE_UNAVAILABLE, "closing"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    fn headers(self) -> Vec<(HeaderName, HeaderValue)> {
        let fixed = |name, value| vec![(name, HeaderValue::from_static(value))];
        match self {
            // A client without the token gets no second try for the price of one connection.
            Self::Unauthorized => {
                let mut headers = fixed(WWW_AUTHENTICATE, "Bearer realm=\"oplog\"");
                headers.extend(fixed(CONNECTION, "close"));
                headers
            }
            Self::MethodNotAllowed => fixed(ALLOW, "GET, HEAD"),
            Self::Busy | Self::Timeout => fixed(RETRY_AFTER, "1"),
            // What is left of the request would be taken for the next one, or has to be read for nothing.
            Self::ContentTooLarge | Self::Closing => fixed(CONNECTION, "close"),
            _ => Vec::new(),
        }
    }
}

impl Rejection {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub fn bad_request(message: &str) -> Self {
        Self::new(Kind::BadRequest, message)
    }

    pub fn bad_parameter(message: impl Into<String>) -> Self {
        Self::new(Kind::BadParameter, message)
    }

    pub fn unauthorized(message: &str) -> Self {
        Self::new(Kind::Unauthorized, message)
    }

    pub fn forbidden(message: &str) -> Self {
        Self::new(Kind::Forbidden, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub fn method_not_allowed(method: &str) -> Self {
        Self::new(
            Kind::MethodNotAllowed,
            format!("the method is {method}: everything here is read with GET or HEAD"),
        )
    }

    pub fn answer_too_large(message: impl Into<String>) -> Self {
        Self::new(Kind::AnswerTooLarge, message)
    }

    pub fn content_too_large() -> Self {
        Self::new(
            Kind::ContentTooLarge,
            "the request has a body: leave it out, nothing here takes one",
        )
    }

    pub fn uri_too_long(bytes: usize) -> Self {
        let max = super::limits::TARGET_BYTES_MAX;
        Self::new(
            Kind::UriTooLong,
            format!("path and query have {bytes} bytes: {max} are the limit"),
        )
    }

    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(Kind::Busy, message)
    }

    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(Kind::Timeout, message)
    }

    pub fn closing() -> Self {
        Self::new(
            Kind::Closing,
            "the server stops: oplog_serve_stop() was called, or the database is being closed",
        )
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    pub fn status(&self) -> StatusCode {
        self.kind.code().0
    }

    /// Whether a limit of the server is the reason, and not the request.
    pub fn is_busy(&self) -> bool {
        matches!(self.kind, Kind::Busy | Kind::Timeout)
    }

    pub fn is_internal(&self) -> bool {
        self.kind == Kind::Internal
    }

    pub fn reply(&self) -> Reply {
        let (status, code) = self.kind.code();
        let error = serde_json::json!({
            "error": {"status": status.as_u16(), "code": code, "message": self.message}
        });
        let mut reply = Reply::json(status, error.to_string());
        reply.headers.extend(self.kind.headers());
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_is_json_whatever_it_quotes() {
        let message = "command is '\"</script>\u{1}\n': give another";
        let reply = Rejection::bad_parameter(message).reply();
        let read: serde_json::Value = serde_json::from_str(&reply.content).unwrap();
        assert_eq!(read["error"]["message"], message);
        assert_eq!(read["error"]["code"], "bad_parameter");
        assert_eq!(read["error"]["status"], 400);
    }
}
