//! Reads `registries.conf`, second version (containers-registries.conf(5)).

use toml::{Table, Value};

use super::{Entry, MirrorEntry, Prefix, Pulls};
use sealift_oci::Destination;

/// No real file is larger.
const MAX_BYTES: usize = 4 << 20;

/// More entries, or mirrors in one, than any real file has.
const MAX_ENTRIES: usize = 10_000;

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct RegistriesConfError {
    name: String,
    reason: String,
}

/// What a file says about pulling.
pub(super) struct Read {
    pub(super) entries: Vec<Entry>,
    pub(super) insecure: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// Reads the bytes of a file called `name`.
pub(super) fn read(name: &str, bytes: &[u8]) -> Result<Read, RegistriesConfError> {
    let error = |reason: String| RegistriesConfError {
        name: name.to_owned(),
        reason,
    };
    if bytes.len() > MAX_BYTES {
        return Err(error(format!("it is larger than {MAX_BYTES} bytes")));
    }
    let text = std::str::from_utf8(bytes).map_err(|fault| error(fault.to_string()))?;
    let mut table: Table = toml::from_str(text).map_err(|fault| {
        let before = fault.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        error(format!("line {line}: {}", fault.message()))
    })?;
    if table.contains_key("registries") {
        let reason = "it is of the first version (expected [[registry]] tables)";
        return Err(error(reason.to_owned()));
    }
    let entries = match table.remove("registry") {
        None => Vec::new(),
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(error("registry is not a list of tables".to_owned())),
    };
    if entries.len() > MAX_ENTRIES {
        return Err(error(format!(
            "more than {MAX_ENTRIES} [[registry]] tables"
        )));
    }
    let mut read = Read {
        entries: Vec::with_capacity(entries.len()),
        insecure: Vec::new(),
        notes: table.keys().map(|key| not_used(name, key)).collect(),
    };
    for (number, entry) in entries.into_iter().enumerate() {
        let place = format!("[[registry]] {}", number + 1);
        let mut fields = Fields::new(name, &place, entry).map_err(error)?;
        entry_of(&mut fields, &mut read).map_err(|reason| error(format!("{place}: {reason}")))?;
        read.notes.extend(fields.left());
    }
    read.insecure.sort();
    read.insecure.dedup();
    Ok(read)
}

fn not_used(name: &str, key: &str) -> String {
    format!("{name}: {key} is not used: every image is pulled by its full name")
}

fn entry_of(fields: &mut Fields<'_>, read: &mut Read) -> Result<(), String> {
    let location = fields.text("location")?;
    let prefix = fields.text("prefix")?;
    let prefix = prefix.or_else(|| location.clone());
    let prefix = prefix.ok_or("it has neither a prefix nor a location")?;
    let prefix: Prefix = prefix
        .parse()
        .map_err(|reason| format!("prefix: {reason}"))?;
    let location = location.map(|text| destination(&text)).transpose()?;
    let digest_only = fields.flag("mirror-by-digest-only")?;
    if let (true, Some(location)) = (fields.flag("insecure")?, &location) {
        read.insecure.push(location.registry().to_owned());
    }
    let blocked = fields.flag("blocked")?;
    let mut mirrors = Vec::new();
    for (number, mirror) in fields.tables("mirror")?.into_iter().enumerate() {
        let place = format!("mirror {}", number + 1);
        let mut fields = Fields::new(fields.name, &place, mirror)?;
        let mirror = mirror_of(&mut fields, digest_only, read);
        mirrors.push(mirror.map_err(|reason| format!("{place}: {reason}"))?);
        read.notes.extend(fields.left());
    }
    read.entries.push(Entry {
        prefix,
        location,
        blocked,
        mirrors,
    });
    Ok(())
}

fn mirror_of(
    fields: &mut Fields<'_>,
    digest_only: bool,
    read: &mut Read,
) -> Result<MirrorEntry, String> {
    let location = fields.text("location")?.ok_or("it has no location")?;
    let to = destination(&location)?;
    if fields.flag("insecure")? {
        read.insecure.push(to.registry().to_owned());
    }
    let pulls = match fields.text("pull-from-mirror")?.as_deref() {
        _ if digest_only => Pulls::DigestOnly,
        None | Some("" | "all") => Pulls::All,
        Some("digest-only") => Pulls::DigestOnly,
        Some("tag-only") => Pulls::TagOnly,
        Some(other) => {
            return Err(format!(
                "pull-from-mirror is {other:?} (expected all, digest-only or tag-only)"
            ));
        }
    };
    Ok(MirrorEntry { to, pulls })
}

fn destination(text: &str) -> Result<Destination, String> {
    text.parse()
        .map_err(|error: sealift_oci::DestinationError| format!("location: {error}"))
}

/// The fields of one table, each taken once; what is left was not understood.
struct Fields<'a> {
    name: &'a str,
    place: &'a str,
    table: Table,
}

impl<'a> Fields<'a> {
    fn new(name: &'a str, place: &'a str, value: Value) -> Result<Self, String> {
        match value {
            Value::Table(table) => Ok(Self { name, place, table }),
            _ => Err(format!("{place} is not a table")),
        }
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.table.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(format!("{key} is {}, not a string", other.type_str())),
        }
    }

    fn flag(&mut self, key: &str) -> Result<bool, String> {
        match self.table.remove(key) {
            None => Ok(false),
            Some(Value::Boolean(flag)) => Ok(flag),
            Some(other) => Err(format!("{key} is {}, not true or false", other.type_str())),
        }
    }

    fn tables(&mut self, key: &str) -> Result<Vec<Value>, String> {
        match self.table.remove(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(list)) if list.len() <= MAX_ENTRIES => Ok(list),
            Some(_) => Err(format!(
                "{key} is not a list of at most {MAX_ENTRIES} tables"
            )),
        }
    }

    /// A note for each field that nobody took.
    fn left(&self) -> Vec<String> {
        let keys = self.table.keys();
        keys.map(|key| format!("{}: {}: {key} is not used", self.name, self.place))
            .collect()
    }
}
