//! The table.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::fs;
use std::time::Duration;

use sealift_oci::Digest;

use super::pairs::Pair;
use crate::compact::measure::Measured;
use crate::compact::report::{megabytes, put_table, ratio};

/// One line of the table.
pub(crate) struct Row {
    set: &'static str,
    what: String,
    gzip: u64,
    stored: u64,
    build: Option<Duration>,
    read: Option<Duration>,
    note: String,
}

impl Row {
    pub(crate) fn of(
        pair: &Pair,
        what: String,
        measured: &Measured,
    ) -> Result<Self, Box<dyn Error>> {
        let report = &measured.report;
        Ok(Self {
            what,
            stored: measured.stored + measured.kept,
            build: Some(measured.build.processor),
            read: Some(measured.read.processor),
            note: format!(
                "opened {}, from bases {}, related {}",
                megabytes(report.opened),
                megabytes(report.from_bases),
                megabytes(report.related),
            ),
            ..Self::empty(pair)?
        })
    }

    /// What is left if layers are left out that the old release has too.
    pub(crate) fn of_equal_layers(pair: &Pair) -> Result<Self, Box<dyn Error>> {
        let mut known = BTreeSet::new();
        for layer in &pair.old.layers {
            known.insert(Digest::sha256(&fs::read(&layer.gzip)?));
        }
        let mut stored = 0;
        for layer in &pair.new.layers {
            let bytes = fs::read(&layer.gzip)?;
            if !known.contains(&Digest::sha256(&bytes)) {
                stored += bytes.len() as u64;
            }
        }
        Ok(Self {
            what: "equal layers left out".to_owned(),
            stored,
            ..Self::empty(pair)?
        })
    }

    pub(crate) fn of_rival(
        pair: &Pair,
        name: &str,
        stored: u64,
        time: Duration,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            what: name.to_owned(),
            stored,
            build: Some(time),
            ..Self::empty(pair)?
        })
    }

    fn empty(pair: &Pair) -> Result<Self, Box<dyn Error>> {
        let mut gzip = 0;
        for layer in &pair.new.layers {
            gzip += fs::metadata(&layer.gzip)?.len();
        }
        Ok(Self {
            set: pair.new.name,
            what: String::new(),
            gzip,
            stored: 0,
            build: None,
            read: None,
            note: String::new(),
        })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Option<Duration>| match time {
            Some(time) => format!("{:.1} s", time.as_secs_f64()),
            None => String::new(),
        };
        write!(
            f,
            "| {} | {} | {} | {} | {:.4} | {} | {} | {} |",
            self.set,
            self.what,
            megabytes(self.gzip),
            megabytes(self.stored),
            ratio(self.stored, self.gzip),
            time(self.build),
            time(self.read),
            self.note,
        )
    }
}

/// Puts the table into its page.
pub(crate) fn write(rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let mut lines = vec![
        "| set | what | new gzip layers, MB | stored, MB | of the gzip | build | read | MB |"
            .to_owned(),
        "|---|---|--:|--:|--:|--:|--:|---|".to_owned(),
    ];
    lines.extend(rows.iter().map(Row::to_string));
    put_table(
        "<!-- cargo xtask bench delta -->",
        &(lines.join("\n") + "\n"),
    )
}
