//! What a run has learned about one host. It is forgotten with the client.

/// What a run has learned about one host.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // each was learned on its own
pub(crate) struct Learned {
    /// HEAD is refused.
    pub(crate) no_head: bool,
    /// Mounts are answered with errors.
    pub(crate) no_mounts: bool,
    /// There is no referrers API.
    pub(crate) no_referrers: bool,
    /// Whether it keeps track of subjects itself: what it answered when one was pushed.
    pub(crate) tracks_subjects: Option<bool>,
    /// `Expect: 100-continue` is refused.
    pub(crate) no_expect: bool,
    /// Whether blobs are uploaded in one PUT, since PATCH is refused, or never, since a PUT is.
    pub(crate) one_put: Option<bool>,
    /// The largest PATCH that was accepted after a larger one was not.
    pub(crate) chunk: Option<u64>,
    /// Whether it accepted an index whose children are absent.
    pub(crate) sparse_indexes: Option<bool>,
}
