"""A second reader of compact and delta bundles, written from docs/format.md and docs/format-packs.md and nothing else.

    delta.py [--base=FILE]... FILE

Prints a line of JSON: the identity, the bases, where each blob comes from, and what was read of the packs; or what is
wrong. Bases are bundles of any profile. What needs a codec, a map or a recipe is not rebuilt: packs are read down to
their streams, and every blob that is in a file as it is, is compared with its digest.
"""

import hashlib
import importlib.util
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
import reader  # noqa: E402

need, Refused = reader.need, reader.Refused

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
EMPTY = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": "", "size": 2}
EMPTY["digest"] = "sha256:" + hashlib.sha256(b"{}").hexdigest()
RECORD = "application/vnd.sealift.record.v1+json"
MANIFESTS = "application/vnd.sealift.manifests.v1"
BASE = ("application/vnd.sealift.base-record.v1+json", "application/vnd.sealift.base-manifests.v1")
PACK = {"bundle": "application/vnd.sealift.pack.v1", "delta": "application/vnd.sealift.pack.v2"}
KEPT = "application/octet-stream"
MAX_BASES = 16


def pack_reader():
    """The reader of packs, which has the same name."""
    path = HERE.parents[2] / "pack/tests/pack/reader.py"
    sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location("packs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


packs = pack_reader()


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def path_of(digest):
    return b"blobs/" + digest.replace(":", "/", 1).encode()


def digest_of(data, like="sha256:"):
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


class File:
    """The entries of a bundle's tar."""

    def __init__(self, data):
        self.data = data
        self.found = reader.entries(data)

    def content(self, name):
        need(name in self.found, f"{name} is missing")
        start, size = self.found[name]
        return self.data[start : start + size]

    def blob(self, digest):
        content = self.content(path_of(digest))
        need(digest_of(content, digest) == digest, f"content of {digest}")
        return content


class Listed:
    """A record and its manifests."""

    def __init__(self, record_bytes, manifests):
        record = reader.parse(record_bytes)
        again = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
        need(again.encode() == record_bytes, "the record is not in its one form")
        self.identity = digest_of(record_bytes)
        self.listed = reader.check_record(record)
        self.blobs = {blob["digest"]: blob["size"] for blob in record["blobs"]}
        need(sum(size for size, _ in self.listed.values()) == len(manifests), "size of the manifests")
        sizes = {digest: size for digest, (size, _) in self.listed.items()} | self.blobs
        at = 0
        for digest, (size, media_type) in self.listed.items():
            content = manifests[at : at + size]
            at += size
            need(digest_of(content, digest) == digest, f"content of {digest}")
            reader.check_manifest(content, digest, media_type, sizes, self.listed)


class Plain:
    """A plain bundle."""

    def __init__(self, data):
        self.identity = reader.read(data)["identity"]
        self.file = File(data)
        self.bases = []

    def has(self, digest):
        return path_of(digest) in self.file.found

    def where(self, digest):
        return "the file" if self.has(digest) else None


class Packed:
    """A compact or delta bundle."""

    def __init__(self, data):
        self.file = File(data)
        artifact = self.artifact()
        kind = artifact["artifactType"].removeprefix("application/vnd.sealift.").removesuffix(".v1")
        need(kind in PACK, artifact["artifactType"])
        layers = list(artifact["layers"])
        self.own = self.listed(layers, (RECORD, MANIFESTS))
        self.identity = self.own.identity
        self.check_index(artifact)
        self.bases = []
        while kind == "delta" and layers and layers[0]["mediaType"] == BASE[0]:
            self.bases.append(self.listed(layers, BASE))
        need(kind != "delta" or 0 < len(self.bases) <= MAX_BASES, "number of bases")
        self.packs = {}
        while layers and layers[0]["mediaType"] == PACK[kind]:
            digest = layers.pop(0)["digest"]
            self.packs[digest] = packs.read_index(self.file.blob(digest))
            need(kind == "delta" or not self.packs[digest]["bases"], "a compact bundle with bases")
        need(all(layer["mediaType"] == KEPT for layer in layers), "order of layers")
        self.kept = [layer["digest"] for layer in layers]
        need(self.kept == sorted(set(self.kept)), "order of kept blobs")
        self.resolve()

    def artifact(self):
        """The artifact, which lists everything in the file and is in its one form."""
        need(b"sealift.json" not in self.file.found, "a plain bundle")
        index = reader.parse(self.file.content(b"index.json"))
        self.digest = index["manifests"][0]["digest"]
        artifact_bytes = self.file.blob(self.digest)
        artifact = reader.parse(artifact_bytes)
        layers = [{name: layer[name] for name in ("mediaType", "digest", "size")} for layer in artifact["layers"]]
        form = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": artifact["artifactType"],
            "config": EMPTY,
            "layers": layers,
        }
        need(compact(form) == artifact_bytes, "form of the artifact")
        listed = [layer["digest"] for layer in layers] + [EMPTY["digest"], self.digest]
        names = list(dict.fromkeys(path_of(digest) for digest in listed))
        there = [name for name in self.file.found if re.fullmatch(rb"blobs/.*/.+", name)]
        # A kept blob may be the config too, which comes last.
        need(sorted(names) == sorted(there), "what the artifact lists and what is there")
        order = {name: position for position, name in enumerate(there)}
        parts = [order[path_of(digest)] for digest in dict.fromkeys(listed) if digest != EMPTY["digest"]]
        need(parts == sorted(parts), "order of entries")
        for layer in layers:
            need(self.file.found[path_of(layer["digest"])][1] == layer["size"], "size of a part")
        return artifact

    def check_index(self, artifact):
        entry = {
            "mediaType": MANIFEST,
            "digest": self.digest,
            "size": self.file.found[path_of(self.digest)][1],
            "annotations": {"org.opencontainers.image.ref.name": "bundle"},
            "artifactType": artifact["artifactType"],
        }
        index = {
            "schemaVersion": 2,
            "mediaType": reader.INDEX,
            "manifests": [entry],
            "annotations": {"dev.sealift.record": self.identity},
        }
        need(self.file.content(b"index.json") == compact(index), "index.json")

    def listed(self, layers, kinds):
        record, manifests = layers.pop(0), layers.pop(0)
        need((record["mediaType"], manifests["mediaType"]) == kinds, "order of layers")
        return Listed(self.file.blob(record["digest"]), self.file.blob(manifests["digest"]))

    def base_of(self, digest, size):
        """The first base that lists the blob with this size."""
        for base in self.bases:
            if base.blobs.get(digest) == size:
                return base.identity
        raise Refused(f"{digest} is missing from the file and from every base")

    def resolve(self):
        """Where each blob of the record is, and each blob of a base that a pack needs."""
        places = {digest: "kept" for digest in self.kept}
        for digest, index in self.packs.items():
            for blob in index["blobs"]:
                name = packs.name(blob["key"])
                need(name not in places, f"{name} is twice in the file")
                need(self.own.blobs.get(name) == blob["size"], f"{name} of a pack is not listed")
                places[name] = digest
        need(set(places) <= set(self.own.blobs), "a blob that the record does not list")
        self.places = places
        self.left_out = {
            digest: self.base_of(digest, size)
            for digest, size in self.own.blobs.items()
            if digest not in places
        }
        self.needed = {
            packs.name(blob["key"]): self.base_of(packs.name(blob["key"]), blob["size"])
            for index in self.packs.values()
            for blob in index["bases"]
        }

    def has(self, digest):
        return self.places.get(digest) == "kept"

    def where(self, digest):
        return self.places.get(digest) or (f"base {self.left_out[digest]}" if digest in self.left_out else None)


