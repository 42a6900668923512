//! A request as a value, so that it can be repeated.

/// A request whose body, if any, is in memory.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    /// Path and query on the registry.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: &'a [u8],
    /// The scopes that a token needs, separated by spaces.
    pub(crate) scope: String,
    /// Whether the response is a blob, which takes as long as it takes; any other has to end in time.
    pub(crate) streams: bool,
}

impl Request<'_> {
    pub(crate) fn new(
        method: &'static str,
        path: impl Into<String>,
        scope: impl Into<String>,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: &[],
            scope: scope.into(),
            streams: false,
        }
    }

    pub(crate) fn get(path: impl Into<String>, scope: impl Into<String>) -> Self {
        Self::new("GET", path, scope)
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn follows_redirects(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}
