"""A second reader of bundles, written from docs/format.md and nothing else.

    reader.py FILE...

Prints a line of JSON for each file: its identity and entries, or what is wrong with it.
"""

import hashlib
import json
import re
import struct
import sys

EMPTY = bytes(512)
INDEX = "application/vnd.oci.image.index.v1+json"
LISTS = (INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


class Refused(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Refused(what)


def octal(number, digits):
    return b"%0*o\0" % (digits, number)


def header(name, kind, size, magic=b"ustar\x0000"):
    block = bytearray(512)
    block[0 : len(name[:100])] = name[:100]
    block[100:108] = b"0000755\0" if kind == b"5" else b"0000644\0"
    block[108:124] = b"0000000\0" * 2
    block[124:136] = octal(size, 11) if size < 8 << 30 else b"\x80\0\0\0" + struct.pack(">Q", size)
    block[136:148] = b"00000000000\0"
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[257:265] = magic
    block[148:156] = octal(sum(block), 7)
    return bytes(block)


def headers(name, kind, size):
    if len(name) <= 100:
        return header(name, kind, size)
    record = header(b"././@LongLink", b"L", len(name) + 1, b"ustar  \0")
    return record + name.ljust(512, b"\0") + header(name, kind, size)


def size_of(field):
    if field[0] == 0x80:
        return struct.unpack(">Q", field[4:])[0]
    need(re.fullmatch(rb"[0-7]{11}\0", field), "size field")
    return int(field[:11], 8)


def entries(data):
    found, at = {}, 0
    while True:
        block = data[at : at + 512]
        need(len(block) == 512, "no end")
        if block == EMPTY:
            need(data[at:] == EMPTY * 2, "after the end")
            return found
        if block[156:157] == b"L":
            name = data[at + 512 : at + 1024].rstrip(b"\0")
            block = data[at + 1024 : at + 1536]
            need(len(block) == 512, "cut off")
        else:
            name = block[:100].rstrip(b"\0")
        kind, size = block[156:157], size_of(block[124:136])
        expected = headers(name, kind, size)
        need(data[at : at + len(expected)] == expected, "header")
        start = at + len(expected)
        at = start + -(-size // 512) * 512
        need(at <= len(data), "cut off")
        need(not any(data[start + size : at]), "padding")
        known = (
            name in (b"oci-layout", b"index.json", b"sealift.json")
            or re.fullmatch(rb"blobs/(sha256/[0-9a-f]{64}|sha512/[0-9a-f]{128})", name)
        )
        folder = name in (b"blobs/", b"blobs/sha256/", b"blobs/sha512/")
        need(kind == b"0" and known or kind == b"5" and folder and size == 0, "name or kind")
        need(name not in found, "twice")
        found[name] = (start, size)


def unique(pairs):
    need(len(dict(pairs)) == len(pairs), "a name twice in one object")
    return dict(pairs)


def constant(name):
    raise Refused(name)


def parse(text):
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Refused(f"JSON: {error}") from error


def fields(value, needed, optional=()):
    need(isinstance(value, dict), "an object")
    need(set(needed) <= set(value) <= set(needed) | set(optional), f"fields {sorted(value)}")
    order = [name for name in (*needed, *optional) if name in value]
    need(list(value) == order, "order of fields")
    return value


def descriptor(value):
    fields(value, ("mediaType", "digest", "size"))
    return (value["digest"], value["size"], value["mediaType"])


def reference(text):
    name, _, digest = text.partition("@")
    registry, _, rest = name.partition("/")
    repository, _, tag = rest.partition(":")
    need(registry and repository and (tag or digest), "reference")
    return (registry, repository, tag, digest)


def stored(text):
    registry, repository, tag, digest = reference(text)
    if not tag:
        algorithm, _, encoded = digest.partition(":")
        tag = f"{algorithm}.{encoded[:32]}"
    return f"{registry}/{repository}:{tag}"


def escape(name):
    def run(match):
        text, last = match.group(), match.end() == len(match.string)
        if not last and (text == "--" or len(text) == 1 and text in "-._:@"):
            return text
        return "+" + text.encode().hex() + ("" if last else "+")

    return "/".join(re.sub(r"[^A-Za-z0-9]+", run, part) for part in name.split("/"))


def check_record(record):
    fields(record, ("format", "images", "referrers", "files", "manifests", "blobs"))
    need(record["format"] == "sealift.record/1", "format")
    listed = {}
    for manifest in record["manifests"]:
        digest, size, media_type = descriptor(manifest)
        listed[digest] = (size, media_type)
    for blob in record["blobs"]:
        fields(blob, ("digest", "size"), ("config",))
    for items in (record["manifests"], record["blobs"]):
        digests = [item["digest"] for item in items]
        need(digests == sorted(set(digests)), "order of manifests or blobs")
    names = {}
    for image in record["images"]:
        fields(
            image,
            ("reference", "descriptor", "source"),
            ("original", "platforms", "leftOut", "newDigest"),
        )
    keys = [reference(image["reference"]) for image in record["images"]]
    need(keys == sorted(keys), "order of images")
    for file in record["files"]:
        fields(file, ("name", "kind", "reference", "descriptor"))
    keys = [file["name"].encode() for file in record["files"]]
    need(keys == sorted(keys), "order of files")
    for referrer in record["referrers"]:
        fields(
            referrer,
            ("repository", "subject", "descriptor"),
            ("artifactType", "found"),
        )
        need("found" in referrer, "found")
    for item in record["images"] + record["files"]:
        name = stored(item["reference"])
        need(names.setdefault(name, item["descriptor"]["digest"]) == item["descriptor"]["digest"], "name")
    for item in record["images"] + record["files"] + record["referrers"]:
        digest, size, media_type = descriptor(item["descriptor"])
        need(listed.get(digest) == (size, media_type), "not among the manifests")
    return listed


def index_of(record, identity):
    manifests = []
    for item in record["images"] + record["files"]:
        name = stored(item["reference"])
        annotations = {
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": escape(name),
        }
        manifests.append(item["descriptor"] | {"annotations": annotations})
    for item in record["referrers"]:
        annotations = {"io.containerd.manifest.subject": item["subject"]}
        if item["found"] != "subject":
            name = f"{item['repository']}:{item['found']['tag']}"
            annotations["org.opencontainers.image.ref.name"] = escape(name)
        manifests.append(item["descriptor"] | {"annotations": annotations})
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": manifests,
        "annotations": {"dev.sealift.record": identity},
    }
    return json.dumps(index, separators=(",", ":"), ensure_ascii=False).encode()


def check_manifest(data, digest, media_type, sizes, listed):
    need(len(data) <= 4 << 20, "manifest too large")
    manifest = parse(data)
    need(isinstance(manifest, dict), "manifest")
    need(manifest.get("mediaType") in (None, "", media_type), "another media type")
    image = any(manifest.get(name) is not None for name in ("config", "layers", "blobs"))
    need(not (manifest.get("manifests") is not None and image), "index and image at once")
    need((media_type in LISTS) == (manifest.get("manifests") is not None), "form")
    children = manifest.get("manifests") or []
    blobs = [manifest["config"]] if manifest.get("config") else []
    blobs += manifest.get("layers") or manifest.get("blobs") or []
    for item in children + blobs:
        if item["digest"] not in sizes and (
            item["mediaType"] == FOREIGN or ".nondistributable." in item["mediaType"]
        ):
            continue
        need(sizes.get(item["digest"]) == item["size"], f"{digest} points at {item}")
    for child in children:
        need(listed.get(child["digest"], (0, ""))[1] == child["mediaType"], "child")
    return [child["digest"] for child in children]


def check_depth(children, digest, depth):
    need(depth <= 8, "too deep")
    for child in children.get(digest, ()):
        if children.get(child):
            check_depth(children, child, depth + 1)


def read(data):
    found = entries(data)
    content = lambda name: data[found[name][0] : sum(found[name])]
    for name in (b"oci-layout", b"index.json", b"sealift.json"):
        need(name in found, f"{name} is missing")
    need(content(b"oci-layout") == b'{"imageLayoutVersion":"1.0.0"}', "oci-layout")
    record_bytes = content(b"sealift.json")
    need(len(record_bytes) <= 256 << 20, "record too large")
    record = parse(record_bytes)
    need(isinstance(record, dict), "record")
    again = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    need(again.encode() == record_bytes, "the record is not in its one form")
    listed = check_record(record)
    identity = "sha256:" + hashlib.sha256(record_bytes).hexdigest()
    need(content(b"index.json") == index_of(record, identity), "index.json")
    sizes = {digest: size for digest, (size, _) in listed.items()}
    sizes |= {blob["digest"]: blob["size"] for blob in record["blobs"]}
    names = {b"blobs/" + digest.replace(":", "/", 1).encode(): digest for digest in sizes}
    have = {name for name in found if re.fullmatch(rb"blobs/.*/.+", name)}
    need(set(names) == have, "what is listed and what is there")
    children = {}
    for name, digest in names.items():
        need(found[name][1] == sizes[digest], "size")
        algorithm, _, encoded = digest.partition(":")
        need(hashlib.new(algorithm, content(name)).hexdigest() == encoded, f"content of {digest}")
        if digest in listed:
            media_type = listed[digest][1]
            children[digest] = check_manifest(content(name), digest, media_type, sizes, listed)
    for digest in children:
        check_depth(children, digest, 0)
    return {"identity": identity, "entries": [[name.decode(), *found[name]] for name in found]}


def main():
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            data = file.read()
        try:
            result = read(data)
        except Refused as error:
            result = {"refused": str(error)}
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            result = {"refused": f"form: {error!r}"}
        print(json.dumps(result))


if __name__ == "__main__":
    main()
