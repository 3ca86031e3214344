//! Who gets an answer: the token, and without one the guard against pages in a browser on the same machine.

use super::reply::Rejection;
use hyper::header::{HeaderMap, HeaderName, AUTHORIZATION, HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::Version;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// Checks a request before anything else is looked at.
pub fn check(request: &Parts, token: Option<&str>) -> Result<(), Rejection> {
    let host = only(&request.headers, &HOST)?;
    if host.is_none() && request.version >= Version::HTTP_11 {
        return Err(Rejection::bad_request(
            "Host is missing: name the host in HTTP/1.1",
        ));
    }
    match token {
        Some(token) => check_token(&request.headers, token),
        None => {
            let target = request.uri.authority().map(|authority| authority.as_str());
            let origin = only(&request.headers, &ORIGIN)?;
            [target, host]
                .into_iter()
                .try_for_each(|host| check_local(host, origin))
        }
    }
}

fn check_token(headers: &HeaderMap, token: &str) -> Result<(), Rejection> {
    let given = only(headers, &AUTHORIZATION)?
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, given)| given.trim());
    match given {
        // In a time that says nothing about the token but its length.
        Some(given) if bool::from(given.as_bytes().ct_eq(token.as_bytes())) => Ok(()),
        Some(_) => Err(Rejection::unauthorized(
            "the token is wrong: give the one that oplog_serve was called with",
        )),
        None => Err(Rejection::unauthorized(
            "the token is missing: send the header Authorization: Bearer <token>",
        )),
    }
}

/// A page that somebody has open in a browser can send requests to loopback, and under a name that its owner points there it
/// could read the answers. Such requests name a foreign host or origin.
fn check_local(host: Option<&str>, origin: Option<&str>) -> Result<(), Rejection> {
    if let Some(host) = host.filter(|host| !is_local(host)) {
        return Err(Rejection::forbidden(&format!(
            "Host is '{host}': without a token only this machine is answered; ask for localhost, or call oplog_serve with \
             a token"
        )));
    }
    let foreign = |origin: &&str| {
        let host = origin.split_once("://").map(|(_, host)| host);
        !host.is_some_and(is_local)
    };
    if let Some(origin) = origin.filter(foreign) {
        return Err(Rejection::forbidden(&format!(
            "Origin is '{origin}': without a token pages of other hosts are not answered; call oplog_serve with a token"
        )));
    }
    Ok(())
}

/// Whether a host, perhaps with a port, can be no other than this machine.
fn is_local(host: &str) -> bool {
    let (bare, behind) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or_default(),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    // What is no port may be the beginning of another host, or of whatever a client makes of it.
    let is_port = |port: &str| port.bytes().all(|digit| digit.is_ascii_digit());
    if !behind.is_empty() && !behind.strip_prefix(':').is_some_and(is_port) {
        return false;
    }
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// The header's value; two of them would leave open which one counts.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Rejection> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(Some)
            .map_err(|_| Rejection::bad_request(&format!("{name} is no ASCII: send plain text"))),
        (Some(_), Some(_)) => Err(Rejection::bad_request(&format!(
            "{name} is given twice: send it once"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn status(token: Option<&str>, headers: &[(&str, &str)]) -> u16 {
        asked("/metrics", token, headers)
    }

    fn asked(uri: &str, token: Option<&str>, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        check(&parts, token).map_or_else(|rejection| rejection.status().as_u16(), |()| 200)
    }

    #[test]
    fn only_the_token_opens() {
        let host = ("host", "metrics.example.com");
        for (given, expected) in [
            ("Bearer secret", 200),
            ("bearer secret", 200),
            ("BEARER  secret", 200),
            ("Bearer secre", 401),
            ("Bearer secrets", 401),
            ("Bearer secretsecret", 401),
            ("Bearer Secret", 401),
            ("Bearer ", 401),
            ("Bearer", 401),
            ("Basic secret", 401),
            ("secret", 401),
            ("", 401),
        ] {
            let headers = [host, ("authorization", given)];
            assert_eq!(status(Some("secret"), &headers), expected, "{given}");
        }
        assert_eq!(status(Some("secret"), &[host]), 401);
        let twice = ("authorization", "Bearer secret");
        assert_eq!(status(Some("secret"), &[host, twice, twice]), 400);
    }

    #[test]
    fn without_a_token_only_this_machine_is_answered() {
        for host in [
            "localhost",
            "LOCALHOST:9464",
            "localhost.",
            "app.localhost:1",
            "127.0.0.1:9464",
            "127.9.9.9",
            "[::1]:80",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert_eq!(status(None, &[("host", host)]), 200, "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "evil-localhost",
            "127.0.0.1.nip.io",
            "10.0.0.1",
            "0.0.0.0",
            "[::2]",
            "[::1",
            "",
            "[]",
            "2130706433",
            "[::1]example.com",
            "localhost:80@example.com",
            "localhost:example.com",
        ] {
            assert_eq!(status(None, &[("host", host)]), 403, "{host}");
        }
        let local = ("host", "localhost:9464");
        assert_eq!(status(None, &[]), 400);
        assert_eq!(status(None, &[local, local]), 400);
        assert_eq!(
            status(None, &[local, ("origin", "http://localhost:3000")]),
            200
        );
        for origin in [
            "null",
            "https://example.com",
            "http://localhost.example.com",
            "http://localhost:80@example.com",
            "http://localhost/example.com",
            "file://",
            "",
        ] {
            assert_eq!(status(None, &[local, ("origin", origin)]), 403, "{origin}");
        }
        assert_eq!(asked("http://example.com/metrics", None, &[local]), 403);
        assert_eq!(asked("http://localhost/metrics", None, &[local]), 200);
        let foreign = ("host", "example.com");
        assert_eq!(asked("http://localhost/metrics", None, &[foreign]), 403);
    }
}
