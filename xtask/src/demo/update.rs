//! The demo's second part: the next release, of which only what changed is carried.

use std::error::Error;
use std::fs;

use sealift_testkit::Registry;

use super::content::{self, Content};
use super::{BUNDLE, Demo, prove};

/// The folder of the isolated side, into which only the delta bundle gets.
const ISOLATED: &str = "isolated";
/// The delta bundle, and the complete bundle that it stands for.
const DELTA: &str = "demo-2-delta.tar";
const COMPLETE: &str = "demo-2.tar";

impl Demo {
    /// Publishes the next release, carries what changed from `first`, and proves that `destination` serves both.
    pub(super) fn next_release(
        &self,
        source: &Registry,
        destination: &Registry,
        first: &Content,
    ) -> Result<(), Box<dyn Error>> {
        println!(
            "\nThe next release. In each image a part of one layer changed. A delta bundle leaves out what the \
             first bundle has, and the registry has that already."
        );
        let next = content::fill(source, &content::NEXT);
        fs::write(self.folder.join("images-2.txt"), next.list(&source.host()))?;
        let list = ["bundle", "-f", "images-2.txt"];
        self.sealift(&[&list[..], &["-o", COMPLETE, "--quiet"]].concat())?;
        self.sealift(&[&list[..], &["--base", BUNDLE, "-o", DELTA]].concat())?;
        fs::create_dir(self.folder.join(ISOLATED))?;
        let carried = format!("{ISOLATED}/{DELTA}");
        fs::copy(self.folder.join(DELTA), self.folder.join(&carried))?;
        self.sealift(&["load", &carried, &self.destination])?;
        prove(source, destination, &next)?;
        prove(source, destination, first)?;
        let (complete, delta) = (self.size(COMPLETE)?, self.size(DELTA)?);
        println!(
            "\nEvery digest of both releases is unchanged. The first bundle had {} bytes. The complete bundle of the \
             next release has {complete} bytes, the delta bundle that was carried {delta} (1/{}).",
            self.size(BUNDLE)?,
            complete / delta.max(1)
        );
        if delta >= complete / 2 {
            return Err(format!("{DELTA} is not much smaller than {COMPLETE}").into());
        }
        Ok(())
    }
}
