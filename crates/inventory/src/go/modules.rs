//! The list of modules that a Go program consists of, as `go version -m` prints it.

use serde::Serialize;

use crate::bytes::field;
use crate::limits::MAX_MODULES;

/// A module of a Go program.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoModule {
    /// Its path: `golang.org/x/net`.
    pub path: String,
    /// Its version; `(devel)` or empty for one that was built in its own working tree.
    pub version: String,
    /// The module that was used instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<Box<GoModule>>,
}

/// What a Go program was built from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GoProgram {
    /// The version of Go that compiled it, which is that of its standard library.
    pub go: String,
    /// The path of its main package.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub package: String,
    /// Its main module; `None` for a program that was built without modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main: Option<GoModule>,
    /// The commit that it was built from, as far as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether the working tree had changes that were not committed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub modified: bool,
    /// The modules that it depends on, by path.
    pub modules: Vec<GoModule>,
}

/// The build information of a program, and what in it was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildInfo {
    pub(crate) program: GoProgram,
    pub(crate) problem: Option<String>,
}

/// Reads the lines of `list`: a keyword and its fields, separated by tabs.
pub(super) fn parse(go: String, list: &[u8]) -> BuildInfo {
    let mut info = BuildInfo {
        program: GoProgram {
            go,
            ..GoProgram::default()
        },
        problem: None,
    };
    let mut last = Last::None;
    for line in list
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        if info.program.modules.len() == MAX_MODULES {
            info.problem = Some(format!("only the first {MAX_MODULES} modules were read"));
            break;
        }
        if info.line(line, &mut last).is_none() {
            let line = field(line);
            info.problem.get_or_insert(format!(
                "a line of its build information is unknown: {line:?}"
            ));
        }
    }
    info.program.modules.sort();
    info
}

/// Which module the next line may replace.
#[derive(Clone, Copy)]
enum Last {
    None,
    Main,
    Dependency,
}

impl BuildInfo {
    fn line(&mut self, line: &[u8], last: &mut Last) -> Option<()> {
        let mut fields = line.split(|&byte| byte == b'\t');
        let keyword = fields.next()?;
        let program = &mut self.program;
        if keyword == b"path" {
            program.package = field(fields.next()?);
            return Some(());
        }
        if keyword == b"build" {
            program.setting(fields.next()?);
            return Some(());
        }
        let module = GoModule {
            path: field(fields.next()?),
            version: fields.next().map(field).unwrap_or_default(),
            replaced_by: None,
        };
        match (keyword, *last) {
            (b"mod", _) => {
                program.main = Some(module);
                *last = Last::Main;
            }
            (b"dep", _) => {
                program.modules.push(module);
                *last = Last::Dependency;
            }
            (b"=>", Last::Main) => program.main.as_mut()?.replaced_by = Some(Box::new(module)),
            (b"=>", Last::Dependency) => {
                program.modules.last_mut()?.replaced_by = Some(Box::new(module));
            }
            _ => return None,
        }
        Some(())
    }
}

impl GoProgram {
    fn setting(&mut self, setting: &[u8]) {
        if let Some(revision) = setting.strip_prefix(b"vcs.revision=") {
            self.revision = Some(field(revision));
        }
        self.modified |= setting == b"vcs.modified=true";
    }
}
