//! What is installed in the images, and what could not be read.

use maud::{Markup, html};
use sealift_inventory::InstalledProgram;

use crate::facts::{Facts, ImageFacts, PlatformFacts};
use crate::page::table;
use crate::units::count;

/// The packages of every image and platform.
pub(super) fn packages(facts: &Facts) -> Markup {
    let none = facts.images.iter().all(|image| image.platforms.is_empty());
    html! {
        p {
            "Packages of dpkg, apk and rpm, and the modules of Go programs, as the images themselves list them. Programs and "
            "libraries that were copied into an image without a package manager are not in these lists. Open a line to see its packages; "
            "open lines are printed too."
        }
        @if none { p { "There is no image whose packages could be listed." } }
        @for image in &facts.images {
            @for platform in &image.platforms { (of_platform(image, platform)) }
        }
    }
}

fn of_platform(image: &ImageFacts, platform: &PlatformFacts) -> Markup {
    let inventory = &platform.inventory;
    let name = if platform.platform.is_empty() {
        image.reference.clone()
    } else {
        format!("{}, {}", image.reference, platform.platform)
    };
    let parts = [
        count(inventory.packages.len() as u64, "package"),
        count(inventory.programs.len() as u64, "Go program"),
        count(inventory.files, "file"),
    ];
    html! {
        details {
            summary { (name) ": " (parts.join(", ")) @if !platform.unread.is_empty() { " (incomplete: see below)" } }
            @if !inventory.packages.is_empty() {
                (table(&format!("Packages in {name}"), &["Package", "Version", "Manager", "Architecture"], html! {
                    @for package in &inventory.packages {
                        tr {
                            th scope="row" { (package.name) }
                            td { (package.version) }
                            td { (package.kind) }
                            td { @match &package.architecture { Some(architecture) => (architecture), None => "not stated" } }
                        }
                    }
                }))
            }
            @for program in &inventory.programs { (go_program(program, &name)) }
        }
    }
}

fn go_program(program: &InstalledProgram, image: &str) -> Markup {
    let built_from = &program.built_from;
    let main = built_from.main.iter();
    html! {
        (table(&format!("Modules of /{} (built with {}) in {image}", program.path, built_from.go), &["Module", "Version"], html! {
            @for module in main.chain(&built_from.modules) {
                @let used = module.replaced_by.as_deref().unwrap_or(module);
                tr {
                    th scope="row" { (used.path) @if module.replaced_by.is_some() { " (in place of " (module.path) ")" } }
                    td { @if used.version.is_empty() { "not stated" } @else { (used.version) } }
                }
            }
        }))
    }
}

/// What was found and not understood.
pub(super) fn not_read(facts: &Facts) -> Markup {
    let notes: Vec<_> = facts.notes().collect();
    html! {
        @if notes.is_empty() {
            p { "Every layer was read to its end, and every package database that was found was understood." }
        } @else {
            (table("What was found and not understood", &["Image", "Platform", "What"], html! {
                @for (image, platform, what) in &notes {
                    tr {
                        th scope="row" { (image.reference) }
                        td { (platform.platform) }
                        td { (what) }
                    }
                }
            }))
        }
    }
}
