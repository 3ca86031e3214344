//! The paths that there are, a row each: what is answered, in which shape, and what to say of it. An answer of 404 and
//! docs/http.md list them from here.

use super::target::segments;

/// What a path answers.
pub struct Route {
    /// With placeholders, such as `{id}`. The first route that fits is taken.
    pub path: &'static str,
    pub shape: Shape,
    /// Whether `/projects/{project_id}` may stand before it.
    pub of_project: bool,
    /// What it answers, in words.
    pub answers: &'static str,
}

/// What is asked of the source, and what is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Metrics,
    Health,
    /// The rows of this function, a page at a time.
    Page(&'static str),
    /// The row of this function that has the id in the path.
    Member(&'static str),
    /// The one row of this function.
    Row(&'static str),
}

pub const ROUTES: &[Route] = &[
    Route {
        path: "/metrics",
        shape: Shape::Metrics,
        of_project: false,
        answers: "all metrics",
    },
    Route {
        path: "/health",
        shape: Shape::Health,
        of_project: false,
        answers: "200 or 503, and why",
    },
    Route {
        path: "/operations",
        shape: Shape::Page("oplog_operations"),
        of_project: true,
        answers: "operations, newest first, a page at a time",
    },
    Route {
        path: "/operations/stats",
        shape: Shape::Row("oplog_summary"),
        of_project: true,
        answers: "what a period came to",
    },
    Route {
        path: "/operations/{id}",
        shape: Shape::Member("oplog_operations"),
        of_project: true,
        answers: "one operation",
    },
];

/// What stands before the path of a route for one project.
pub const PROJECT: &str = "/projects/{project_id}";

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub shape: Shape,
    /// The project that the path is about, none for all of them.
    pub project: Option<String>,
    /// What stands in the place of `{id}`.
    pub id: Option<String>,
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    Unknown,
    Malformed(String),
}

impl Asked {
    /// Paths are taken as they are: nothing is collapsed, and `..` is a name like any other.
    pub fn of(path: &str) -> Result<Self, Lost> {
        let given = segments(path).map_err(Lost::Malformed)?;
        let (project, rest) = match given.as_slice() {
            [first, project, rest @ ..] if first == "projects" && !project.is_empty() => {
                (Some(project.clone()), rest)
            }
            all => (None, all),
        };
        let mut routes = ROUTES
            .iter()
            .filter(|route| project.is_none() || route.of_project);
        let (shape, id) = routes
            .find_map(|route| Some((route.shape, fits(route.path, rest)?)))
            .ok_or(Lost::Unknown)?;
        Ok(Self { shape, project, id })
    }
}

/// The id in a path, none in one without, where these segments are of that path.
fn fits(path: &str, given: &[String]) -> Option<Option<String>> {
    let wanted: Vec<&str> = path.split('/').skip(1).collect();
    if wanted.len() != given.len() {
        return None;
    }
    let mut id = None;
    for (wanted, given) in wanted.into_iter().zip(given) {
        match wanted {
            "{id}" if !given.is_empty() => id = Some(given.clone()),
            literal if literal == given => {}
            _ => return None,
        }
    }
    Some(id)
}

/// The paths that there are, in words.
pub fn listed() -> String {
    let listed = |route: &Route| format!("{} ({})", route.path, route.answers);
    let all: Vec<String> = ROUTES.iter().map(listed).collect();
    let of_project = ROUTES.iter().filter(|route| route.of_project);
    let of_project: Vec<&str> = of_project.map(|route| route.path).collect();
    format!(
        "{}; {} below {PROJECT} too",
        all.join(", "),
        of_project.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_path() {
        let (page, row, member) = (
            Shape::Page("oplog_operations"),
            Shape::Row("oplog_summary"),
            Shape::Member("oplog_operations"),
        );
        for (path, shape, project, id) in [
            ("/metrics", Shape::Metrics, None, None),
            ("/health", Shape::Health, None, None),
            ("/operations", page, None, None),
            ("/operations/stats", row, None, None),
            ("/operations/x", member, None, Some("x")),
            ("/projects/p%201/operations", page, Some("p 1"), None),
            ("/projects/p%201/operations/stats", row, Some("p 1"), None),
            (
                "/projects/p%201/operations/x",
                member,
                Some("p 1"),
                Some("x"),
            ),
            ("/operations/..", member, None, Some("..")),
            ("/projects/../operations", page, Some(".."), None),
        ] {
            let asked = Asked {
                shape,
                project: project.map(str::to_owned),
                id: id.map(str::to_owned),
            };
            assert_eq!(Asked::of(path), Ok(asked), "{path}");
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
            assert_eq!(Asked::of(path), Err(Lost::Unknown), "{path}");
        }
        for path in [
            "",
            "*",
            "metrics",
            "/%",
            "/metrics%",
            "/%c0%ae%c0%ae/metrics",
        ] {
            assert!(matches!(Asked::of(path), Err(Lost::Malformed(_))), "{path}");
        }
    }
}
