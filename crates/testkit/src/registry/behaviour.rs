//! How a registry behaves where registries differ.

/// A known kind of registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What the distribution specification says, with all that it offers.
    Spec,
    /// distribution 2.8: ignores `Content-Range`, ends an upload session whose state is not the one in
    /// its `Location`, has no referrers API, refuses OCI manifests to clients that do not accept them.
    Distribution2,
    /// distribution 3: keeps broken sessions, asks for the newest `Location`, has no referrers API.
    Distribution3,
    /// ECR: a PATCH answers 201, chunks have at least 5 MB save the last.
    Ecr,
    /// ACR: a PUT of more than 20 MB is refused with 413.
    Acr,
    /// GHCR: a PATCH of more than 4 MiB is refused with 416.
    Ghcr,
    /// GAR: no PATCH.
    Gar,
    /// A proxy in front that takes bodies of no more than 1 MiB.
    SmallProxy,
}

/// What happens to mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounts {
    /// Done where the blob is there and the client may read it.
    Done,
    /// Never; an upload session is opened instead, which the specification allows.
    Ignored,
    /// Never; answered with this status.
    Refused(u16),
}

/// The differences, one by one. All fields may be set after choosing a [`Profile`].
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // each is a difference of its own
pub struct Behaviour {
    /// Whether a PATCH is known at all; else 405.
    pub patch: bool,
    /// The status of a PATCH that went well.
    pub patch_status: u16,
    /// The most bytes of a PATCH, and the status for more.
    pub max_patch: Option<(u64, u16)>,
    /// The most bytes of a PUT or POST, and the status for more.
    pub max_put: Option<(u64, u16)>,
    /// The fewest bytes of a chunk that is not the last; announced as `OCI-Chunk-Min-Length`.
    pub min_chunk: Option<u64>,
    /// Whether chunks must follow each other (416), as the specification says.
    pub content_range: bool,
    /// Whether `Location` carries the session's state, and what a client with an old one gets.
    pub session_state: SessionState,
    /// Whether a POST with `digest` and a body is an upload; else a session is opened.
    pub single_post: bool,
    /// What happens to mounts.
    pub mounts: Mounts,
    /// Whether a manifest's blobs and an index's children must be there.
    pub complete_manifests: bool,
    /// Whether manifests with `urls` are refused with 500, as distribution does.
    pub refuses_urls: bool,
    /// The most bytes of a manifest.
    pub max_manifest: usize,
    /// The status and code for a manifest that is larger.
    pub max_manifest_error: (u16, &'static str),
    /// Whether an OCI manifest is hidden from a client that does not accept its type.
    pub strict_accept: bool,
    /// Whether there is a referrers API; else 404 and no `OCI-Subject`.
    pub referrers: bool,
    /// Whether the referrers API filters by `artifactType`, and says so.
    pub filters: bool,
    /// How many entries a page of referrers has at most.
    pub referrers_page: Option<usize>,
    /// How many entries a page of tags or repositories has at most, whatever is asked for.
    pub list_page: Option<usize>,
    /// Whether blobs and manifests can be deleted; else 405.
    pub deletes: bool,
    /// Whether a tag can be deleted without its manifest; else 400 `DIGEST_INVALID`.
    pub deletes_tags: bool,
    /// Whether a tag that is there can be moved; else 400 `TAG_INVALID`.
    pub tags_move: bool,
    /// Whether a repository comes to be by a push; else 404 `NAME_UNKNOWN` unless it is there.
    pub creates_repositories: bool,
    /// Whether a blob's GET answers ranges.
    pub ranges: bool,
    /// Blobs are answered with 307 to this origin and the same path.
    pub redirect_blobs: Option<String>,
    /// Requests with an `Authorization` are refused with 400, as storage behind a redirect does.
    pub refuses_authorization: bool,
}

/// What an upload's `Location` says about the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Nothing.
    None,
    /// Its offset; a request with an old one ends the session (404).
    Deadly,
    /// Its offset; a PATCH or PUT with an old one is refused (416), a GET answers the new one.
    Checked,
}

impl Behaviour {
    /// What this kind of registry does.
    pub fn of(profile: Profile) -> Self {
        let spec = Self::spec();
        match profile {
            Profile::Spec => spec,
            Profile::Distribution2 => Self {
                content_range: false,
                deletes_tags: false,
                session_state: SessionState::Deadly,
                strict_accept: true,
                ..Self::distribution()
            },
            Profile::Distribution3 => Self {
                session_state: SessionState::Checked,
                ..Self::distribution()
            },
            Profile::Ecr => Self {
                patch_status: 201,
                min_chunk: Some(5_000_000),
                creates_repositories: false,
                ..spec
            },
            Profile::Acr => Self {
                max_put: Some((20_000_000, 413)),
                ..spec
            },
            Profile::Ghcr => Self {
                max_patch: Some((4 << 20, 416)),
                referrers: false,
                ..spec
            },
            Profile::Gar => Self {
                patch: false,
                ..spec
            },
            Profile::SmallProxy => Self {
                max_patch: Some((1 << 20, 413)),
                max_put: Some((1 << 20, 413)),
                ..spec
            },
        }
    }

    fn spec() -> Self {
        Self {
            patch: true,
            patch_status: 202,
            max_patch: None,
            max_put: None,
            min_chunk: None,
            content_range: true,
            session_state: SessionState::None,
            single_post: true,
            mounts: Mounts::Done,
            complete_manifests: true,
            refuses_urls: false,
            max_manifest: 4 << 20,
            max_manifest_error: (413, "SIZE_INVALID"),
            strict_accept: false,
            referrers: true,
            filters: true,
            referrers_page: None,
            list_page: None,
            deletes: true,
            deletes_tags: true,
            tags_move: true,
            creates_repositories: true,
            ranges: true,
            redirect_blobs: None,
            refuses_authorization: false,
        }
    }

    fn distribution() -> Self {
        Self {
            single_post: false,
            refuses_urls: true,
            max_manifest_error: (400, "MANIFEST_INVALID"),
            referrers: false,
            deletes: false,
            ..Self::spec()
        }
    }
}
