//! Image references from arguments, files and standard input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sealift_imagerefs::{Findings, NotUnderstood, Occurrence, find};
use sealift_oci::Reference;

use crate::args::SourceArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::products::{self, Chosen};

/// No list or manifest is larger: what `imagerefs` reads at the most, and a byte to notice more.
const MAX_INPUT_BYTES: u64 = (64 << 20) + 1;

/// Most names that a message repeats.
const MAX_NAMES: usize = 5;

/// What the command line gave on standard input goes by this name.
const STDIN: &str = "standard input";

/// Everything that the inputs name.
pub(crate) struct Sources {
    /// References that were given as arguments.
    pub(crate) arguments: Vec<Reference>,
    /// What was found in each file, in the order of the arguments.
    pub(crate) files: Vec<SourceFile>,
    /// The images of each product's release.
    pub(crate) products: Vec<Chosen>,
}

/// One file and what was found in it.
#[derive(Clone)]
pub(crate) struct SourceFile {
    /// Its name, for messages.
    pub(crate) name: String,
    /// What was found.
    pub(crate) found: Findings,
}

impl Sources {
    /// Every reference once, sorted.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let found = self
            .occurrences()
            .map(|(_, occurrence)| &occurrence.reference);
        let products = self.products.iter().flat_map(Chosen::references);
        let all = self.arguments.iter().chain(found).chain(products);
        let mut all: Vec<Reference> = all.cloned().collect();
        all.sort();
        all.dedup();
        all
    }

    /// A mirror's name for each image of a product that is pulled from one.
    pub(crate) fn mirrors(&self) -> BTreeMap<Reference, Vec<Reference>> {
        let mirrors = self.products.iter().flat_map(Chosen::mirrors);
        mirrors
            .map(|(image, mirror)| (image.clone(), vec![mirror.clone()]))
            .collect()
    }

    /// The names in other registries of each image of a product that some source pulls from there.
    pub(crate) fn elsewhere(&self) -> BTreeMap<Reference, Vec<Reference>> {
        let elsewhere = self.products.iter().flat_map(Chosen::elsewhere);
        elsewhere
            .map(|(image, others)| (image.clone(), others.to_vec()))
            .collect()
    }

    /// Every place in a file, with the file's name.
    pub(crate) fn occurrences(&self) -> impl Iterator<Item = (&str, &Occurrence)> {
        self.files.iter().flat_map(|file| {
            let occurrences = file.found.occurrences.iter();
            occurrences.map(|occurrence| (file.name.as_str(), occurrence))
        })
    }

    /// Every name whose tag the file leaves open, with the file's name.
    pub(crate) fn incomplete(&self) -> impl Iterator<Item = (&str, &Occurrence)> {
        self.files.iter().flat_map(|file| {
            let incomplete = file.found.incomplete.iter();
            incomplete.map(|occurrence| (file.name.as_str(), occurrence))
        })
    }

    /// Every place that looks like an image and is none that can be understood.
    pub(crate) fn not_understood(&self) -> impl Iterator<Item = (&str, &NotUnderstood)> {
        self.files.iter().flat_map(|file| {
            let places = file.found.not_understood.iter();
            places.map(|place| (file.name.as_str(), place))
        })
    }

    /// What a person may have to act on.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let products = self.products.iter().flat_map(Chosen::warnings);
        self.not_included().into_iter().chain(products).collect()
    }

    /// Files without images, and what they were recognized as.
    pub(crate) fn notes(&self) -> Vec<String> {
        let empty = self.files.iter().filter(|file| file.found.is_empty());
        let note = |file: &SourceFile| {
            let form = file.found.input.description();
            format!("{}: no images (recognized as {form})", file.name)
        };
        empty.map(note).collect()
    }

    /// Names without a tag, and what was not understood: neither is among the references.
    fn not_included(&self) -> Vec<String> {
        let incomplete = self.incomplete().map(|(name, at)| {
            format!(
                "{name}:{}:{}: {} is not included: no tag specified",
                at.line, at.column, at.text
            )
        });
        let not_understood = self
            .not_understood()
            .map(|(name, place)| format!("{name}:{place}"));
        incomplete.chain(not_understood).collect()
    }

    /// Adds what was found in files of other kinds, such as charts.
    ///
    /// # Errors
    /// If something was not understood that `args` do not allow to be missing.
    pub(crate) fn add(&mut self, args: &SourceArgs, files: &[SourceFile]) -> Result<(), Failure> {
        self.files.extend(files.iter().cloned());
        self.check_strict(args)
    }

    /// Refuses what `args` do not allow to be missing.
    fn check(&self, args: &SourceArgs) -> Result<(), Failure> {
        self.check_strict(args)?;
        let untagged = |file: &&SourceFile| {
            file.found.occurrences.is_empty() && !file.found.incomplete.is_empty()
        };
        match self.files.iter().find(untagged) {
            Some(file) if !args.allow_incomplete => Err(without_tags(file)),
            _ => Ok(()),
        }
    }

    fn check_strict(&self, args: &SourceArgs) -> Result<(), Failure> {
        let missing = self.not_included();
        if args.strict && !missing.is_empty() {
            return Err(
                Failure::message(Exit::Usage, "not everything was understood:").items(missing),
            );
        }
        Ok(())
    }
}

/// A file whose images are all missing their tags names none that can be pulled.
fn without_tags(file: &SourceFile) -> Failure {
    let names = file.found.incomplete.iter().take(MAX_NAMES);
    let names: Vec<&str> = names.map(|name| name.text.as_str()).collect();
    let more = file.found.incomplete.len() - names.len();
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!(
        "{}: no image has a tag ({}{more})",
        file.name,
        names.join(", ")
    );
    Failure::message(Exit::Usage, message).hint(
        "a chart fills in its own version: use the output of `helm template`, or --allow-incomplete",
    )
}

/// Reads all that `args` name.
pub(crate) fn read(args: &SourceArgs) -> Result<Sources, Failure> {
    let arguments = args.images.iter().map(|image| reference(image));
    let files = args.file.iter().map(|path| source_file(path));
    let sources = Sources {
        arguments: arguments.collect::<Result<_, _>>()?,
        files: files.collect::<Result<_, _>>()?,
        products: products::chosen(&args.products)?,
    };
    sources.check(args)?;
    Ok(sources)
}

fn reference(text: &str) -> Result<Reference, Failure> {
    text.parse().map_err(|error| {
        let failure = Failure::new(Exit::Usage, &error);
        if Path::new(text).exists() {
            failure.hint(
                "a file with image references is given with -f, an OCI layout or docker save archive with --from, anything else with --carry",
            )
        } else {
            failure
        }
    })
}

fn source_file(path: &Path) -> Result<SourceFile, Failure> {
    let name = if is_stdin(path) {
        STDIN.to_owned()
    } else {
        path.display().to_string()
    };
    let bytes = read_input(path, &name)?;
    let found = find(&name, &bytes).map_err(|error| Failure::new(Exit::Usage, &error))?;
    Ok(SourceFile { name, found })
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The bytes of a file, or of standard input for `-`, which messages call `name`; more than any input has
/// are cut off, which the reader of the bytes notices.
pub(crate) fn read_input(path: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    read_bounded(path)
        .map_err(|error| Failure::message(Exit::Usage, format!("cannot read {name}: {error}")))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if is_stdin(path) {
        io::stdin()
            .lock()
            .take(MAX_INPUT_BYTES)
            .read_to_end(&mut bytes)?;
    } else {
        File::open(path)?
            .take(MAX_INPUT_BYTES)
            .read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}
