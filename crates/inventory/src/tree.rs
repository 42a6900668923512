//! The files of an image: layers applied on each other, as container runtimes do (image-spec, `layer.md`).

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use crate::entry::{Change, Entry, File, Notes};
use crate::limits::{MAX_LINKS, MAX_TREE_ENTRIES, MAX_TREE_NAMES};
use crate::scan::{LayerError, Scan};

/// What is at a path.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    File(Arc<File>),
    Directory,
    Symlink(Box<str>),
    /// A device or pipe.
    Other,
}

/// The files of an image, by path.
#[derive(Debug, Default)]
pub struct FileTree {
    nodes: BTreeMap<Box<str>, Node>,
    pub(crate) notes: Notes,
    /// The bytes of all paths and link targets.
    names: usize,
    /// A folder as the last entry named it, and where it is when links are followed.
    last_folder: Option<(Box<str>, String)>,
}

impl FileTree {
    /// Applies the next layer.
    ///
    /// # Errors
    /// If the image has more files than any that is read.
    pub fn apply(&mut self, scan: &Scan) -> Result<(), LayerError> {
        self.notes.extend(&scan.notes);
        self.last_folder = None;
        // Deletions are of the layers before, wherever in a layer they are listed.
        for entry in &scan.entries {
            match entry.change {
                Change::Whiteout => {
                    if let Some(path) = self.real_path(&entry.path) {
                        self.remove(&path);
                        self.remove_below(&path);
                    }
                }
                Change::Opaque => {
                    if let Some(path) = self.follow(&entry.path) {
                        self.remove_below(&path);
                    }
                }
                _ => {}
            }
        }
        for entry in &scan.entries {
            self.add(entry);
            for (limit, value, what) in [
                (
                    MAX_TREE_ENTRIES,
                    self.nodes.len(),
                    "names, with the layers before",
                ),
                (
                    MAX_TREE_NAMES,
                    self.names,
                    "bytes of names, with the layers before",
                ),
            ] {
                if value > limit {
                    let limit = limit as u64;
                    return Err(LayerError::TooLarge { limit, what });
                }
            }
        }
        self.last_folder = None;
        Ok(())
    }

