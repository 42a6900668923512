//! The table.

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::cases::Case;
use super::tools::{self, Outcome};
use crate::workspace::root;

/// What the table stands between.
const BEGIN: &str = "<!-- cargo xtask bench relate -->\n";
const END: &str = "<!-- end of the table -->\n";
/// In a quick run other programs are left out for files above this.
const LARGE: u64 = 64 << 20;
/// Effort and level of zstd: by default, and for the smallest result.
const DEFAULT: (u8, u8) = (5, 12);
const HIGHEST: (u8, u8) = (9, 19);

/// Runs a program on an old and a new file.
type Tool = fn(&Path, &Path) -> Result<Option<Outcome>, Box<dyn Error>>;

/// One case with all that was measured.
pub(super) struct Row {
    name: String,
    len: u64,
    gzip: u64,
    relate: Outcome,
    highest: Outcome,
    decode: Outcome,
    bsdiff: Option<Outcome>,
    xdelta3: Option<Outcome>,
    zstd: Option<Outcome>,
}

impl Row {
    pub(super) fn measure(case: &Case, quick: bool) -> Result<Self, Box<dyn Error>> {
        let row = Self::measure_relate(case)?;
        // The others take one base: the nearest is given last.
        let old = case.bases.last().ok_or("no base")?;
        let slow = quick && row.len > LARGE;
        let unless_slow = |tool: Tool| {
            if slow { Ok(None) } else { tool(old, &case.new) }
        };
        Ok(Self {
            bsdiff: unless_slow(tools::bsdiff)?,
            xdelta3: unless_slow(tools::xdelta3)?,
            zstd: unless_slow(tools::zstd)?,
            ..row
        })
    }

    fn measure_relate(case: &Case) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let relate = encode(case, folder.path(), DEFAULT)?;
        let decode = child("decode", &[], folder.path(), case)?;
        let folder = tempfile::tempdir()?;
        let highest = encode(case, folder.path(), HIGHEST)?;
        Ok(Self {
            name: case.name.clone(),
            len: fs::metadata(&case.new)?.len(),
            gzip: tools::gzip(&case.shipped)?,
            relate,
            highest,
            decode,
            bsdiff: None,
            xdelta3: None,
            zstd: None,
        })
    }

    /// A release as one row: each program given all before; times are added up. Others take one base, so they are left
    /// out.
    pub(super) fn of_release(cases: &[Case]) -> Result<Option<Self>, Box<dyn Error>> {
        let mut sum: Option<Self> = None;
        for case in cases {
            let row = Self::measure_relate(case)?;
            eprintln!("{row}");
            sum = Some(match sum {
                None => row,
                Some(sum) => sum.and(&row),
            });
        }
        Ok(sum.map(|sum| Self {
            name: format!("release: {} programs, each given all before", cases.len()),
            ..sum
        }))
    }

    fn and(self, other: &Self) -> Self {
        Self {
            name: self.name,
            len: self.len + other.len,
            gzip: self.gzip + other.gzip,
            relate: self.relate.and(other.relate),
            highest: self.highest.and(other.highest),
            decode: self.decode.and(other.decode),
            bsdiff: None,
            xdelta3: None,
            zstd: None,
        }
    }

    fn of_gzip(&self, outcome: Outcome) -> f64 {
        outcome.bytes as f64 / self.gzip as f64
    }

    fn speed(&self, outcome: Outcome) -> f64 {
        self.len as f64 / 1e6 / outcome.seconds
    }

    /// Bytes, share of the gzip, speed and memory.
    fn cell(&self, outcome: Option<Outcome>) -> String {
        outcome.map_or_else(String::new, |outcome| {
            let memory = outcome
                .memory
                .map_or_else(String::new, |memory| format!(", {memory} MiB"));
            format!(
                "{} ({:.4}), {:.1} MB/s{memory}",
                outcome.bytes,
                self.of_gzip(outcome),
                self.speed(outcome),
            )
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decode = self.speed(self.decode);
        let memory = self.decode.memory.unwrap_or(0);
        write!(
            f,
            "| {} | {:.1} | {:.2} | {} | {} | {decode:.0} MB/s, {memory} MiB | {} | {} | {} |",
            self.name,
            self.len as f64 / 1e6,
            self.gzip as f64 / 1e6,
            self.cell(Some(self.relate)),
            self.cell(Some(self.highest)),
            self.cell(self.bsdiff),
            self.cell(self.xdelta3),
            self.cell(self.zstd),
        )
    }
}

pub(super) fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| case | MB | gzip -6, MB | default | highest effort | decoding | bsdiff | xdelta3 -9 | zstd -19 --patch-from |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let lines = rows.iter().map(|row| format!("{row}\n"));
    table.extend(lines);
    table
}

/// Puts the table where the crate's README has it.
pub(super) fn write(table: &str) -> Result<(), Box<dyn Error>> {
    let path = root().join("crates/relate/README.md");
    let text = fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("no marker in the README")?;
    let (_, after) = rest.split_once(END).ok_or("no end marker in the README")?;
    fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}"))?;
    Ok(())
}

fn encode(
    case: &Case,
    folder: &Path,
    (effort, level): (u8, u8),
) -> Result<Outcome, Box<dyn Error>> {
    let flags = [format!("--effort={effort}"), format!("--level={level}")];
    child("encode", &flags, folder, case)
}

/// Encodes or decodes in a process of its own.
fn child(
    what: &str,
    flags: &[String],
    folder: &Path,
    case: &Case,
) -> Result<Outcome, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bench", "relate", what]).args(flags);
    command.arg(folder).arg(&case.new).args(&case.bases);
    let output = command.output()?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {message}", case.name).into());
    }
    let report: Value = serde_json::from_slice(&output.stdout)?;
    Ok(Outcome {
        bytes: report["size"].as_u64().unwrap_or(0),
        seconds: report["seconds"].as_f64().unwrap_or(0.0),
        memory: report["memory"].as_u64(),
    })
}
