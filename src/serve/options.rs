//! Where to listen and whom to answer.

use crate::excerpt::excerpt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What `oplog_serve` was called with.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    pub address: IpAddr,
    /// 0 for any free one.
    pub port: u16,
    /// What requests must bring along. Never shown.
    pub token: Option<String>,
}

impl Options {
    /// The port of OpenTelemetry's exporter for Prometheus.
    pub const PORT_DEFAULT: i64 = 9464;
    pub const ADDRESS_DEFAULT: &str = "127.0.0.1";

    pub fn parse(address: &str, port: i64, token: Option<String>) -> Result<Self, String> {
        let ip = parse_address(address)?;
        let port = u16::try_from(port)
            .map_err(|_| format!("port is {port}: give 0 to 65535, 0 for any free one"))?;
        match &token {
            // The characters of a bearer token are a subset of these (RFC 6750); a header has no others.
            Some(token)
                if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) =>
            {
                return Err(format!(
                    "token is {}: give visible ASCII characters without blanks, such as those of uuid()",
                    if token.is_empty() { "''" } else { "no token that a header can carry" }
                ));
            }
            None if !ip.is_loopback() => {
                return Err(format!(
                    "address is '{address}', which other machines can reach: give a token too, or leave the address out", address = excerpt(address)));
            }
            _ => {}
        }
        Ok(Self {
            address: ip,
            port,
            token,
        })
    }

    pub fn listen_on(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse().map_err(|_| {
        format!(
            "address is '{text}': give an IP address, such as 127.0.0.1, ::1 or 0.0.0.0",
            text = excerpt(text)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(address: &str, port: i64, token: Option<&str>) -> Result<String, String> {
        Options::parse(address, port, token.map(str::to_owned))
            .map(|options| options.listen_on().to_string())
    }

    #[test]
    fn loopback_needs_no_token() {
        assert_eq!(
            options("127.0.0.1", 9464, None),
            Ok("127.0.0.1:9464".into())
        );
        assert_eq!(options("127.8.9.1", 0, None), Ok("127.8.9.1:0".into()));
        assert_eq!(options("localhost", 1, None), Ok("127.0.0.1:1".into()));
        assert_eq!(options("[::1]", 65535, None), Ok("[::1]:65535".into()));
        assert_eq!(options("0.0.0.0", 80, Some("s")), Ok("0.0.0.0:80".into()));
        assert_eq!(options("::", 80, Some("s")), Ok("[::]:80".into()));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_value_and_the_remedy() {
        for (address, port, token, error) in [
            (
                "0.0.0.0",
                0,
                None,
                "address is '0.0.0.0', which other machines can reach: give a token too",
            ),
            (
                "::",
                0,
                None,
                "address is '::', which other machines can reach",
            ),
            (
                "192.168.1.5",
                0,
                None,
                "address is '192.168.1.5', which other",
            ),
            (
                "example.com",
                0,
                Some("s"),
                "address is 'example.com': give an IP address",
            ),
            ("", 0, None, "address is '': give an IP address"),
            (
                "127.0.0.1:80",
                0,
                None,
                "address is '127.0.0.1:80': give an IP address",
            ),
            ("127.0.0.1", 65536, None, "port is 65536: give 0 to 65535"),
            ("127.0.0.1", -1, None, "port is -1: give 0 to 65535"),
            ("127.0.0.1", 0, Some(""), "token is '': give visible ASCII"),
            (
                "127.0.0.1",
                0,
                Some("a b"),
                "token is no token that a header can carry",
            ),
            (
                "127.0.0.1",
                0,
                Some("ž"),
                "token is no token that a header can carry",
            ),
        ] {
            let refusal = options(address, port, token).unwrap_err();
            assert!(refusal.starts_with(error), "{refusal}");
        }
    }
}
