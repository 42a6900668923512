//! Writes a request in sealift's own form.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::file::RequestFile;
use crate::own::{API_VERSION, KIND};

impl RequestFile {
    /// The request as YAML, which [`RequestFile::read`] reads back as the same. Fields that have their default
    /// are left out.
    pub fn to_yaml(&self) -> String {
        let mut yaml = Yaml(format!("apiVersion: {API_VERSION}\nkind: {KIND}\n"));
        yaml.mappings("products", &self.products, |product| {
            vec![
                ("name", Some(scalar(&product.name))),
                ("version", Some(scalar(&product.version))),
                ("with", list(&product.with)),
                ("without", list(&product.without)),
                ("registry", maybe(product.registry.as_deref())),
                ("mirror", maybe(product.mirror.as_deref())),
            ]
        });
        yaml.texts("images", &self.images);
        yaml.texts("lists", &texts(&self.lists));
        yaml.flag("strict", self.strict, false);
        yaml.flag("allowIncomplete", self.allow_incomplete, false);
        yaml.mappings("local", &self.local, |local| {
            vec![
                ("path", Some(scalar(&text(&local.path)))),
                ("repository", maybe(local.repository.as_deref())),
            ]
        });
        yaml.mappings("charts", &self.charts, |chart| {
            vec![
                ("chart", Some(scalar(&chart.chart))),
                ("repository", maybe(chart.repository.as_deref())),
                ("version", maybe(chart.version.as_deref())),
                ("values", list(&texts(&chart.values))),
            ]
        });
        yaml.mappings("files", &self.files, |file| {
            vec![
                ("path", Some(scalar(&text(&file.path)))),
                ("name", maybe(file.name.as_deref())),
            ]
        });
        yaml.texts("platforms", &self.platforms);
        yaml.flag("referrers", self.referrers, true);
        yaml.flag("foreignLayers", self.foreign_layers, false);
        yaml.mappings("mirrors", &self.mirrors, |mirror| {
            vec![
                ("from", Some(scalar(&mirror.from))),
                ("to", Some(scalar(&mirror.to))),
            ]
        });
        yaml.flag("mirrorFallback", self.mirror_fallback, false);
        let conf = self.registries_conf.as_deref().map(text);
        yaml.value("registriesConf", &maybe(conf.as_deref()));
        let output = self.output.as_deref().map(text);
        yaml.value("output", &maybe(output.as_deref()));
        let profile = self.profile.map(|profile| profile.to_string());
        yaml.value("profile", &maybe(profile.as_deref()));
        yaml.texts("bases", &texts(&self.bases));
        yaml.flag("withSealift", self.with_sealift, false);
        yaml.flag("checksums", self.checksums, false);
        yaml.flag("keepGoing", self.keep_going, false);
        yaml.0
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn texts(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| text(path)).collect()
}

/// A field's value as YAML on one line; `None` if the field is left out.
type Line = Option<String>;

fn maybe(text: Option<&str>) -> Line {
    text.map(scalar)
}

fn list(texts: &[String]) -> Line {
    let items: Vec<String> = texts.iter().map(|text| scalar(text)).collect();
    (!items.is_empty()).then(|| format!("[{}]", items.join(", ")))
}

/// A text as a YAML scalar: plain where that is read back as the same text in any list or mapping, else in
/// double quotes as JSON writes it, which YAML reads.
fn scalar(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-@+=:".contains(&byte);
    let first = text.bytes().next().unwrap_or(b' ');
    let is_plain = text.bytes().all(plain)
        && (first.is_ascii_alphabetic() || matches!(first, b'/' | b'.'))
        && !text.ends_with(':')
        && !is_word(text);
    if is_plain {
        return text.to_owned();
    }
    serde_json::Value::from(text).to_string()
}

/// Whether some reader of YAML takes the text for a truth value, null or a number.
fn is_word(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    words.contains(&lower.as_str()) || lower.starts_with(".nan") || lower.starts_with(".inf")
}

struct Yaml(String);

impl Yaml {
    fn value(&mut self, key: &str, value: &Line) {
        if let Some(value) = value {
            let _ = writeln!(self.0, "{key}: {value}");
        }
    }

    fn flag(&mut self, key: &str, value: bool, default: bool) {
        if value != default {
            let _ = writeln!(self.0, "{key}: {value}");
        }
    }

    fn texts(&mut self, key: &str, texts: &[String]) {
        if texts.is_empty() {
            return;
        }
        let _ = writeln!(self.0, "{key}:");
        for text in texts {
            let _ = writeln!(self.0, "  - {}", scalar(text));
        }
    }

    fn mappings<T>(
        &mut self,
        key: &str,
        items: &[T],
        fields: impl Fn(&T) -> Vec<(&'static str, Line)>,
    ) {
        if items.is_empty() {
            return;
        }
        let _ = writeln!(self.0, "{key}:");
        for item in items {
            let fields = fields(item).into_iter();
            let present = fields.filter_map(|(key, line)| Some((key, line?)));
            for (number, (key, line)) in present.enumerate() {
                let mark = if number == 0 { '-' } else { ' ' };
                let _ = writeln!(self.0, "  {mark} {key}: {line}");
            }
        }
    }
}
