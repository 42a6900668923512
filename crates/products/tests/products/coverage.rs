//! Which releases are covered: all of upstream's tags from v3.20 on, or a gap with a reason.

use std::fmt::Write as _;

use sealift_products::Catalogue;

use crate::shared::catalogue;

const TAGS: &str = include_str!("../../data/calico/tags.txt");

/// The table of `docs/calico.md`, between its two marks.
fn table(catalogue: &Catalogue) -> String {
    let product = catalogue.product("calico").unwrap();
    let mut series: Vec<(u32, u32)> = product
        .releases
        .iter()
        .map(|release| release.version.series())
        .collect();
    series.dedup();
    let mut text =
        "| series | releases | operators | registry | not covered |\n|---|---|---|---|---|\n"
            .to_owned();
    for series in series {
        let releases: Vec<_> = product
            .releases
            .iter()
            .filter(|release| release.version.series() == series)
            .collect();
        let (first, last) = (releases.first().unwrap(), releases.last().unwrap());
        let operator =
            |release: &sealift_products::Release| release.operator.clone().unwrap().to_string();
        let mut registries: Vec<&str> = releases
            .iter()
            .map(|release| release.registry.as_str())
            .collect();
        registries.dedup();
        let gaps = product
            .gaps
            .iter()
            .filter(|gap| gap.version.series() == series);
        let gaps: Vec<String> = gaps.map(|gap| gap.version.to_string()).collect();
        writeln!(
            text,
            "| {}.{} | {}: {} to {} | {} to {} | {} | {} |",
            series.0,
            series.1,
            releases.len(),
            first.version,
            last.version,
            operator(first),
            operator(last),
            registries.join(", then "),
            gaps.join(", ")
        )
        .unwrap();
    }
    text
}

#[test]
fn every_tag_of_upstream_is_covered_or_a_gap_with_its_reason() {
    let catalogue = catalogue();
    let product = catalogue.product("calico").unwrap();
    let tags: Vec<&str> = TAGS.lines().collect();
    assert_eq!(tags.len(), 80);
    let mut gaps = Vec::new();
    for tag in &tags {
        let covered = product
            .releases
            .iter()
            .any(|release| release.version.as_str() == *tag);
        if !covered {
            gaps.push(*tag);
            assert!(
                product
                    .gaps
                    .iter()
                    .any(|gap| gap.version.as_str() == *tag && !gap.reason.is_empty()),
                "{tag}"
            );
        }
    }
    assert_eq!(gaps, ["v3.21.3", "v3.24.6"]);
    assert_eq!(product.releases.len(), tags.len() - gaps.len());
}

#[test]
fn the_documented_table_is_what_the_data_says() {
    let catalogue = catalogue();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/calico.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (_, rest) = text.split_once("<!-- coverage -->\n").unwrap();
    let (documented, _) = rest.split_once("<!-- end of coverage -->").unwrap();
    assert_eq!(
        documented,
        table(&catalogue),
        "put this into {}",
        path.display()
    );
}

#[test]
fn a_release_has_an_operator_of_the_series_that_belongs_to_it() {
    let catalogue = catalogue();
    for release in &catalogue.product("calico").unwrap().releases {
        let operator = release.operator.as_ref().unwrap();
        let expected = match release.version.minor() {
            20 => 20,
            21 => 23,
            22 => 25,
            23 => 27,
            24 => 28,
            25 => 29,
            26 => 30,
            27 => 32,
            minor => 34 + (minor - 28) * 2,
        };
        assert_eq!(operator.series(), (1, expected), "{}", release.version);
        assert!(
            release
                .images
                .iter()
                .any(|row| row.reference.repository() == "tigera/operator"
                    && row.reference.tag() == Some(operator.as_str()))
        );
    }
}
