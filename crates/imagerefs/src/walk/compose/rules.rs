//! Which fields of a mapping make one reference, and in which order: the rules of
//! `docs/image-references.md`, as a function of the fields alone.

use super::fields::{Field, Fields};
use super::hosts::{is_registry, is_source};
use crate::check::{check, has_host, selector};
use crate::occurrence::Piece;
use crate::tag::split_tag;

/// What is known of a mapping besides its own fields.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent fact")]
pub(crate) struct Context {
    /// Its key, or the one above, says that it is about an image.
    pub(crate) image: bool,
    /// It is in `global`, so that it is for all images.
    pub(crate) global: bool,
    /// It is part of Helm values rather than of a custom resource.
    pub(crate) values: bool,
    /// A mapping around it names a registry that no rule applies here.
    pub(crate) registry_elsewhere: bool,
    /// A mapping around it has a common registry and namespace for images (cert-manager).
    pub(crate) common_namespace: bool,
}

/// What the rules say of a mapping.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision<'f, 'a> {
    /// It has no image in several fields.
    NotAnImage,
    /// These fields, in this order, are one reference.
    Join(Vec<(Piece, &'f Field<'a>)>),
    /// It has an image, and the rules do not say which fields make it.
    Undecided(&'static str),
}

/// The name's fields, before tag and digest.
type Base<'f, 'a> = Result<Option<Vec<(Piece, &'f Field<'a>)>>, &'static str>;

/// Decides which of `fields` make a reference.
pub(crate) fn decide<'f, 'a>(fields: &'f Fields<'a>, context: Context) -> Decision<'f, 'a> {
    match base(fields, context) {
        Ok(None) if context.image && !context.global && fields.lacks_name() => {
            Decision::Undecided("no field has the name")
        }
        Ok(None) if !context.image && fields.may_be_image() => {
            Decision::Undecided("nothing says that they are an image's")
        }
        Ok(None) => Decision::NotAnImage,
        Ok(Some(base)) => match complete(base, fields, context) {
            Ok(pieces) => Decision::Join(pieces),
            Err(reason) => Decision::Undecided(reason),
        },
        Err(reason) => Decision::Undecided(reason),
    }
}

