//! What can be wrong with a text, typed, with what was expected and what to try.

use sealift_oci::excerpt;
use thiserror::Error;

use crate::placeholder::Placeholder;

/// Longest piece of the user's text that an error repeats, in characters.
const EXCERPT: usize = 120;

/// A text that cannot be read for image references.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name}:{line}:{column}: {reason}{}; expected {}; {}", quoted(text), reason.expected(), reason.remedy())]
pub struct FindError {
    /// The name that the caller gave the text, as a rule its file name.
    pub name: String,
    /// Line of the error, from 1.
    pub line: usize,
    /// Column of the error in characters, from 1.
    pub column: usize,
    /// The offending piece of the text, cut where it is long; may be empty.
    pub text: String,
    /// What is wrong.
    pub reason: Reason,
}

impl FindError {
    pub(crate) fn new(
        name: &str,
        (line, column): (usize, usize),
        text: &str,
        reason: Reason,
    ) -> Self {
        let text = reason.excerpt(text);
        Self {
            name: name.to_owned(),
            line,
            column,
            text,
            reason,
        }
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(" (`{text}`)")
    }
}

/// Why a text cannot be read, or something in it is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reason {
    /// The bytes are not UTF-8.
    #[error("not UTF-8 text")]
    NotUtf8,
    /// UTF-16 that is cut off or broken.
    #[error("not valid UTF-16 text")]
    NotUtf16,
    /// A zero byte: a binary file.
    #[error("zero byte in the text")]
    Nul,
    /// More bytes than this crate reads.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The most that is read, in bytes.
        limit: usize,
    },
    /// A template variable stands where a reference must be.
    #[error("{0} instead of an image reference")]
    Placeholder(Placeholder),
    /// A web address.
    #[error("a URL is not an image reference")]
    Url,
    /// A user name or password before the host. The text is never repeated.
    #[error("credentials in an image reference")]
    Credentials,
    /// White space inside a reference.
    #[error("white space inside an image reference")]
    WhiteSpace,
    /// A character that means something to a shell and nothing here.
    #[error("character {0:?} in an image reference")]
    Character(char),
    /// Anything else against the grammar of references.
    #[error("not an image reference: {0}")]
    Grammar(String),
    /// The YAML parser gave up.
    #[error("not valid YAML: {0}")]
    NotYaml(String),
    /// YAML, but neither a mapping nor a list.
    #[error("a document that is neither a mapping nor a list")]
    NotAManifest,
    /// Nested deeper than any manifest is.
    #[error("nested more than {limit} deep")]
    TooDeep {
        /// The deepest nesting that is followed.
        limit: usize,
    },
    /// More parts in one document than this crate keeps in memory.
    #[error("more than {limit} values in one document")]
    TooManyNodes {
        /// The most values of a document that are kept.
        limit: usize,
    },
    /// A reference inside a script, a configuration or another longer text.
    #[error("an image reference inside a longer text")]
    InLongerText,
    /// An annotation or a label that names an image; no node pulls it.
    #[error("an image reference in metadata, which no node pulls")]
    InMetadata,
    /// A Calico `ImageSet`: names that the operator looks images up by, which are no references.
    #[error("a name that the operator looks an image up by")]
    ImageSetName,
    /// A part of a reference that Helm reads as a number or a truth value and prints another way.
    #[error("a value without quotes, which Helm prints as {0}")]
    NumberAsTag(String),
    /// Fields that may make a reference, and no rule says which of them do.
    #[error("fields that no rule joins to one reference: {0}")]
    Undecided(&'static str),
    /// A text that looks like a name with a tag, without anything that says it is an image.
    #[error("this may be an image")]
    MayBeImage,
    /// A document whose form is not known, without anything that looks like an image.
    #[error("no image found, and the form of this document is not known")]
    UnknownForm,
    /// Names of other files, which may have images.
    #[error("other files, which are not read")]
    OtherFiles,
    /// Images that only the tool which reads the file can list.
    #[error("images that are looked up elsewhere and are not listed here")]
    NotListed,
    /// A chart or another artifact in a registry, which is not an image.
    #[error("an OCI artifact, which is not an image")]
    OciArtifact,
    /// A repository whose tags are chosen when it is read.
    #[error("a repository whose tags only its registry knows")]
    TagsOfRegistry,
    /// An image's name that is completed elsewhere.
    #[error("an image name without a tag")]
    BareName,
    /// A registry, or registry and tag, without the names that go after it.
    #[error("a registry without image names")]
    NoNames,
    /// A key that one mapping has more than once: readers differ in which of them counts.
    #[error("the key `{0}` stands here twice")]
    KeyTwice(&'static str),
    /// No field in which a digest or a tag could be written.
    #[error("no field for the {0}")]
    NoField(&'static str),
    /// A field for the path, and no path to put into it.
    #[error("a field for the path, which would be empty")]
    EmptyPath,
    /// One value is shared by images that need different ones.
    #[error("one value is shared by images that need different ones")]
    SharedValue,
    /// The way the scalar is written leaves no room for the new text.
    #[error("a block or folded text that cannot be edited")]
    Unwritable,
}

impl Reason {
    /// Whether it is about an image that a node pulls, as far as the text says: one that is left as it is
    /// where references are rewritten is missing there.
    pub fn concerns_image(&self) -> bool {
        !matches!(
            self,
            Self::InMetadata
                | Self::ImageSetName
                | Self::InLongerText
                | Self::MayBeImage
                | Self::UnknownForm
                | Self::OtherFiles
                | Self::NotListed
                | Self::OciArtifact
        )
    }

    /// What should have been there.
    pub fn expected(&self) -> &'static str {
        match self {
            Self::UnknownForm
            | Self::NotUtf8
            | Self::NotUtf16
            | Self::Nul
            | Self::TooLarge { .. }
            | Self::NotAManifest => {
                "an image list, Kubernetes manifests or a values file as UTF-8 text"
            }
            Self::NotYaml(_) | Self::TooDeep { .. } | Self::TooManyNodes { .. } => {
                "Kubernetes manifests as YAML or JSON"
            }
            Self::NumberAsTag(_) => "the value in quotes",
            Self::KeyTwice(_) => "each key once",
            Self::NoField(_) => "a field of that name",
            Self::SharedValue => "fields of their own",
            Self::Unwritable => "the reference on one line",
            _ => "[registry/]repository[:tag][@digest]",
        }
    }

    /// What to try.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotUtf8 | Self::NotUtf16 => {
                "convert the file to UTF-8, or check that it is the right one"
            }
            Self::Nul => "this is a binary file; archives are given as a source of their own",
            Self::TooLarge { .. } => "split the file",
            Self::Placeholder(placeholder) => placeholder.remedy(),
            Self::Url => "leave the scheme out: registry.example/path/image:tag",
            Self::Credentials => "remove them here and log in to the registry instead",
            Self::WhiteSpace => "put one reference on each line, comments after ` #`",
            Self::Character(_) => "remove it; put one plain reference on each line",
            Self::Grammar(_) => "correct the reference",
            Self::NotYaml(_) | Self::NotAManifest => {
                "correct the file; a chart's templates are rendered first (`helm template`)"
            }
            Self::TooDeep { .. } | Self::TooManyNodes { .. } => {
                "check where the file comes from: no Kubernetes manifest is this large or this deeply nested"
            }
            Self::InLongerText | Self::BareName | Self::InMetadata => {
                "if nodes pull it, add the image to the request and edit this value by hand"
            }
            Self::ImageSetName => "write an ImageSet for the destination instead",
            Self::NumberAsTag(_) => "put the value in quotes",
            Self::Undecided(_) => "name the image yourself, and edit these fields by hand",
            Self::MayBeImage => "if it is an image, name it yourself and edit it by hand",
            Self::UnknownForm => "if it has images, name them yourself",
            Self::OtherFiles => "give the output of `kubectl kustomize`, or those files as well",
            Self::NotListed => "let that tool list them, and give its list",
            Self::TagsOfRegistry => "name the tags",
            Self::OciArtifact => "carry it by other means and edit the address by hand",
            Self::KeyTwice(_) => "remove one of them",
            Self::NoNames => "name the images yourself",
            Self::NoField(_) => "add the field to the file",
            Self::EmptyPath => "put a path after the registry, or edit the fields by hand",
            Self::SharedValue | Self::Unwritable => "edit it by hand",
        }
    }

    /// The beginning of `text` for a message, escaped; nothing of it where it
    /// holds a password, which must not travel further than the file that it stands in.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        if *self == Self::Credentials {
            return String::new();
        }
        excerpt(text, EXCERPT)
    }
}
