//! How Calico is installed into a cluster.

/// How Calico is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// The operator's manifest and an Installation resource.
    Operator(InstallationKind),
    /// `OpenShift`'s manifests, which include the operator.
    OpenShift(InstallationKind),
    /// The chart `tigera-operator`.
    Helm,
    /// `calico.yaml`, `canal.yaml` and their like, without the operator.
    Manifests,
}

/// Whether the cluster has an Installation resource already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallationKind {
    /// No: a complete resource is applied.
    Fresh,
    /// Yes: it gets a merge patch (`kubectl patch --type merge --patch-file`).
    Patch,
}

/// The manifest that upgrades the operator of a running `OpenShift` cluster, from v3.30 on.
const OPENSHIFT_UPGRADE: &str = "tigera-operator-ocp-upgrade.yaml";

impl Install {
    /// The same, with the Installation patched if the manifests in hand show that the cluster exists:
    /// `OpenShift`'s upgrade manifest is for no other.
    #[must_use]
    pub(super) fn with_manifests<'n>(self, mut names: impl Iterator<Item = &'n str>) -> Self {
        match self {
            Self::OpenShift(InstallationKind::Fresh)
                if names.any(|name| name == OPENSHIFT_UPGRADE) =>
            {
                Self::OpenShift(InstallationKind::Patch)
            }
            other => other,
        }
    }

    /// What is done with the Installation; `None` if these files do not decide about it.
    pub(super) fn installation(self) -> Option<InstallationKind> {
        match self {
            Self::Operator(kind) | Self::OpenShift(kind) => Some(kind),
            Self::Helm | Self::Manifests => None,
        }
    }
}