def opened(path):
    data = pathlib.Path(path).read_bytes()
    return Plain(data) if b"sealift.json" in reader.entries(data) else Packed(data)


def chain(bundle, given, path=()):
    """How many deltas lead to a complete bundle, as far as bases are given."""
    need(bundle.identity not in path, "bases build on each other in a circle")
    need(len(path) < 16, "a chain that is too long")
    if not bundle.bases:
        return 0
    identities = {base.identity for base in bundle.bases}
    below = [chain(one, given, (*path, bundle.identity)) for one in given if one.identity in identities]
    return 1 + max(below, default=0)


def read(path, base_paths):
    bundle, given = opened(path), [opened(base) for base in base_paths]
    need(isinstance(bundle, Packed), "a plain bundle")

    def from_bases(digest):
        for base in given:
            if base.has(digest):
                return base.file.blob(digest)
        return None

    for digest in bundle.kept:
        bundle.file.blob(digest)
    left_out = {digest: from_bases(digest) for digest in bundle.left_out}
    read_packs, unread = [], 0
    for index in bundle.packs.values():
        wanted = [from_bases(packs.name(blob["key"])) for blob in index["bases"]]
        if None in wanted:
            unread += 1
        else:
            read_packs.append(packs.rebuild_blobs(index, wanted))
    return {
        "identity": bundle.identity,
        "bases": [base.identity for base in bundle.bases],
        "chain": chain(bundle, given),
        "blobs": {digest: bundle.where(digest) for digest in bundle.own.blobs},
        "leftOut": bundle.left_out,
        "needed": bundle.needed,
        "compared": sum(content is not None for content in left_out.values()),
        "absent": sorted(digest for digest, content in left_out.items() if content is None),
        "packs": read_packs,
        "unreadPacks": unread,
    }


def main():
    bases = [argument.removeprefix("--base=") for argument in sys.argv[1:] if argument.startswith("--base=")]
    files = [argument for argument in sys.argv[1:] if not argument.startswith("--base=")]
    try:
        result = read(files[0], bases)
    except (Refused, packs.Refused) as error:
        result = {"refused": str(error)}
    except (KeyError, IndexError, TypeError, AttributeError, UnicodeDecodeError) as error:
        result = {"refused": f"form: {error!r}"}
    print(json.dumps(result))


main()
