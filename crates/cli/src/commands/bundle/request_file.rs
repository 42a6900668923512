//! Request files: one adds to the arguments, and the arguments can be written as one.

use std::path::{Path, PathBuf};

use sealift_bundle::{FileRequest, LocalRequest, MirrorRule};
use sealift_oci::PlatformSelector;
use sealift_request::{
    CarriedFile, LocalImages, Mirror, Product, Profile, RequestError, RequestFile, RequestForm,
};

use super::{BundleArgs, ProfileArg};
use crate::charts::ChartRequest;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::folder;
use crate::progress;
use crate::sources::read_input;

impl BundleArgs {
    /// The arguments with what the request files say. Lists are joined; where arguments and a file both give
    /// one value, the argument applies.
    ///
    /// # Errors
    /// If a file cannot be read or is not a request.
    pub(super) fn with_request_files(&self) -> Result<Self, Failure> {
        let mut args = self.clone();
        for path in &self.request {
            let name = if path == Path::new("-") {
                "standard input".to_owned()
            } else {
                path.display().to_string()
            };
            let file = RequestFile::read(&name, &read_input(path, &name)?)?;
            if file.form != RequestForm::Own {
                progress::note(&format!("{name}: a {}", file.form.description()));
            }
            for text in &file.not_read {
                progress::warn(&format!("{name}: not read: {text}"));
            }
            args.merge(file, folder(path), &name)?;
        }
        Ok(args)
    }

    fn merge(&mut self, file: RequestFile, folder: &Path, name: &str) -> Result<(), Failure> {
        let usage = |error: String| Failure::message(Exit::Usage, format!("{name}: {error}"));
        let at = |path: PathBuf| below(folder, path);
        self.sources.images.extend(file.images);
        self.sources.file.extend(file.lists.into_iter().map(at));
        self.sources.strict |= file.strict;
        self.sources.allow_incomplete |= file.allow_incomplete;
        self.sources.products.listed.extend(file.products);
        let local = file.local.into_iter().map(|local| LocalRequest {
            path: at(local.path),
            repository: local.repository,
        });
        self.from.extend(local);
        let carried = file.files.into_iter().map(|file| FileRequest {
            path: at(file.path),
            name: file.name,
            program: None,
        });
        self.carry.extend(carried);
        for chart in file.charts {
            match ChartRequest::of(chart, &at) {
                Ok(chart) => self.chart.push(chart),
                // Another tool's file may name what only that tool can fetch.
                Err(fault) if file.form != RequestForm::Own => {
                    progress::warn(&format!("{name}: not read: {fault}"));
                }
                Err(fault) => return Err(usage(fault.to_string())),
            }
        }
        if self.platform.is_empty() {
            let platforms = file.platforms.iter();
            let platforms = platforms.map(|text| text.parse::<PlatformSelector>());
            self.platform = platforms
                .collect::<Result<_, _>>()
                .map_err(|error| usage(error.to_string()))?;
        }
        self.no_referrers |= !file.referrers;
        self.foreign_layers |= file.foreign_layers;
        for mirror in file.mirrors {
            let rule = format!("{}={}", mirror.from, mirror.to).parse::<MirrorRule>();
            self.mirrors
                .mirror
                .push(rule.map_err(|error| usage(error.to_string()))?);
        }
        self.mirrors.mirror_fallback |= file.mirror_fallback;
        let conf = file.registries_conf.map(at);
        self.mirrors.registries_conf = self.mirrors.registries_conf.take().or(conf);
        self.output = self.output.take().or(file.output.map(at));
        self.profile = self.profile.or(file.profile.map(|profile| match profile {
            Profile::Plain => ProfileArg::Plain,
            Profile::Compact => ProfileArg::Compact,
            Profile::Delta => ProfileArg::Delta,
        }));
        self.base.extend(file.bases.into_iter().map(at));
        self.with_sealift |= file.with_sealift;
        self.checksums |= file.checksums;
        self.keep_going |= file.keep_going;
        Ok(())
    }

    /// What the arguments mean, as one request file.
    pub(super) fn to_request_file(&self) -> RequestFile {
        let products = &self.sources.products;
        let named = products.product.iter().map(|spec| {
            let text = spec.to_string();
            let version = text.split_once('@').map_or("", |(_, version)| version);
            Product {
                name: spec.product().to_owned(),
                version: version.to_owned(),
                with: products.with.clone(),
                without: products.without.clone(),
                registry: products.product_registry.as_ref().map(ToString::to_string),
                mirror: products.product_mirror.as_ref().map(ToString::to_string),
            }
        });
        let local = self.from.iter().map(|local| LocalImages {
            path: local.path.clone(),
            repository: local.repository.clone(),
        });
        let files = self.carry.iter().map(|file| CarriedFile {
            path: file.path.clone(),
            name: file.name.clone(),
        });
        let mirrors = self.mirrors.mirror.iter().map(|rule| Mirror {
            from: rule.from(),
            to: rule.to().to_string(),
        });
        RequestFile {
            products: named.chain(products.listed.iter().cloned()).collect(),
            images: self.sources.images.clone(),
            lists: self.sources.file.clone(),
            strict: self.sources.strict,
            allow_incomplete: self.sources.allow_incomplete,
            local: local.collect(),
            charts: self.chart.iter().map(ChartRequest::to_entry).collect(),
            files: files.collect(),
            platforms: self.platform.iter().map(ToString::to_string).collect(),
            referrers: !self.no_referrers,
            foreign_layers: self.foreign_layers,
            mirrors: mirrors.collect(),
            mirror_fallback: self.mirrors.mirror_fallback,
            registries_conf: self.mirrors.registries_conf.clone(),
            output: self.output.clone(),
            profile: self.profile.map(|profile| match profile {
                ProfileArg::Plain => Profile::Plain,
                ProfileArg::Compact => Profile::Compact,
                ProfileArg::Delta => Profile::Delta,
            }),
            bases: self.base.clone(),
            with_sealift: self.with_sealift,
            checksums: self.checksums,
            keep_going: self.keep_going,
            ..RequestFile::default()
        }
    }
}

/// A path of a file in `folder`; `-` is standard input.
fn below(folder: &Path, path: PathBuf) -> PathBuf {
    if path == Path::new("-") || folder == Path::new(".") {
        path
    } else {
        folder.join(path)
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::new(Exit::Usage, &error)
    }
}
