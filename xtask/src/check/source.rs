//! The source files of a crate, as far as the checks read them: modules, the paths that each one names, and the
//! texts in it. Tests (`#[cfg(test)]`) are left out.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A path of modules and items from the crate's root, without `crate`.
pub(super) type ItemPath = Vec<String>;

/// One crate.
pub(super) struct Crate {
    /// Its modules; each file is one.
    pub(super) modules: Vec<Module>,
}

/// One module with a file of its own; modules inside it count as part of it.
pub(super) struct Module {
    /// The file, relative to the workspace.
    pub(super) file: String,
    /// Its path from the crate's root; empty for the root.
    pub(super) path: ItemPath,
    /// What it names in its own crate.
    pub(super) names: BTreeSet<ItemPath>,
    /// What it names elsewhere by a path, such as `std::fs::File`.
    pub(super) external: BTreeSet<ItemPath>,
    /// Modules inside it that are compiled for tests only.
    test_modules: Vec<ItemPath>,
    /// Whether it begins with a comment that says what it is for.
    pub(super) has_purpose: bool,
    /// The texts in its code, those of error messages included; not its comments.
    pub(super) texts: Vec<String>,
}

impl Crate {
    /// Reads the files below `folder/src`.
    pub(super) fn read(root: &Path, folder: &str) -> Result<Self, Box<dyn Error>> {
        let mut files = Vec::new();
        rust_files(&root.join(folder).join("src"), &mut files)?;
        files.sort();
        let mut modules = Vec::new();
        for file in files {
            let text = fs::read_to_string(root.join(&file))?;
            let file = file.strip_prefix(root)?.to_str().ok_or("not UTF-8")?;
            let path = module_path(file, folder);
            modules.push(Module::parse(file, path, &text)?);
        }
        Ok(Self::without_tests(modules))
    }

    /// Leaves out the modules that are compiled for tests only, and what is inside them.
    fn without_tests(mut modules: Vec<Module>) -> Self {
        let tests: Vec<ItemPath> = modules
            .iter()
            .flat_map(|module| module.test_modules.iter().cloned())
            .collect();
        modules.retain(|module| !tests.iter().any(|test| module.path.starts_with(test)));
        Self { modules }
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let module = |&(file, text): &(&str, &str)| {
            Module::parse(file, module_path(file, "c"), text).unwrap()
        };
        Self::without_tests(files.iter().map(module).collect())
    }
}

impl Module {
    fn parse(file: &str, path: ItemPath, text: &str) -> Result<Self, Box<dyn Error>> {
        let syntax = syn::parse_file(text).map_err(|error| format!("{file}: {error}"))?;
        let mut module = Self {
            file: file.to_owned(),
            path: path.clone(),
            names: BTreeSet::new(),
            external: BTreeSet::new(),
            test_modules: Vec::new(),
            has_purpose: text.starts_with("//!"),
            texts: Vec::new(),
        };
        let mut reader = Reader {
            module: &mut module,
            at: path,
        };
        reader.visit_file(&syntax);
        Ok(module)
    }
}

/// All files in `folder` that end in `.rs`.
fn rust_files(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Files with more lines than `limit`.
pub(super) fn too_long(root: &Path, limit: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "tests"] {
        rust_files(&root.join(folder), &mut files)?;
    }
    let mut faults = Vec::new();
    for file in files {
        let lines = fs::read_to_string(&file)?.lines().count();
        if lines > limit {
            faults.push(format!(
                "{} has {lines} lines, more than {limit}",
                file.display()
            ));
        }
    }
    Ok(faults)
}

/// Files that do not begin with what they are for.
pub(super) fn without_purpose(krate: &Crate) -> Vec<String> {
    let without = krate.modules.iter().filter(|module| !module.has_purpose);
    without
        .map(|module| format!("{} does not begin with a //! comment", module.file))
        .collect()
}

fn module_path(file: &str, folder: &str) -> ItemPath {
    let inside = file
        .strip_prefix(folder)
        .and_then(|rest| rest.strip_prefix("/src/"))
        .unwrap_or(file);
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut path: ItemPath = inside.split('/').map(str::to_owned).collect();
    if path
        .last()
        .is_some_and(|last| ["lib", "main", "mod"].contains(&last.as_str()))
    {
        path.pop();
    }
    path
}

/// Walks the syntax and notes paths and texts.
struct Reader<'a> {
    module: &'a mut Module,
    /// The module that paths are relative to.
    at: ItemPath,
}

