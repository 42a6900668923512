//! Modules that use each other in a circle. Modules are compared with those beside them: what is inside a module
//! counts as the module's own, and a module and what is inside it may know each other.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Crate, ItemPath};

/// For each module, which of the modules beside it it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The circles of all crates.
pub(super) fn find(crates: &[Crate]) -> Vec<String> {
    crates.iter().flat_map(circles).collect()
}

/// Every circle of a crate.
fn circles(krate: &Crate) -> Vec<String> {
    let file = krate.modules.first().map_or("", |module| &module.file);
    let name = file.split("/src/").next().unwrap_or_default();
    let mut faults = Vec::new();
    for (parent, uses) in uses(krate) {
        for circle in groups(&uses) {
            let inside = if parent.is_empty() {
                "the root".to_owned()
            } else {
                parent.join("::")
            };
            let names: Vec<&str> = circle.iter().map(String::as_str).collect();
            faults.push(format!(
                "{name}: modules of {inside} use each other in a circle: {}",
                names.join(", ")
            ));
        }
    }
    faults
}

/// By the module that both are in: who uses whom.
fn uses(krate: &Crate) -> BTreeMap<ItemPath, Uses> {
    let modules: BTreeSet<&ItemPath> = krate.modules.iter().map(|module| &module.path).collect();
    let mut all: BTreeMap<ItemPath, Uses> = BTreeMap::new();
    for module in &krate.modules {
        for name in &module.names {
            let Some(target) = module_of(name, &modules) else {
                continue;
            };
            let common = common(&module.path, target);
            if let (Some(from), Some(to)) = (module.path.get(common), target.get(common)) {
                let uses = all.entry(target[..common].to_vec()).or_default();
                uses.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    all
}

/// The module that contains the item of this path.
fn module_of<'a>(name: &ItemPath, modules: &BTreeSet<&'a ItemPath>) -> Option<&'a ItemPath> {
    let mut prefixes = (0..=name.len()).rev().map(|len| name[..len].to_vec());
    prefixes.find_map(|prefix| modules.get(&prefix).copied())
}

fn common(a: &ItemPath, b: &ItemPath) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Groups of two or more modules that reach each other.
fn groups(uses: &Uses) -> BTreeSet<BTreeSet<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        uses.keys().map(|from| (from, reach(from, uses))).collect();
    let group = |from: &String| -> BTreeSet<String> {
        let mutual = reached[from]
            .iter()
            .filter(|to| reached.get(**to).is_some_and(|back| back.contains(from)));
        mutual.map(|to| (*to).clone()).collect()
    };
    uses.keys()
        .map(group)
        .filter(|group| group.len() > 1)
        .collect()
}

fn reach<'a>(from: &'a String, uses: &'a Uses) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for to in uses.get(at).into_iter().flatten() {
            if reached.insert(to) {
                open.push(to);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_use_each_other_are_a_fault_that_names_them() {
        let krate = Crate::of(&[
            ("c/src/lib.rs", "mod a; mod b; mod d;"),
            ("c/src/a.rs", "use crate::b::B;"),
            ("c/src/b.rs", "mod c;"),
            ("c/src/b/c.rs", "fn f() { crate::d::g() }"),
            ("c/src/d.rs", "use super::a;"),
        ]);
        let faults = circles(&krate);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].ends_with("in a circle: a, b, d"), "{faults:?}");
    }

    #[test]
    fn a_module_and_what_is_inside_it_may_use_each_other() {
        let krate = Crate::of(&[
            ("c/src/lib.rs", "mod a; use a::A;"),
            ("c/src/a.rs", "mod b; use b::B; use self::b::C;"),
            ("c/src/a/b.rs", "use super::A; use crate::R;"),
        ]);
        assert!(circles(&krate).is_empty());
    }
}
