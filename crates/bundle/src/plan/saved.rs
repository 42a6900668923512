//! A plan as text, for the journal: all that a later run needs to continue without another request. The
//! manifests are not in it: they are written into the partial file first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use sealift_archive::{Contents, Layout, Record};
use sealift_oci::Digest;
use sealift_pipeline::Cancel;
use serde::{Deserialize, Serialize};

use crate::plan::{Item, LeftOut, Need, OmittedImage, Plan, PlanParts, Planned};
use crate::sources::{Locals, Source, carry_file};
use crate::spool::Spool;
use crate::stamp::stamp as stamp_of;

/// The name and version of the form; a plan of another version is not taken up.
const FORMAT: &str = "sealift.plan/3";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Saved {
    format: String,
    request: Digest,
    record: Record,
    sources: Vec<Source>,
    items: BTreeMap<Digest, Item>,
    needs: Vec<Need>,
    made: BTreeMap<Digest, String>,
    left_out: BTreeMap<String, Vec<LeftOut>>,
    not_covered: BTreeMap<String, Vec<String>>,
    pulled_from: BTreeMap<String, String>,
    warnings: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    shared: BTreeSet<Digest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    omitted: Vec<OmittedImage>,
}

impl Plan {
    /// The plan as text. Equal plans are equal text.
    pub(crate) fn to_text(&self) -> String {
        let (parts, planned) = (self.parts(), self.planned());
        let saved = Saved {
            format: FORMAT.to_owned(),
            request: parts.request,
            record: planned.contents.record().clone(),
            sources: parts.sources.clone(),
            items: planned.items.clone(),
            needs: planned.needs.clone(),
            made: planned.made.clone(),
            left_out: planned.left_out.clone(),
            not_covered: planned.not_covered.clone(),
            pulled_from: planned.pulled_from.clone(),
            warnings: planned.warnings.clone(),
            shared: parts.shared.clone(),
            omitted: parts.omitted.clone(),
        };
        serde_json::to_string(&saved).expect("digests and text are the only keys")
    }

    /// Reads what [`Plan::to_text`] wrote; none where it is something else, or does not fit together.
    /// `scratch` is for a spool that stays empty.
    pub(crate) fn from_text(text: &str, scratch: &Path) -> Option<Self> {
        let saved: Saved = serde_json::from_str(text).ok()?;
        if saved.format != FORMAT {
            return None;
        }
        let contents = Contents::new(saved.record).ok()?;
        let layout = Layout::new(&contents).ok()?;
        let places = |item: &Item| {
            item.sources
                .iter()
                .all(|source| usize::try_from(*source).is_ok_and(|id| id < saved.sources.len()))
        };
        let fits = saved.items.iter().all(|(digest, item)| {
            places(item)
                && layout
                    .extent(digest)
                    .is_some_and(|extent| extent.size == item.size)
        });
        let listed = contents.record().manifests.len() + contents.record().blobs.len();
        if !fits || listed != saved.items.len() {
            return None;
        }
        Some(Self::new(PlanParts {
            planned: Planned {
                contents,
                total_bytes: layout.total_bytes(),
                items: saved.items,
                needs: saved.needs,
                made: saved.made,
                left_out: saved.left_out,
                not_covered: saved.not_covered,
                pulled_from: saved.pulled_from,
                warnings: saved.warnings,
            },
            request: saved.request,
            sources: saved.sources,
            shared: saved.shared,
            omitted: saved.omitted,
            spool: Arc::new(Spool::new(scratch)),
            locals: Locals::default(),
        }))
    }

    /// The same with what is on disk read again; none where that is not what was planned with.
    pub(crate) fn with_locals(mut self) -> Option<Self> {
        let mut carried = BTreeMap::new();
        for source in &self.parts.sources {
            match source {
                Source::Local { path, stamp } if stamp_of(Path::new(path)) == *stamp => {}
                Source::Local { .. } => return None,
                Source::Carried {
                    path,
                    name,
                    program,
                } => {
                    let (name, program) = (name.as_ref(), program.as_ref());
                    let file = carry_file(path, name, program, &Cancel::new()).ok()?;
                    let same = self.contents().record().files.contains(&file.entry);
                    carried.insert(source.clone(), Arc::new(file));
                    if !same {
                        return None;
                    }
                }
                Source::Registry { .. } => {}
            }
        }
        self.parts.locals.carried = carried;
        Some(self)
    }
}