fn base<'f, 'a>(fields: &'f Fields<'a>, context: Context) -> Base<'f, 'a> {
    let repository = fields
        .repository
        .as_ref()
        .filter(|repository| context.image || !is_source(repository.text));
    match (repository, &fields.image, &fields.name) {
        (Some(repository), Some(image), _) => repository_and_image(fields, repository, image),
        (Some(repository), None, name) => {
            named_repository(fields, context, repository, name.as_ref())
        }
        (None, Some(image), _) => {
            let engaged = fields.says_more(image) || fields.tag_key;
            engaged.then(|| below(fields, image)).transpose()
        }
        (None, None, Some(name)) if context.image => {
            let engaged = fields.says_more(name) || fields.tag_key || selector(name.text).is_some();
            engaged.then(|| below(fields, name)).transpose()
        }
        (None, None, None) if fields.whole.is_some() && fields.location.is_none() => whole(fields),
        (None, None, None) => match &fields.location {
            Some(location) if context.image && fields.says_more(location) => {
                below(fields, location).map(Some)
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

/// A field that has all of a reference as a rule, such as `ref`. It is found like any other, unless another
/// field adds to it.
fn whole<'f, 'a>(fields: &'f Fields<'a>) -> Base<'f, 'a> {
    match &fields.whole {
        Some(whole) if selector(whole.text).is_none() && fields.says_more(whole) => {
            Err("the reference may be complete or not")
        }
        _ => Ok(None),
    }
}

/// `repository` without `image`: the whole name, unless `name` is its last part.
fn named_repository<'f, 'a>(
    fields: &'f Fields<'a>,
    context: Context,
    repository: &'f Field<'a>,
    name: Option<&'f Field<'a>>,
) -> Base<'f, 'a> {
    // A repository may be of charts or of sources: something has to speak of an image.
    if !(context.image
        || fields.speaks_of_image
        || !matches!(repository.key, "repository" | "repo"))
    {
        return if has_host(repository.text) && !is_source(repository.text) {
            Err("nothing says whether the repository is an image's")
        } else {
            Ok(None)
        };
    }
    let name = name.filter(|name| {
        let label = check(name.text).is_err() || last(repository.text) == name.text;
        !label && !context.common_namespace
    });
    let Some(name) = name else {
        return below(fields, repository).map(Some);
    };
    // Strimzi: registry, repository and name are three parts.
    let parts = fields.registry.is_some() && context.image && !has_host(repository.text);
    if parts && selector(repository.text).is_none() && !name.text.contains('/') {
        return join_registry(
            fields,
            vec![(Piece::Namespace, repository), (Piece::Name, name)],
        )
        .map(Some);
    }
    Err("`name` may be the last part of the repository or only a label")
}

/// NVIDIA's GPU operator: `repository` is all of the name but `image`, its last part.
fn repository_and_image<'f, 'a>(
    fields: &'f Fields<'a>,
    repository: &'f Field<'a>,
    image: &'f Field<'a>,
) -> Base<'f, 'a> {
    let complete = selector(image.text).is_some() || has_host(image.text);
    let twice = last(repository.text) == last(image.text)
        || (image.text.contains('/') && repository.text.contains('/'));
    if complete || selector(repository.text).is_some() || twice {
        return Err("the repository and the image may be parts of one name or two names");
    }
    if fields.registry.is_some() && !has_host(repository.text) {
        let pieces = vec![(Piece::Namespace, repository), (Piece::Name, image)];
        return join_registry(fields, pieces).map(Some);
    }
    if fields.registry.is_none() && is_registry(repository.text) {
        return Ok(Some(vec![(Piece::Hub, repository), (Piece::Name, image)]));
    }
    Err("the repository does not begin with a registry")
}

/// A name below the registry and the organization, where there are some.
fn below<'f, 'a>(
    fields: &'f Fields<'a>,
    name: &'f Field<'a>,
) -> Result<Vec<(Piece, &'f Field<'a>)>, &'static str> {
    match &fields.path {
        None => join_registry(fields, vec![(Piece::Name, name)]),
        Some(_) if name.text.contains('/') => Err("the name may already contain the organization"),
        Some(_) if fields.registry.is_none() => Err("no registry for the organization"),
        Some(path) => join_registry(fields, vec![(Piece::Namespace, path), (Piece::Name, name)]),
    }
}

/// The registry, if there is one, before the rest of a name.
fn join_registry<'f, 'a>(
    fields: &'f Fields<'a>,
    rest: Vec<(Piece, &'f Field<'a>)>,
) -> Result<Vec<(Piece, &'f Field<'a>)>, &'static str> {
    let Some(registry) = &fields.registry else {
        return Ok(rest);
    };
    if rest.first().is_some_and(|(_, field)| has_host(field.text)) {
        return Err("the registry and the name both begin with a host");
    }
    // Templates and other unreadable text is named as such when the whole is read.
    if check(registry.text.trim_matches('/')).is_ok() && !is_registry(registry.text) {
        return Err("the registry is not a host");
    }
    let mut pieces = vec![(Piece::Registry, registry)];
    pieces.extend(rest);
    Ok(pieces)
}

/// Adds tag and digest.
fn complete<'f, 'a>(
    base: Vec<(Piece, &'f Field<'a>)>,
    fields: &'f Fields<'a>,
    context: Context,
) -> Result<Vec<(Piece, &'f Field<'a>)>, &'static str> {
    if let Some(reason) = fields.conflict {
        return Err(reason);
    }
    if fields.modifier.is_some() {
        return Err("another field may change the tag");
    }
    let mut pieces = base;
    let &(_, name) = pieces.last().ok_or("no name")?;
    check_registry(&pieces, fields, context)?;
    if let Some(tag) = &fields.tag {
        let piece = tag_piece(tag, name, &pieces, context)?;
        pieces.extend(piece.map(|piece| (piece, tag)));
    }
    if let Some((piece, digest)) = &fields.digest {
        let room = digest_has_room(digest, name, fields.tag.as_ref())?;
        if room && !pieces.iter().any(|(piece, _)| *piece == Piece::Digest) {
            pieces.push((*piece, digest));
        }
    }
    let use_digest = fields.use_digest.as_ref();
    pieces.extend(use_digest.map(|field| (Piece::UseDigest, field)));
    Ok(pieces)
}

/// Refuses a name without a host that may get one from elsewhere.
fn check_registry(
    pieces: &[(Piece, &Field<'_>)],
    fields: &Fields<'_>,
    context: Context,
) -> Result<(), &'static str> {
    let [(_, name)] = pieces else {
        return Ok(());
    };
    match fields.empty {
        _ if has_host(name.text) => Ok(()),
        _ if context.registry_elsewhere => Err("a registry is set elsewhere in the file"),
        Some(reason) => Err(reason),
        None => Ok(()),
    }
}

/// What the tag's field is: the tag, the digest (the GPU operator's version), or nothing that is needed.
fn tag_piece(
    tag: &Field<'_>,
    name: &Field<'_>,
    pieces: &[(Piece, &Field<'_>)],
    context: Context,
) -> Result<Option<Piece>, &'static str> {
    let alone = pieces.len() == 1;
    let gpu_operator = pieces
        .first()
        .is_some_and(|(piece, _)| *piece == Piece::Hub);
    if let Some((name_tag, _)) = selector(name.text) {
        let same = name_tag == Some(tag.text);
        return if same || tag.is_version() {
            Ok(None)
        } else {
            Err("two fields have a tag")
        };
    }
    if tag.text.starts_with("sha256:") {
        return if gpu_operator {
            Ok(Some(Piece::Digest))
        } else {
            Err("a digest where a tag is printed")
        };
    }
    let known = context.image || (context.values && has_host(name.text));
    if tag.key == "version" && alone && !known {
        return Err("the version may not be the image's tag");
    }
    if tag.is_version() && alone && name.key == "name" && !name.text.contains('/') {
        return Err("the name and the version may not be an image's");
    }
    Ok(Some(Piece::Tag))
}

/// Whether the digest's field is a part of the reference; not if the name or the tag has the same digest.
fn digest_has_room(
    digest: &Field<'_>,
    name: &Field<'_>,
    tag: Option<&Field<'_>>,
) -> Result<bool, &'static str> {
    let in_name = selector(name.text).and_then(|(_, digest)| digest);
    let in_tag = tag.and_then(|tag| tag.text.split_once('@'));
    let others = [in_name, in_tag.map(|(_, digest)| digest)];
    let mut others = others.into_iter().flatten().peekable();
    let room = others.peek().is_none();
    if !digest.text.is_empty() && others.any(|other| other != digest.text) {
        return Err("two fields have a digest");
    }
    Ok(room)
}

/// The last component of a name, without its tag and digest.
fn last(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or_default();
    let (name, _) = split_tag(name);
    name.rsplit('/').next().unwrap_or_default()
}
