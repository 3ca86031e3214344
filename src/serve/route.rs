//! Which path asks for what.

use super::target::segments;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Metrics,
    Health,
    Operations(Scope),
    Operation(Scope, String),
    Stats(Scope),
}

/// The project that a path is about, none for all of them.
pub type Scope = Option<String>;

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    Unknown,
    Malformed(String),
}

impl Route {
    /// Paths are taken as they are: nothing is collapsed, and `..` is a name like any other.
    pub fn of(path: &str) -> Result<Self, Lost> {
        let segments = segments(path).map_err(Lost::Malformed)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["metrics"] => Ok(Self::Metrics),
            ["health"] => Ok(Self::Health),
            ["projects", project, rest @ ..] if !project.is_empty() => {
                Self::operations(Some((*project).to_owned()), rest)
            }
            rest => Self::operations(None, rest),
        }
    }

    fn operations(scope: Scope, segments: &[&str]) -> Result<Self, Lost> {
        match segments {
            ["operations"] => Ok(Self::Operations(scope)),
            ["operations", "stats"] => Ok(Self::Stats(scope)),
            ["operations", id] if !id.is_empty() => Ok(Self::Operation(scope, (*id).to_owned())),
            _ => Err(Lost::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_path() {
        let p = || Some("p 1".to_owned());
        for (path, route) in [
            ("/metrics", Route::Metrics),
            ("/health", Route::Health),
            ("/operations", Route::Operations(None)),
            ("/operations/stats", Route::Stats(None)),
            ("/operations/x", Route::Operation(None, "x".into())),
            ("/projects/p%201/operations", Route::Operations(p())),
            ("/projects/p%201/operations/stats", Route::Stats(p())),
            (
                "/projects/p%201/operations/x",
                Route::Operation(p(), "x".into()),
            ),
            ("/operations/..", Route::Operation(None, "..".into())),
            (
                "/projects/../operations",
                Route::Operations(Some("..".into())),
            ),
        ] {
            assert_eq!(Route::of(path), Ok(route), "{path}");
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "/",
            "//",
            "//metrics",
            "/metrics/",
            "/Metrics",
            "/metrics/..",
            "/operations/",
            "/operations//",
            "/operations/x/y",
            "/projects",
            "/projects/",
            "/projects/p",
            "/projects/p/",
            "/projects//operations",
            "/projects/p/metrics",
            "/projects/p/health",
            "/projects/p/projects/q/operations",
            "/%2Fmetrics",
            "/metrics%00",
            "/favicon.ico",
            "/operations%2Fstats",
        ] {
            assert_eq!(Route::of(path), Err(Lost::Unknown), "{path}");
        }
        for path in [
            "",
            "*",
            "metrics",
            "/%",
            "/metrics%",
            "/%c0%ae%c0%ae/metrics",
        ] {
            assert!(matches!(Route::of(path), Err(Lost::Malformed(_))), "{path}");
        }
    }
}
