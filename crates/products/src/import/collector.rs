//! What a reader collects from one published text, and why a text is refused.

use sealift_oci::{Reference, ReferenceError};

use crate::data::Refused;
use crate::tag::floating;
use crate::version::Version;
use crate::yaml::{YamlError, find_placeholder};

/// What one text says about one release.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Import {
    /// The release, where the text says which.
    pub version: Option<Version>,
    /// The operator's version, where the text says which.
    pub operator: Option<Version>,
    /// The images, each once, in the text's order.
    pub images: Vec<Reference>,
    /// What the text names and nobody should pull.
    pub refused: Vec<Refused>,
    /// Entries that are no images, or whose image's name is not known: a person should look.
    pub unknown: Vec<String>,
}

/// Why a published text gives no images.
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
        /// Where in the file.
        field: String,
        /// What should be there.
        expected: &'static str,
    },
    /// A reference that is none.
    #[error("{name}: {source}")]
    Reference {
        /// The file's name.
        name: String,
        /// What is wrong with it.
        source: ReferenceError,
    },
    /// Nothing was found.
    #[error("{name}: no images (expected {expected})")]
    Empty {
        /// The file's name.
        name: String,
        /// What kind of text was expected.
        expected: &'static str,
    },
}

/// Repositories on gcr.io that some operators name for FIPS builds.
const INTERNAL: &str = "unique-caldron-775/";

/// Collects references, each once, and puts apart what must not be pulled.
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

    /// Takes a reference as text.
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
                Some("a registry internal to the publisher, from which nobody else can pull")
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
        return Some("a placeholder that nobody filled in");
    }
    (tag == "VERSION").then_some("the tag is a placeholder that nobody filled in")
}

/// Refuses a text that still holds placeholders.
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
