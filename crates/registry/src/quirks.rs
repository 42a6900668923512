//! Where registries differ from the specification and from each other: what is known of hosts beforehand
//! ([`known`]) and what a run learns about each ([`learned`]). Each row has one test in `tests/wire/quirks.rs`.
//!
//! | quirk | seen at | what the client does | test |
//! |---|---|---|---|
//! | the API is on another host than the name | Docker Hub | [`known`]: the host is replaced | `known::tests` |
//! | the token service is on another host | Docker Hub, GitLab, Red Hat | [`known`]: it may have the credentials | `known::tests` |
//! | HEAD is refused | proxies and caches | GET for manifests; blobs are sent | `head_refused` |
//! | a mount is answered with an error | Harbor, Docker Hub, Quay | the blob is sent, and nothing is mounted again | `mount_refused` |
//! | `Expect: 100-continue` is an error | old proxies | large bodies are sent without | `expect_refused` |
//! | PATCH is refused | Google Artifact Registry | blobs are sent in one PUT | `patch_refused` |
//! | a large PATCH is refused | GHCR, nginx, Cloudflare | blobs are sent in smaller chunks | `large_patch_refused` |
//! | a large PUT is refused | Azure Container Registry | large blobs are sent by PATCH | `large_put_refused` |
//! | a small chunk is refused | ECR | chunks have the announced minimum | `small_chunk_refused` |
//! | PATCH is answered with 201, PUT with 202 | ECR, others | every 2xx is a success | `unusual_success` |
//! | an upload's Location has the wrong scheme or port | distribution behind a TLS proxy | the registry's own origin is used | `location_misled` |
//! | asking for a broken session's state ends it | distribution 2.8 | the blob is sent from its beginning | `session_forgotten` |
//! | `Range: 0-0` for an empty session | distribution | the blob is sent from its beginning | `range_ambiguous` |
//! | 416 to a commit | Azure Container Registry, zot | the session's state is requested, and the upload resumes | `count_lost` |
//! | 400 `DIGEST_INVALID` to a right manifest while another client stores it | distribution 2.8 | it is sent again, a few times | `digest_invalid_in_passing` |
//! | 500 to manifests with `urls` | distribution | final, with its own error | `urls_refused` |
//! | an index whose children are absent is refused | distribution 2.8, others | learned, so that the next one is not tried | `sparse_index_refused` |
//! | there is no referrers API | distribution, GHCR | the fallback tag is read | `no_referrers_api` |
//! | a pushed subject is not kept track of | the same | the fallback tag is written | `subject_not_tracked` |
//! | 415 to OCI media types | old registries | final, with its own error | `media_type_refused` |

pub(crate) mod known;
pub(crate) mod learned;