impl Reader<'_> {
    /// Notes a path as it is written.
    fn note(&mut self, written: &[String]) {
        let Some(first) = written.first() else {
            return;
        };
        let mut path = match first.as_str() {
            "crate" => ItemPath::new(),
            "self" => self.at.clone(),
            "super" => parent(&self.at),
            _ => {
                if written.len() > 1 {
                    self.module.external.insert(written.to_vec());
                }
                return;
            }
        };
        for name in &written[1..] {
            match name.as_str() {
                "self" | "*" => {}
                "super" => path = parent(&path),
                name => path.push(name.to_owned()),
            }
        }
        self.module.names.insert(path);
    }

    fn use_tree(&mut self, tree: &syn::UseTree, prefix: &mut ItemPath) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.use_tree(&path.tree, prefix);
                prefix.pop();
            }
            syn::UseTree::Name(name) => self.note_with(prefix, &name.ident.to_string()),
            syn::UseTree::Rename(name) => self.note_with(prefix, &name.ident.to_string()),
            syn::UseTree::Glob(_) => self.note_with(prefix, "*"),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.use_tree(tree, prefix);
                }
            }
        }
    }

    fn note_with(&mut self, prefix: &ItemPath, last: &str) {
        let mut path = prefix.clone();
        path.push(last.to_owned());
        self.note(&path);
    }

    /// Paths and texts in what a macro is given, which is not parsed.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = ItemPath::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note(&path);
                        path.clear();
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.note(&path);
                    path.clear();
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        TokenTree::Literal(literal) => self.literal(&literal.to_string()),
                        _ => {}
                    }
                }
            }
        }
        self.note(&path);
    }

    fn literal(&mut self, written: &str) {
        if let Ok(text) = syn::parse_str::<syn::LitStr>(written) {
            self.module.texts.push(text.value());
        }
    }
}

fn parent(path: &ItemPath) -> ItemPath {
    path[..path.len().saturating_sub(1)].to_vec()
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let list = attribute.meta.require_list();
        attribute.path().is_ident("cfg") && list.is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(it) => &it.attrs,
            syn::Item::Fn(it) => &it.attrs,
            syn::Item::Impl(it) => &it.attrs,
            syn::Item::Use(it) => &it.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        } else if let syn::Item::Mod(item) = item {
            let mut path = self.at.clone();
            path.push(item.ident.to_string());
            self.module.test_modules.push(path);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() {
            self.at.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.at.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.use_tree(&item.tree, &mut ItemPath::new());
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let written: ItemPath = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        self.note(&written);
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(item.tokens.clone());
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.module.texts.push(literal.value());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(text: &str) -> Module {
        Module::parse("c/src/a/b.rs", module_path("c/src/a/b.rs", "c"), text).unwrap()
    }

    #[test]
    fn paths_in_uses_code_and_macros_are_found() {
        let module = module(
            "use super::{c::D, e};\nfn f() { crate::g::h(); matches!(1, self::I::J); std::fs::read(\"x\"); }",
        );
        let names: Vec<String> = module.names.iter().map(|path| path.join("::")).collect();
        assert_eq!(names, ["a::b::I::J", "a::c::D", "a::e", "g::h"]);
        assert!(module.external.contains(&vec![
            "std".to_owned(),
            "fs".to_owned(),
            "read".to_owned()
        ]));
        assert_eq!(module.texts, ["x"]);
    }

    #[test]
    fn tests_and_comments_are_left_out() {
        let module = module("/// See crate::x.\n#[cfg(test)]\nmod tests { use crate::y; }\n");
        assert!(module.names.is_empty() && module.texts.is_empty());
    }

    #[test]
    fn files_of_tests_are_left_out() {
        let krate = Crate::of(&[
            ("c/src/lib.rs", "#[cfg(test)] mod tests; mod a;"),
            ("c/src/tests.rs", "use crate::a;"),
            ("c/src/a.rs", ""),
        ]);
        let files: Vec<&str> = krate.modules.iter().map(|module| &*module.file).collect();
        assert_eq!(files, ["c/src/lib.rs", "c/src/a.rs"]);
        assert_eq!(without_purpose(&krate).len(), 2);
    }

    #[test]
    fn the_words_of_errors_are_texts() {
        let module = module("#[error(\"use --force\")]\nstruct E;");
        assert_eq!(module.texts, ["use --force"]);
    }
}
