//! The table.

use std::error::Error;
use std::fs;
use std::time::Duration;

use sealift_pack::Report;

use super::measure::Measured;
use super::sets::Set;
use crate::workspace::root;

/// One line of the table.
pub(crate) struct Row {
    set: String,
    what: String,
    stored: u64,
    gzip: u64,
    time: Duration,
    note: String,
}

impl Row {
    pub(crate) fn of(set: &Set, effort: &str, measured: &Measured) -> Self {
        let steps = measured.steps.iter();
        let steps = steps.filter(|(_, spent)| spent.processor.as_millis() > 50);
        let steps: Vec<String> = steps
            .map(|(step, spent)| {
                let seconds = spent.processor.as_secs_f64();
                format!("{step:?} {seconds:.1} ({:.1})", spent.cores()).to_lowercase()
            })
            .collect();
        let report = &measured.report;
        Self {
            set: set.name.to_owned(),
            what: format!("pack, effort {effort}"),
            stored: measured.stored + measured.kept,
            gzip: measured.gzip,
            time: measured.build.processor,
            note: format!(
                "{}; {:.2} cores; read {:.1} s ({:.2}); opened {}, distinct {}, related {}",
                steps.join(", "),
                measured.build.cores(),
                measured.read.processor.as_secs_f64(),
                measured.read.cores(),
                megabytes(report.opened),
                megabytes(report.distinct),
                megabytes(report.related),
            ),
        }
    }

    pub(crate) fn of_rival(
        set: &Set,
        name: &str,
        stored: u64,
        time: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        let sizes = set.layers.iter().map(|layer| fs::metadata(&layer.gzip));
        let sizes = sizes.map(|metadata| metadata.map(|metadata| metadata.len()));
        Ok(Self {
            set: set.name.to_owned(),
            what: name.to_owned(),
            stored,
            gzip: sizes.sum::<Result<u64, _>>()?,
            time,
            note: String::new(),
        })
    }

    fn line(&self) -> String {
        format!(
            "| {} | {} | {} | {} | {:.3} | {:.1} s | {} |",
            self.set,
            self.what,
            megabytes(self.gzip),
            megabytes(self.stored),
            ratio(self.stored, self.gzip),
            self.time.as_secs_f64(),
            self.note,
        )
    }
}

pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.2}", ratio(bytes, 1_000_000))
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b as f64
}

/// Prints lines of the table.
pub(crate) fn print(rows: &[Row]) {
    for row in rows {
        println!("{}", row.line());
    }
}

/// Prints what each stream costs.
pub(crate) fn print_streams(report: &Report) {
    for stream in &report.streams {
        let (raw, stored) = (megabytes(stream.raw), megabytes(stream.stored));
        println!("  {:40} {raw:>10} {stored:>10}", stream.name);
    }
}

const BEGIN: &str = "<!-- cargo xtask bench compact -->";
const END: &str = "<!-- end of the table -->";

/// Puts the table into its page.
pub(crate) fn write(rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let mut table = String::from(
        "| set | what | gzip layers, MB | stored, MB | of the gzip | processor time | of which |\n\
         |---|---|--:|--:|--:|--:|---|\n",
    );
    for row in rows {
        table.push_str(&row.line());
        table.push('\n');
    }
    put_table(BEGIN, &table)
}

/// Puts a table into `docs/compact.md`, behind the line that begins it.
pub(crate) fn put_table(begin: &str, table: &str) -> Result<(), Box<dyn Error>> {
    let path = root().join("docs/compact.md");
    let page = fs::read_to_string(&path)?;
    let (before, rest) = page
        .split_once(begin)
        .ok_or("docs/compact.md has no table")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("docs/compact.md has no end of the table")?;
    fs::write(path, format!("{before}{begin}\n{table}{END}{after}"))?;
    Ok(())
}
