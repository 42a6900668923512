//! What the path of a file says about it.

/// The path of the source of a compiled module, by its path: `D/__pycache__/M.TAG.pyc` or `D/M.pyc` for `D/M.py`.
pub(crate) fn source_path(path: &str) -> Option<String> {
    let path = path.strip_suffix(".pyc")?;
    let (folder, module) = path.rsplit_once('/').unwrap_or(("", path));
    let outer = match folder.rsplit_once('/') {
        Some((outer, "__pycache__")) => Some(outer),
        None if folder == "__pycache__" => Some(""),
        _ => None,
    };
    let (folder, module) = match outer {
        Some(outer) => (outer, module.split_once('.')?.0),
        None => (folder, module),
    };
    Some(match folder {
        "" => format!("{module}.py"),
        _ => format!("{folder}/{module}.py"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_paths_follow_from_module_paths() {
        for (module, source) in [
            ("a/__pycache__/b.cpython-311.pyc", "a/b.py"),
            ("a/__pycache__/b.cpython-311.opt-1.pyc", "a/b.py"),
            ("__pycache__/b.cpython-39.pyc", "b.py"),
            ("a/b.pyc", "a/b.py"),
            ("b.pyc", "b.py"),
        ] {
            assert_eq!(source_path(module).as_deref(), Some(source), "{module}");
        }
        assert_eq!(source_path("a/b.py"), None);
        assert_eq!(source_path("a/__pycache__/b.pyc"), None);
    }
}