    /// Every file with its path, in the order of paths. A file with several hard links is there as often.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Arc<File>)> {
        self.nodes.iter().filter_map(|(path, node)| match node {
            Node::File(file) => Some((&**path, file)),
            _ => None,
        })
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.nodes.iter().map(|(path, node)| (&**path, node))
    }

    /// The file at `path`, links followed.
    pub(crate) fn file(&self, path: &str) -> Option<&Arc<File>> {
        match self.nodes.get(self.follow(path)?.as_str())? {
            Node::File(file) => Some(file),
            _ => None,
        }
    }

    /// The files directly in the folder at `path`, links to it followed, with their names.
    pub(crate) fn files_in(&self, path: &str) -> Vec<(&str, &Arc<File>)> {
        let Some(folder) = self.follow(path) else {
            return Vec::new();
        };
        let start = folder.len() + 1;
        let inside = self.below(&folder).filter_map(|(path, node)| match node {
            Node::File(file) if !path[start..].contains('/') => Some((&path[start..], file)),
            _ => None,
        });
        inside.collect()
    }

    fn add(&mut self, entry: &Entry) {
        let path = &entry.path;
        if path.is_empty() {
            return;
        }
        let node = match &entry.change {
            Change::Whiteout | Change::Opaque => return,
            Change::File(file) => Node::File(Arc::clone(file)),
            Change::Directory => Node::Directory,
            Change::Symlink(target) => Node::Symlink(target.clone()),
            Change::Other => Node::Other,
            Change::HardLink(target) => {
                let Some(node) = self.linked(target) else {
                    let what = format!("a hard link to {target}, which is not in the image");
                    return self.notes.add(path, what);
                };
                node
            }
        };
        let Some(path) = self.real_path_cached(path) else {
            let what = "a path below something that is not a folder; it was skipped";
            return self.notes.add(path, what);
        };
        let directory = matches!(node, Node::Directory);
        if !directory {
            self.remove_below(&path);
        }
        let target = target_len(&node);
        let old = self.nodes.insert(path.as_str().into(), node);
        match &old {
            Some(old) => self.names -= target_len(old),
            None => self.names += path.len(),
        }
        self.names += target;
        let was_directory = matches!(old, None | Some(Node::Directory));
        if !(matches!(old, None | Some(Node::File(_))) || directory && was_directory) {
            self.last_folder = None;
        }
    }

    /// What a hard link to `target` is another name of.
    fn linked(&mut self, target: &str) -> Option<Node> {
        let path = self.real_path_cached(target)?;
        match self.nodes.get(path.as_str()) {
            None | Some(Node::Directory) => None,
            Some(node) => Some(node.clone()),
        }
    }

    /// As [`FileTree::real_path`]; entries of one folder mostly follow each other.
    fn real_path_cached(&mut self, path: &str) -> Option<String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let known = self
            .last_folder
            .as_ref()
            .filter(|(named, _)| **named == *folder);
        let real = if let Some((_, real)) = known {
            real.clone()
        } else {
            let real = self.folder(folder)?;
            self.last_folder = Some((folder.into(), real.clone()));
            real
        };
        Some(join(&real, name))
    }

    /// `path` with the links in its folders followed, but not one that it is itself; `None` if that leads
    /// nowhere.
    fn real_path(&self, path: &str) -> Option<String> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Some(join(&self.folder(folder)?, name))
    }

    /// `path` with all links followed, if a file can be below it.
    fn folder(&self, path: &str) -> Option<String> {
        let real = self.follow(path)?;
        let node = self.nodes.get(real.as_str());
        matches!(node, None | Some(Node::Directory)).then_some(real)
    }

    /// `path` with all links followed; `None` if they lead in a circle or below a file.
    fn follow(&self, path: &str) -> Option<String> {
        let mut open: VecDeque<&str> = path.split('/').collect();
        let (mut real, mut links) = (String::new(), 0);
        while let Some(component) = open.pop_front() {
            match component {
                "" | "." => continue,
                ".." => {
                    let parent = real.rfind('/').unwrap_or(0);
                    real.truncate(parent);
                    continue;
                }
                _ => {}
            }
            let next = join(&real, component);
            match self.nodes.get(next.as_str()) {
                None | Some(Node::Directory) => real = next,
                Some(Node::Symlink(target)) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return None;
                    }
                    if target.starts_with('/') {
                        real.clear();
                    }
                    for component in target.split('/').rev() {
                        open.push_front(component);
                    }
                }
                Some(Node::File(_) | Node::Other) if open.iter().all(|name| name.is_empty()) => {
                    real = next;
                }
                Some(Node::File(_) | Node::Other) => return None,
            }
        }
        Some(real)
    }

    fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a Node)> + use<'a> {
        let (start, end) = range_below(folder);
        let start = Bound::Included(start);
        let range = (
            start.as_ref().map(AsRef::as_ref),
            end.as_ref().map(AsRef::as_ref),
        );
        let inside = self.nodes.range::<str, (Bound<&str>, Bound<&str>)>(range);
        inside.map(|(path, node)| (&**path, node))
    }

    fn remove_below(&mut self, folder: &str) {
        let inside: Vec<Box<str>> = self.below(folder).map(|(path, _)| path.into()).collect();
        for path in inside {
            self.remove(&path);
            self.last_folder = None;
        }
    }

    fn remove(&mut self, path: &str) {
        if let Some(node) = self.nodes.remove(path) {
            self.names -= path.len() + target_len(&node);
        }
    }
}

/// The bytes of a link's target.
fn target_len(node: &Node) -> usize {
    match node {
        Node::Symlink(target) => target.len(),
        _ => 0,
    }
}

/// The bounds of all paths below `folder`.
fn range_below(folder: &str) -> (String, Bound<String>) {
    if folder.is_empty() {
        (String::new(), Bound::Unbounded)
    } else {
        // '0' is the character after '/'.
        (format!("{folder}/"), Bound::Excluded(format!("{folder}0")))
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

#[cfg(test)]
#[path = "tree/tests.rs"]
mod tests;
