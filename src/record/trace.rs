//! The `traceparent` header of W3C Trace Context, level 1 (section 3.2).

/// The two ids that the header carries.
#[derive(Debug, PartialEq, Eq)]
pub struct TraceParent<'a> {
    pub trace_id: &'a str,
    /// The span of the caller.
    pub parent_id: &'a str,
}

impl<'a> TraceParent<'a> {
    /// Parses `version-traceid-parentid-flags`. A version above 00 may carry more after the flags.
    pub fn parse(text: &'a str) -> Option<Self> {
        let hex = |part: &str, length: usize| {
            part.len() == length
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let mut parts = text.splitn(5, '-');
        let (version, trace_id, parent_id, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let zero = |part: &str| part.bytes().all(|byte| byte == b'0');
        (hex(version, 2)
            && version != "ff"
            && hex(trace_id, 32)
            && !zero(trace_id)
            && hex(parent_id, 16)
            && !zero(parent_id)
            && hex(flags, 2)
            && (version != "00" || parts.next().is_none()))
        .then_some(Self {
            trace_id,
            parent_id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn the_example_of_the_standard_is_read() {
        assert_eq!(
            TraceParent::parse(&format!("00-{TRACE}-{PARENT}-01")),
            Some(TraceParent {
                trace_id: TRACE,
                parent_id: PARENT
            })
        );
    }

    #[test]
    fn a_later_version_may_carry_more() {
        assert!(TraceParent::parse(&format!("01-{TRACE}-{PARENT}-01-what-else")).is_some());
        assert!(TraceParent::parse(&format!("00-{TRACE}-{PARENT}-01-what-else")).is_none());
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            "00".into(),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("00-{zeros}-{PARENT}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-{}-{PARENT}-01", &TRACE[1..]),
            format!("00-{TRACE}-{PARENT}"),
            format!("00-{TRACE}-{PARENT}-1"),
        ] {
            assert_eq!(TraceParent::parse(&bad), None, "{bad}");
        }
    }
}
