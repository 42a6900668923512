//! Placeholders that stand where a value belongs: template expressions, variables, words to be replaced.

use std::fmt;

use crate::tag::split_tag;

/// The template languages whose variables end up in image lists and manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Placeholder {
    /// `{{ .Values.image }}`.
    Helm,
    /// `{{site.data.versions}}`, `{% include … %}`.
    Jekyll,
    /// `$[version]` or `@@version@@`.
    Docusaurus,
    /// `$REGISTRY`, `${REGISTRY}`, `$(REGISTRY)`.
    Variable,
    /// `<registry>`.
    AngleBrackets,
    /// A tag such as `VERSION`, to be replaced by the reader.
    Word,
}

/// Tags that documentation uses for "put yours here".
const WORDS: &[&str] = &[
    "VERSION",
    "TAG",
    "RELEASE",
    "REPLACE_ME",
    "CHANGEME",
    "CHANGE_ME",
];

impl Placeholder {
    /// What to do about it.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::Helm => "render the chart first (`helm template`) and give its output",
            Self::Jekyll | Self::Docusaurus => {
                "this is a documentation page's source: take the released file instead"
            }
            Self::Variable => "replace the variable (`envsubst`) and give the result",
            Self::AngleBrackets | Self::Word => "fill in the real value",
        }
    }

    /// The placeholder in `text`, if there is one.
    pub(crate) fn of(text: &str) -> Option<Self> {
        if let Some(at) = text.find("{{") {
            let inside = text[at + 2..].trim_start();
            let jekyll = ["site.", "page.", "include.", "imageNames", "jekyll"];
            let is_jekyll = jekyll.iter().any(|p| inside.starts_with(p));
            return Some(if is_jekyll { Self::Jekyll } else { Self::Helm });
        }
        if text.contains("{%") {
            Some(Self::Jekyll)
        } else if text.contains("$[") || text.contains("@@") {
            Some(Self::Docusaurus)
        } else if text.contains("${") || text.contains("$(") || variable(text) {
            Some(Self::Variable)
        } else if text.find('<').is_some_and(|at| text[at..].contains('>')) {
            Some(Self::AngleBrackets)
        } else {
            let (_, tag) = split_tag(text.split('@').next().unwrap_or_default());
            tag.is_some_and(|tag| WORDS.contains(&tag))
                .then_some(Self::Word)
        }
    }
}

/// `$NAME` with a letter or an underscore after the dollar.
fn variable(text: &str) -> bool {
    text.split('$')
        .skip(1)
        .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'))
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Helm => "a Helm template expression",
            Self::Jekyll => "a Jekyll template expression",
            Self::Docusaurus => "a Docusaurus variable",
            Self::Variable => "a variable",
            Self::AngleBrackets => "a placeholder in angle brackets",
            Self::Word => "a word that stands for a tag",
        })
    }
}
