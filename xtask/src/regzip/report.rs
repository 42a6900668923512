//! The table, as Markdown, as JSON, and in the crate's README.

use std::error::Error;
use std::fmt;
use std::fs;

use serde_json::{Value, json};

use super::corpus::{Corpus, LARGE};
use super::nested::Nested;
use super::trial::Row;
use crate::workspace::root;

/// What the table stands between.
const BEGIN: &str = "<!-- cargo xtask regzip table -->\n";
const END: &str = "<!-- end of the table -->\n";

/// All that was found.
pub(crate) struct Report {
    corpus: String,
    contents: usize,
    bytes: usize,
    measured: usize,
    pub(crate) rows: Vec<Row>,
    pub(crate) layers: Vec<Row>,
    pub(crate) nested: Vec<Nested>,
}

impl Report {
    pub(crate) fn new(corpus: &Corpus) -> Self {
        Self {
            corpus: corpus.name.clone(),
            contents: corpus.contents.len(),
            bytes: corpus
                .contents
                .iter()
                .map(|content| content.bytes.len())
                .sum(),
            measured: corpus.measured.bytes.len(),
            rows: Vec::new(),
            layers: Vec::new(),
            nested: Vec::new(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().chain(&self.layers)
    }

    /// Whether every recipe gave the original, and every expansion its content.
    pub(crate) fn is_proved(&self) -> bool {
        self.all().all(|row| row.different.is_empty()) && self.nested.iter().all(|n| n.equal)
    }

    /// Replaces the table in the README.
    pub(crate) fn write_to_readme(&self) -> Result<(), Box<dyn Error>> {
        let path = root().join("crates/regzip/README.md");
        let text = fs::read_to_string(&path)?;
        let place = text.split_once(BEGIN).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(END)?;
            Some((before, after))
        });
        let (before, after) =
            place.ok_or_else(|| format!("{} has no place for the table", path.display()))?;
        fs::write(&path, format!("{before}{BEGIN}{self}{END}{after}"))?;
        Ok(())
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "corpus": self.corpus,
            "contents": self.contents,
            "content_bytes": self.bytes,
            "measured_bytes": self.measured,
            "encoders": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "layers": self.layers.iter().map(Row::json).collect::<Vec<_>>(),
            "nested": self.nested.iter().map(Nested::json).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} contents of {:.1} MB; speeds on {:.1} MB of program and text.\n",
            self.contents,
            self.bytes as f64 / 1e6,
            self.measured as f64 / 1e6
        )?;
        let head = "| encoder | streams | rebuilt | recipe | of the content | small ones | \
                    analysis | rebuild | two threads |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|";
        writeln!(f, "{head}")?;
        for row in self.all() {
            writeln!(f, "{row}")?;
        }
        writeln!(f, "{}", self.sum())?;
        let kept: Vec<&String> = self.all().flat_map(|row| &row.kept).collect();
        if !kept.is_empty() {
            writeln!(f, "\nStreams that stay as they are:\n")?;
        }
        for row in self.all().filter(|row| !row.kept.is_empty()) {
            writeln!(f, "- {}: {}", row.name, first(&row.kept))?;
        }
        for row in self.all() {
            for different in &row.different {
                writeln!(f, "\nDIFFERENT: {}: {different}", row.name)?;
            }
        }
        if !self.nested.is_empty() {
            writeln!(f, "\n{}", Nested::HEAD)?;
        }
        for nested in &self.nested {
            writeln!(f, "{nested}")?;
        }
        Ok(())
    }
}

/// A list that may be long.
fn first(list: &[String]) -> String {
    let shown: Vec<&str> = list.iter().take(4).map(String::as_str).collect();
    let more = list.len() - shown.len();
    let more = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", shown.join("; "))
}

impl Report {
    fn sum(&self) -> Row {
        let mut sum = Row {
            name: "all".to_owned(),
            ..Row::default()
        };
        for row in self.all() {
            sum.tried += row.tried;
            sum.rebuilt += row.rebuilt;
            sum.large.extend(&row.large);
            sum.small.extend(&row.small);
        }
        sum
    }
}

impl Row {
    /// The largest part of its content that a recipe takes.
    fn share(&self) -> Option<f64> {
        let shares = self
            .large
            .iter()
            .map(|&(recipe, plain)| recipe as f64 / plain as f64);
        shares.max_by(f64::total_cmp)
    }

    fn median(&self) -> Option<usize> {
        let mut sizes: Vec<usize> = self.large.iter().map(|&(recipe, _)| recipe).collect();
        sizes.sort_unstable();
        sizes.get(sizes.len() / 2).copied()
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "tried": self.tried,
            "rebuilt": self.rebuilt,
            "different": self.different,
            "kept": self.kept,
            "large_from_bytes": LARGE,
            "large_recipe_bytes_median": self.median(),
            "large_recipe_share_most": self.share(),
            "small_recipe_bytes_most": self.small.iter().max(),
            "speeds": self.speeds.map(|speeds| json!({
                "encoder_megabytes_a_second": speeds.encoder,
                "analysis": speeds.analysis,
                "rebuild": speeds.rebuild,
            })),
            "two_threads": self.two_threads,
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        let median = or_dash(self.median().map(|bytes| format!("{bytes} B")));
        let share = or_dash(self.share().map(|share| format!("{:.3} %", share * 100.0)));
        let small = or_dash(self.small.iter().max().map(|bytes| format!("{bytes} B")));
        write!(
            f,
            "| {} | {} | {} | {median} | {share} | {small}",
            self.name, self.tried, self.rebuilt
        )?;
        let ratio = |ratio: Option<f64>| or_dash(ratio.map(|ratio| format!("{ratio:.2}")));
        let analysis = ratio(self.speeds.map(|speeds| speeds.analysis));
        let rebuild = ratio(self.speeds.map(|speeds| speeds.rebuild));
        let two_threads = ratio(self.two_threads);
        write!(f, " | {analysis} | {rebuild} | {two_threads} |")
    }
}
