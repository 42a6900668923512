//! What a reader collects from one published text, and why a text is refused.

use sealift_oci::{Reference, ReferenceError};

use crate::data::Refused;
use crate::tag::floating;
use crate::version::Version;
use sealift_yaml::{YamlError, find_placeholder};

/// The content of one text about one release.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Import {
    /// The release, if the text names it.
    pub version: Option<Version>,
    /// The operator's version, if the text names it.
    pub operator: Option<Version>,
    /// The images, each once, in the text's order.
    pub images: Vec<Reference>,
    /// References in the text that nobody should pull.
    pub refused: Vec<Refused>,
    /// Entries that are not images, or whose image name is not known: a person should look at them.
    pub unknown: Vec<String>,
}

/// Why no images can be read from a published text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Not YAML or JSON.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A template that was not rendered.
    #[error(
        "{name}: a placeholder {placeholder} in line {line} (expected the rendered text, not its template)"
    )]
    Template {
        /// The file's name.
        name: String,
        /// The placeholder's opening.
        placeholder: &'static str,
        /// Where, from 1.
        line: usize,
    },
    /// A field is missing or of the wrong kind.
    #[error("{name}: {field}: expected {expected}")]
    Field {
        /// The file's name.
        name: String,
        /// The path of the field.
        field: String,
        /// What was expected.
        expected: &'static str,
    },
    /// An invalid reference.
    #[error("{name}: {source}")]
    Reference {
        /// The file's name.
        name: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// The text contains no image.
    #[error("{name}: no images (expected {expected})")]
    Empty {
        /// The file's name.
        name: String,
        /// What kind of text was expected.
        expected: &'static str,
    },
}

/// Repositories on gcr.io that some operators name for FIPS builds, internal to their publisher.
const INTERNAL: &str = "unique-caldron-775/";

/// Collects references, each once, and separates those that must not be pulled.
pub(crate) struct Collector<'n> {
    name: &'n str,
    import: Import,
}

impl<'n> Collector<'n> {
    pub(crate) fn new(name: &'n str) -> Self {
        Self {
            name,
            import: Import::default(),
        }
    }

    /// Adds a reference given as text.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), ImportError> {
        if let Some(reason) = placeholder(text) {
            self.refuse(text, reason);
            return Ok(());
        }
        let reference: Reference = text.parse().map_err(|source| ImportError::Reference {
            name: self.name.to_owned(),
            source,
        })?;
        self.add_reference(reference);
        Ok(())
    }

    pub(crate) fn add_reference(&mut self, reference: Reference) {
        let moving = match (reference.digest(), reference.tag()) {
            _ if reference.repository().starts_with(INTERNAL) => {
                Some("the registry is internal to the publisher")
            }
            (Some(_), _) => None,
            (None, tag) => floating(tag.unwrap_or_default()),
        };
        match moving {
            Some(reason) => self.refuse(&reference.to_string(), reason),
            None if self.import.images.contains(&reference) => {}
            None => self.import.images.push(reference),
        }
    }

    pub(crate) fn add_parts(
        &mut self,
        registry: &str,
        image: &str,
        tag: &str,
    ) -> Result<(), ImportError> {
        self.add(&format!("{}/{image}:{tag}", registry.trim_end_matches('/')))
    }

    fn refuse(&mut self, text: &str, reason: &str) {
        let refused = Refused {
            reference: text.chars().take(200).collect(),
            source: self.name.to_owned(),
            reason: reason.to_owned(),
        };
        if !self.import.refused.contains(&refused) {
            self.import.refused.push(refused);
        }
    }

    pub(crate) fn unknown(&mut self, text: impl Into<String>) {
        self.import.unknown.push(text.into());
    }

    /// The result, even without any image.
    pub(crate) fn into_import(self) -> Import {
        self.import
    }

    /// The result; a text without any image is an error.
    pub(crate) fn finish(self, expected: &'static str) -> Result<Import, ImportError> {
        if self.import.images.is_empty() && self.import.refused.is_empty() {
            return Err(ImportError::Empty {
                name: self.name.to_owned(),
                expected,
            });
        }
        Ok(self.import)
    }
}

fn placeholder(text: &str) -> Option<&'static str> {
    let tag = text.rsplit_once(':').map_or("", |(_, tag)| tag);
    if find_placeholder(text).is_some() || text.contains(['<', '$']) {
        return Some("an unfilled placeholder");
    }
    (tag == "VERSION").then_some("the tag is an unfilled placeholder")
}

/// Refuses a text with unfilled placeholders.
pub(crate) fn refuse_template(name: &str, bytes: &[u8]) -> Result<(), ImportError> {
    match find_placeholder(&String::from_utf8_lossy(bytes)) {
        None => Ok(()),
        Some((placeholder, line)) => Err(ImportError::Template {
            name: name.to_owned(),
            placeholder,
            line,
        }),
    }
}

pub(crate) fn field(name: &str, field: impl Into<String>, expected: &'static str) -> ImportError {
    ImportError::Field {
        name: name.to_owned(),
        field: field.into(),
        expected,
    }
}
