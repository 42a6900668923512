//! Results on standard output; progress and errors go to standard error.

use std::io::{self, Write};

use sealift_archive::Published;
use sealift_oci::{escaped, escaped_json, escaped_lines};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::{progress, words};

/// Writes `text` as one line, escaped: names in it may come from outside.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    lines(&[text])
}

/// Writes each of `lines` as one line, escaped.
pub(crate) fn lines(lines: &[impl AsRef<str>]) -> Result<(), Failure> {
    let mut text = String::new();
    for line in lines {
        text.push_str(&escaped(line.as_ref()));
        text.push('\n');
    }
    write(text.as_bytes())
}

/// Writes the content of a file for a person to read: its line breaks stay, and one stands at its end.
pub(crate) fn content(text: &str) -> Result<(), Failure> {
    write(format!("{}\n", escaped_lines(text.trim_end_matches('\n'))).as_bytes())
}

/// Writes a file's content as it is.
pub(crate) fn bytes(content: &[u8]) -> Result<(), Failure> {
    write(content)
}

/// Writes `value` as JSON; characters that a terminal would act on are escaped.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(Exit::Failed, &error))?;
    write(format!("{}\n", escaped_json(&text)).as_bytes())
}

/// Writes where a file is and how large.
pub(crate) fn published(published: &Published) -> Result<(), Failure> {
    line(&format!(
        "{}: {}",
        published.path.display(),
        words::bytes(published.bytes)
    ))
}

fn write(content: &[u8]) -> Result<(), Failure> {
    progress::clear();
    let mut out = io::stdout().lock();
    // In one piece: whoever reads only the first line must not end us between two.
    let written = out.write_all(content).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        // Whoever read our output has seen enough.
        io::ErrorKind::BrokenPipe => Failure::silent(Exit::Failed),
        _ => Failure::message(Exit::Failed, format!("cannot write the output: {error}")),
    })
}
