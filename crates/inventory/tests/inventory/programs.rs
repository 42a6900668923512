//! Go programs that Go itself linked.

use std::fs;
use std::process::Command;

use sealift_inventory::Inventory;
use sealift_testkit::real::require;

use crate::support::{inventory, notes};

fn paths(inventory: &Inventory) -> Vec<&str> {
    inventory
        .programs
        .iter()
        .map(|program| program.path.as_str())
        .collect()
}

#[test]
fn programs_for_every_kind_of_system_are_read() {
    let Some(go) = require("go") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "go.mod",
        "module example.org/demo\ngo 1.21\nrequire example.org/dep v1.2.3\nreplace example.org/dep => ./dep\n",
    );
    write(
        "main.go",
        "package main\nimport \"example.org/dep\"\nfunc main() { println(dep.Name) }\n",
    );
    fs::create_dir(folder.path().join("dep")).unwrap();
    write("dep/go.mod", "module example.org/dep\ngo 1.21\n");
    write("dep/dep.go", "package dep\nvar Name = \"x\"\n");
    for (system, flags) in [
        ("linux", ""),
        ("linux", "-s -w"),
        ("windows", ""),
        ("darwin", ""),
    ] {
        let built = Command::new(&go)
            .args([
                "build",
                "-trimpath",
                "-ldflags",
                flags,
                "-o",
                "program",
                ".",
            ])
            .current_dir(folder.path())
            .envs([("GOOS", system), ("GOARCH", "amd64"), ("CGO_ENABLED", "0")])
            .envs([
                ("GOFLAGS", "-mod=mod"),
                ("GOPROXY", "off"),
                ("GOTOOLCHAIN", "local"),
            ])
            .status()
            .unwrap();
        assert!(built.success(), "{system}");
        let program = fs::read(folder.path().join("program")).unwrap();
        let found = inventory(&[
            ("usr/bin/demo", &program),
            ("usr/bin/sh", b"\x7fELF and no more"),
        ]);
        assert_eq!(notes(&found), Vec::<String>::new(), "{system}");
        assert_eq!(paths(&found), ["usr/bin/demo"], "{system}");
        let built_from = &found.programs[0].built_from;
        assert!(built_from.go.starts_with("go1."), "{}", built_from.go);
        assert_eq!(built_from.main.as_ref().unwrap().path, "example.org/demo");
        assert_eq!(built_from.modules[0].path, "example.org/dep");
        assert_eq!(
            built_from.modules[0].replaced_by.as_ref().unwrap().path,
            "./dep"
        );
    }
}
