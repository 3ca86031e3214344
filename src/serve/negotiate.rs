//! Which format of the metrics a client wants (RFC 9110, section 12.5.1).

use crate::metrics::Format;

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that the Accept headers like best, the text format where they like both alike. One that likes neither gets
    /// the text format too, as from every Prometheus client: a scraper can do more with that than with 406.
    pub fn negotiate<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let ranges: Vec<Range<'_>> = accept
            .into_iter()
            .flat_map(|header| header.split(','))
            .filter_map(Range::parse)
            .collect();
        if Self::OpenMetrics.quality(&ranges) > Self::Text.quality(&ranges) {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// What the most specific range that fits says, in thousandths.
    fn quality(self, ranges: &[Range<'_>]) -> u16 {
        ranges
            .iter()
            .filter_map(|range| Some((range.fits(self)?, range.quality)))
            .max()
            .map_or(0, |(_, quality)| quality)
    }

    fn parts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Text => ("text", "plain", "0.0.4"),
            Self::OpenMetrics => ("application", "openmetrics-text", "1.0.0"),
        }
    }
}

/// One element of an Accept header.
struct Range<'a> {
    main: &'a str,
    sub: &'a str,
    version: Option<&'a str>,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(element: &'a str) -> Option<Self> {
        let mut parts = element.split(';').map(str::trim);
        let (main, sub) = parts.next()?.split_once('/')?;
        let mut range = Self {
            main,
            sub,
            version: None,
            quality: 1000,
        };
        for part in parts {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"');
            if name.trim().eq_ignore_ascii_case("version") {
                range.version = Some(value);
            } else if name.trim().eq_ignore_ascii_case("q") {
                // What is no number makes the element worthless, not the request.
                let quality: f64 = value.parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
                range.quality = (quality * 1000.0).round() as u16;
            }
        }
        Some(range)
    }

    /// How specific the range is, where the format is in it. Parameters other than the version (a charset, how names are
    /// escaped) are the client's wishes for a format, and do not rule it out.
    fn fits(&self, format: Format) -> Option<u8> {
        let (main, sub, version) = format.parts();
        let specific = if self.main == "*" && self.sub == "*" {
            0
        } else if !self.main.eq_ignore_ascii_case(main) {
            return None;
        } else if self.sub == "*" {
            1
        } else if self.sub.eq_ignore_ascii_case(sub) {
            2
        } else {
            return None;
        };
        match self.version {
            None => Some(specific),
            Some(wanted) => (wanted == version).then_some(specific + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_format_is_given() {
        use Format::{OpenMetrics, Text};
        for (accept, format) in [
            ("", Text),
            ("*/*", Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Text),
            ("text/plain", Text),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; Version=1.0.0", OpenMetrics),
            (
                "application/openmetrics-text; version=\"1.0.0\"",
                OpenMetrics,
            ),
            ("application/openmetrics-text; version=0.0.1", Text),
            ("application/openmetrics-text;q=0.5,text/plain;q=0.6", Text),
            (
                "application/openmetrics-text;q=0.6,text/plain;q=0.5",
                OpenMetrics,
            ),
            ("application/openmetrics-text, text/plain", Text),
            ("application/*", OpenMetrics),
            (
                "application/*;q=0.9, application/openmetrics-text;q=0, text/*;q=0.1",
                Text,
            ),
            ("*/*;q=0.1, text/plain;q=0", OpenMetrics),
            ("application/openmetrics-text;q=nonsense", Text),
            ("application/openmetrics-text;q=2, text/plain;q=0.1", Text),
            ("application/json", Text),
            ("text/plain;q=0, application/openmetrics-text;q=0", Text),
            (",;,/,q=1,;;=", Text),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.0011",
                OpenMetrics,
            ),
        ] {
            assert_eq!(Format::negotiate([accept]), format, "{accept}");
        }
        assert_eq!(Format::negotiate([]), Text);
        assert_eq!(
            Format::negotiate(["text/plain;q=0.1", "application/openmetrics-text;q=0.2"]),
            OpenMetrics
        );
    }

    #[test]
    fn prometheus_gets_openmetrics_and_its_scraper_of_old_the_text() {
        // What Prometheus 3 sends, without and with its preference for protobuf.
        let modern = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(Format::negotiate([modern]), Format::OpenMetrics);
        let protobuf = format!(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,{modern}"
        );
        assert_eq!(Format::negotiate([protobuf.as_str()]), Format::OpenMetrics);
        let only_text = "text/plain;version=0.0.4;q=1,*/*;q=0.1";
        assert_eq!(Format::negotiate([only_text]), Format::Text);
    }
}
