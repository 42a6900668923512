"""A second writer of bundles, made from docs/format.md alone. Everything about a bundle can be changed on the way."""

import hashlib
import json


def digest(content, algorithm="sha256"):
    return algorithm + ":" + hashlib.new(algorithm, content).hexdigest()


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def record_bytes(record):
    """The record in its one form."""
    return json.dumps(record, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


OCI = "application/vnd.oci.image."
INDEX, MANIFEST = OCI + "index.v1+json", OCI + "manifest.v1+json"
CONFIG, LAYER = OCI + "config.v1+json", OCI + "layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
CARRIED = "application/vnd.sealift.carried.v1"


def descriptor(media_type, content):
    return {"mediaType": media_type, "digest": digest(content), "size": len(content)}


class Header:
    """One header block, field by field."""

    def __init__(self, name, size, kind=b"0", mode=b"0000644\0"):
        self.name, self.mode, self.kind = name, mode, kind
        self.uid = self.gid = b"0000000\0"
        self.size = b"%011o\0" % size if size < 1 << 33 else b"\x80\0\0\0" + size.to_bytes(8, "big")
        self.mtime = b"00000000000\0"
        self.checksum = None
        self.link = b""
        self.magic = b"ustar\x0000"
        self.rest = b""

    def block(self):
        def field(value, length):
            return value[:length].ljust(length, b"\0")

        start = field(self.name, 100) + field(self.mode, 8) + field(self.uid, 8) + field(self.gid, 8)
        start += field(self.size, 12) + field(self.mtime, 12)
        end = field(self.kind, 1) + field(self.link, 100) + field(self.magic, 8) + field(self.rest, 247)
        total = sum(start) + sum(end) + 8 * 32
        checksum = self.checksum(total) if self.checksum else b"%07o\0" % total
        return start + field(checksum, 8) + end


class Entry:
    """A header, a content, and the padding after it."""

    def __init__(self, name, content=b"", kind=b"0", mode=b"0000644\0"):
        self.name, self.content = name, content
        self.header = Header(name.encode("utf-8", "surrogatepass"), len(content), kind, mode)
        self.padding = b"\0" * (-len(content) % 512)
        self.before = b""
        if len(name) > 100:
            long = Header(b"././@LongLink", len(name) + 1, b"L")
            long.magic = b"ustar  \0"
            self.before = long.block() + name.encode().ljust(-(-(len(name) + 1) // 512) * 512, b"\0")

    def bytes(self):
        return self.before + self.header.block() + self.content + self.padding


class Bundle:
    """Images, referrers and files with their contents; `entries` makes the file's entries of them."""

    def __init__(self):
        self.images, self.referrers, self.files = [], [], []
        self.manifests, self.blobs, self.contents = {}, {}, {}
        self.layout = b'{"imageLayoutVersion":"1.0.0"}'
        self.change_record = lambda record: None
        self.change_record_bytes = lambda content: content
        self.change_index = lambda index: None
        self.change_index_bytes = lambda content: content

    def manifest(self, content, media_type=MANIFEST):
        found = descriptor(media_type, content)
        self.manifests[found["digest"]] = found
        self.contents[found["digest"]] = content
        return found

    def blob(self, content, media_type, config=False):
        found = descriptor(media_type, content)
        self.contents[found["digest"]] = content
        listed = {"digest": found["digest"], "size": len(content)}
        if config:
            listed["config"] = True
        self.blobs.setdefault(found["digest"], listed)
        return found

    def image_manifest(self, seed, change=lambda manifest: None, **more):
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.blob(compact({"architecture": "amd64", "os": "linux", "seed": seed}), CONFIG, True),
            "layers": [self.blob(("layer of " + seed).encode() * 20, LAYER)],
            **more,
        }
        change(manifest)
        return self.manifest(compact(manifest))

    def image(self, reference, found, **more):
        self.images.append({"reference": reference, "descriptor": found, "source": "registry", **more})

    def file(self, name, content, kind="file", reference=None):
        config = self.blob(b"{}", EMPTY, True)
        layer_type = OCI + "layer.v1.tar" if kind == "folder" else "application/octet-stream"
        layer = self.blob(content, layer_type)
        layer["annotations"] = {"org.opencontainers.image.title": name + (".tar" if kind == "folder" else "")}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": CARRIED, "config": config, "layers": [layer]}
        found = self.manifest(compact(manifest))
        reference = reference or "sealift.invalid/files/%s:latest" % name.lower()
        self.files.append({"name": name, "kind": kind, "reference": reference, "descriptor": found})

    def referrer(self, repository, subject, found, how="subject", **more):
        self.referrers.append(
            {"repository": repository, "subject": subject, "descriptor": found, **more, "found": how})

    def record(self):
        def by_text(value):
            return json.dumps(value)

        record = {
            "format": "sealift.record/1",
            "images": sorted(self.images, key=lambda image: image["reference"]),
            "referrers": sorted(self.referrers, key=lambda one: (one["repository"], one["subject"], by_text(one))),
            "files": sorted(self.files, key=lambda one: one["name"]),
            "manifests": [self.manifests[one] for one in sorted(self.manifests)],
            "blobs": [self.blobs[one] for one in sorted(self.blobs)],
        }
        self.change_record(record)
        return record

    def index(self, record, identity):
        def stored(reference):
            name, at, pinned = reference.partition("@")
            if ":" in name.rsplit("/", 1)[-1]:
                return name
            return name + (":" + pinned[:39].replace(":", ".") if at else ":latest")

        def listed(one, annotations):
            plain = {key: one["descriptor"][key] for key in ("mediaType", "digest", "size")}
            return {**plain, "annotations": dict(sorted(annotations.items()))}

        name, ref = "io.containerd.image.name", "org.opencontainers.image.ref.name"
        named = [listed(one, {name: stored(one["reference"]), ref: stored(one["reference"])})
                 for one in record["images"] + record["files"]]
        for one in record["referrers"]:
            annotations = {"io.containerd.manifest.subject": one["subject"]}
            if isinstance(one["found"], dict):
                annotations[ref] = one["repository"] + ":" + one["found"]["tag"]
            named.append(listed(one, annotations))
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": named,
                "annotations": {"dev.sealift.record": identity}}

    def entries(self):
        record = self.record()
        raw = self.change_record_bytes(record_bytes(record))
        try:
            index = self.index(record, digest(raw))
            self.change_index(index)
            index = self.change_index_bytes(compact(index))
        except (KeyError, TypeError, AttributeError):
            # What the record says has no place in an index.
            index = b"{}"
        early = set(self.manifests) | {one for one, blob in self.blobs.items() if blob.get("config")}
        order = sorted(early) + sorted(set(self.contents) - early)
        folder = dict(kind=b"5", mode=b"0000755\0")
        entries = [Entry("oci-layout", self.layout), Entry("index.json", index), Entry("sealift.json", raw),
                   Entry("blobs/", **folder), Entry("blobs/sha256/", **folder)]
        if any(one.startswith("sha512:") for one in self.contents):
            entries.append(Entry("blobs/sha512/", **folder))
        return entries + [Entry("blobs/" + one.replace(":", "/"), self.contents[one]) for one in order]


def tar(entries, end=b"\0" * 1024):
    return b"".join(entry.bytes() for entry in entries) + end


def sample():
    """A bundle with a little of everything."""
    bundle = Bundle()
    children = [bundle.image_manifest("amd64"), bundle.image_manifest("arm64")]
    platforms = [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux"}]
    index = {"schemaVersion": 2, "mediaType": INDEX,
             "manifests": [{**child, "platform": platform} for child, platform in zip(children, platforms)]}
    top = bundle.manifest(compact(index), INDEX)
    bundle.image("registry.example/team/app:v1", top, platforms=[
        {"platform": platform, "digest": child["digest"]} for child, platform in zip(children, platforms)])
    bundle.image("registry.example/tool:v2", bundle.image_manifest("tool"))
    signature = bundle.image_manifest("signature")
    tag = top["digest"].replace(":", "-") + ".sig"
    bundle.referrer("registry.example/team/app", top["digest"], signature, {"tag": tag})
    bundle.file("notes.txt", b"notes\n")
    return bundle
