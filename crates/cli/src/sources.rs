//! Image references from arguments, files and standard input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sealift_imagerefs::{Found, NotUnderstood, Occurrence, find};
use sealift_oci::Reference;

use crate::args::SourceArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::products::{self, Chosen};

/// No list or manifest is larger: what `imagerefs` reads at the most, and a byte to notice more.
const MAX_INPUT_BYTES: u64 = (64 << 20) + 1;

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
pub(crate) struct SourceFile {
    /// Its name, for messages.
    pub(crate) name: String,
    /// What was found.
    pub(crate) found: Found,
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
    pub(crate) fn mirrors(&self) -> BTreeMap<Reference, Reference> {
        let mirrors = self.products.iter().flat_map(Chosen::mirrors);
        mirrors
            .map(|(image, mirror)| (image.clone(), mirror.clone()))
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

    /// What a person should know of the inputs: whole sentences.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let incomplete = self.incomplete().map(|(name, place)| {
            format!(
                "{name}:{}:{}: {} is left out: the file does not give its tag",
                place.line, place.column, place.text
            )
        });
        let not_understood = self
            .not_understood()
            .map(|(name, place)| format!("{name}:{place}"));
        let products = self.products.iter().flat_map(Chosen::warnings);
        incomplete.chain(not_understood).chain(products).collect()
    }
}

/// Reads all that `args` name.
pub(crate) fn read(args: &SourceArgs) -> Result<Sources, Failure> {
    let arguments = args.images.iter().map(|image| reference(image));
    let files = args.file.iter().map(|path| source_file(path));
    Ok(Sources {
        arguments: arguments.collect::<Result<_, _>>()?,
        files: files.collect::<Result<_, _>>()?,
        products: products::chosen(&args.products)?,
    })
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
