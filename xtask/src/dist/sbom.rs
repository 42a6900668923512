//! The list of everything that the program is built of, as a `CycloneDX` 1.5 document.

use serde_json::{Value, json};

use super::metadata::{Package, Packages};

/// The document; its time is `time` as RFC 3339 writes it.
pub(super) fn sbom(packages: &Packages, time: &str) -> String {
    let program = packages.all.get(&packages.program);
    let components = packages
        .all
        .iter()
        .filter(|(id, _)| **id != packages.program)
        .map(|(_, package)| component(package, "library"));
    let dependencies = packages.all.values().map(|package| {
        let needs = package.needs.iter();
        let needs = needs.filter_map(|id| packages.all.get(id).map(reference));
        json!({"ref": reference(package), "dependsOn": needs.collect::<Vec<_>>()})
    });
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time,
            "component": program.map(|package| component(package, "application")),
        },
        "components": components.collect::<Vec<_>>(),
        "dependencies": dependencies.collect::<Vec<_>>(),
    });
    format!("{document:#}\n")
}

fn component(package: &Package, kind: &str) -> Value {
    let mut component = json!({
        "type": kind,
        "bom-ref": reference(package),
        "name": package.name,
        "version": package.version,
    });
    if let Some(license) = &package.license {
        // Some old manifests separate alternatives with a slash, which is not an SPDX expression.
        let expression = license.replace('/', " OR ");
        component["licenses"] = json!([{"expression": expression}]);
    }
    if let Some(checksum) = &package.checksum {
        component["purl"] = json!(reference(package));
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{"type": "vcs", "url": repository}]);
    }
    component
}

/// The package URL, which names a package once.
fn reference(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

#[cfg(test)]
mod tests {
    use super::super::metadata::packages;
    use super::*;

    #[test]
    fn the_document_lists_what_the_program_is_built_of_and_no_test_tool() {
        let packages = packages("x86_64-unknown-linux-gnu").unwrap();
        let text = sbom(&packages, "1970-01-01T00:00:00Z");
        let document: Value = serde_json::from_str(&text).unwrap();
        let components = document["components"].as_array().unwrap();
        let named = |name: &str| {
            components
                .iter()
                .find(|component| component["name"] == name)
        };
        let rustls = named("rustls").unwrap();
        assert_eq!(rustls["hashes"][0]["content"].as_str().unwrap().len(), 64);
        assert!(
            rustls["licenses"][0]["expression"]
                .as_str()
                .unwrap()
                .contains("MIT")
        );
        assert!(named("sealift-archive").is_some());
        for tool in ["proptest", "sealift-testkit", "xtask"] {
            assert!(named(tool).is_none(), "{tool}");
        }
        assert_eq!(document["metadata"]["component"]["name"], "sealift");
        // Whatever is depended on is listed.
        for entry in document["dependencies"].as_array().unwrap() {
            for needed in entry["dependsOn"].as_array().unwrap() {
                let listed = components
                    .iter()
                    .any(|component| component["bom-ref"] == *needed);
                assert!(listed, "{needed}");
            }
        }
    }
}
