"""Bundles with one thing wrong each. Usage: cases.py FOLDER; prints a line for each: what is expected, and its name.

"accept": it is intact, if unusual. "refuse": no command uses it. "content": its structure is right and a blob is
not, so that what reads the blob refuses it. "extract": only writing its files out is refused.
"""

import json
import os
import sys

from bundle import (CONFIG, INDEX, LAYER, MANIFEST, Bundle, Entry, compact, digest, record_bytes, sample, tar)

CASES = []
DIGEST = "sha256:" + 64 * "0"


def case(expect, name, content):
    CASES.append((expect, name, content))


def made(expect, name, change):
    """A sample that `change` is applied to before it is written."""
    bundle = sample()
    change(bundle)
    case(expect, name, tar(bundle.entries()))


def entries(expect, name, change):
    """The entries of a sample after a change."""
    found = sample().entries()
    case(expect, name, tar(change(found) or found))


def record(name, change, expect="refuse"):
    made(expect, "record: " + name, lambda bundle: setattr(bundle, "change_record", change))


def raw_record(name, change):
    made("refuse", "record bytes: " + name, lambda bundle: setattr(bundle, "change_record_bytes", change))


def headers():
    fields = {
        "another name": ("name", b"other"), "a name that goes up": ("name", b"../oci-layout"),
        "an absolute name": ("name", b"/oci-layout"), "a name with a dot": ("name", b"./oci-layout"),
        "no name": ("name", b""), "a mode": ("mode", b"0000600\0"), "a mode with setuid": ("mode", b"0004755\0"),
        "a mode without zeros": ("mode", b"   644 \0"), "a user": ("uid", b"0001750\0"), "a group": ("gid", b"0001750\0"),
        "a user without a zero byte": ("uid", b"00000000"), "a time": ("mtime", b"00000000001\0"),
        "a time in spaces": ("mtime", b"          0 "), "a size in spaces": ("size", b"         36 "),
        "no size": ("size", b""), "a size with letters": ("size", b"0000000003x\0"),
        "a negative size": ("size", b"\xff" * 12), "a binary size of little": ("size", b"\x80" + 10 * b"\0" + b"\x1e"),
        "a size beyond 64 bits": ("size", b"\x80" + b"\xff" * 11), "the largest size": ("size", b"77777777777\0"),
        "a checksum off by one": ("checksum", lambda total: b"%07o\0" % (total + 1)),
        "a checksum in another form": ("checksum", lambda total: b"%06o\0 " % total),
        "no checksum": ("checksum", lambda total: b"        "), "a link": ("link", b"target"),
        "GNU's magic": ("magic", b"ustar  \0"), "no magic": ("magic", b""), "another version": ("magic", b"ustar\x0001"),
        "a user name": ("rest", b"root"), "a prefix": ("rest", b"\0" * 80 + b"prefix"),
        "a byte at its end": ("rest", b"\0" * 246 + b"x"),
        **{"type " + repr(kind)[2:-1]: ("kind", kind)
           for kind in [b"\0", b"1", b"2", b"3", b"4", b"6", b"7", b"9", b"x", b"g", b"L", b"K", b"S", b"V", b"M", b"A"]},
    }
    for position, entry in enumerate(sample().entries()):
        kind = {0: "layout", 1: "index", 2: "record", 3: "folder", 5: "first blob"}.get(position)
        if position == len(sample().entries()) - 1:
            kind = "last blob"
        if kind is None:
            continue
        for what, (field, value) in fields.items():
            if getattr(entry.header, field) == value:
                continue
            entries("refuse", f"header of the {kind}: {what}",
                    lambda found, p=position, f=field, v=value: setattr(found[p].header, f, v))
        swapped = b"0" if entry.header.kind == b"5" else b"5"
        entries("refuse", f"header of the {kind}: a file for a folder or the reverse",
                lambda found, p=position, k=swapped: setattr(found[p].header, "kind", k))
        if entry.padding:
            for what, padding in [("first", b"x" + entry.padding[1:]), ("last", entry.padding[:-1] + b"x")]:
                entries("refuse", f"padding of the {kind}: its {what} byte",
                        lambda found, p=position, v=padding: setattr(found[p], "padding", v))


def structure():
    count = len(sample().entries())
    for position in range(count):
        def without(found, p=position):
            del found[p]

        def twice(found, p=position):
            found.insert(p, found[p])

        def at_end(found, p=position):
            found.append(found[p])
        name = sample().entries()[position].name
        # Folders are for tools that unpack the file; nothing is in them but their names.
        entries("accept" if name.endswith("/") else "refuse", f"without {name}", without)
        entries("refuse", f"{name} twice in a row", twice)
        entries("refuse", f"{name} again at the end", at_end)
    whole = tar(sample().entries())
    for cut in list(range(0, len(whole), len(whole) // 40)) + [1, 511, 512, 513, len(whole) - 1, len(whole) - 512]:
        case("refuse", f"cut after {cut} bytes", whole[:cut])
    for what, more in [("a byte", b"x"), ("a zero byte", b"\0"), ("a block of zeros", bytes(512)),
                       ("zeros up to a record of 20 blocks", bytes(-len(whole) % 10240 or 10240)), ("itself", whole)]:
        case("refuse", f"{what} after the end", whole + more)
    body = tar(sample().entries(), b"")
    for what, end in [("none", b""), ("of one block", bytes(512)), ("that is not zero", bytes(1023) + b"x")]:
        case("refuse", f"an end: {what}", body + end)
    for name in ["evil", "../evil", "/evil", "./evil", "blobs/evil", "blobs/sha256/evil", "blobs/sha256/" + 64 * "g",
                 "blobs/sha256/" + 64 * "A", "blobs/sha256/../../evil", "blobs/md5/" + 32 * "0", "sealift.json/",
                 "index.json\0x", "blobs/sha256/" + 63 * "0", "blobs//sha256/" + 64 * "0", "OCI-LAYOUT", "manifest.json"]:
        entries("refuse", f"one more entry: {name!r}", lambda found, n=name: found.append(Entry(n, b"x")))
        entries("refuse", f"one more entry first: {name!r}", lambda found, n=name: found.insert(0, Entry(n, b"x")))
    entries("refuse", "a blob that no one lists",
            lambda found: found.append(Entry("blobs/" + digest(b"x").replace(":", "/"), b"x")))
    entries("accept", "its entries in reverse", lambda found: found[::-1])
    for name, content in [("nothing", b""), ("zeros", bytes(10240)), ("only an end", bytes(1024)), ("text", b"text\n"),
                          ("gzip", b"\x1f\x8b\x08" + bytes(600)), ("noise", bytes(range(256)) * 8)]:
        case("refuse", f"a file of {name}", content)


def contents():
    for number, one in enumerate(sample().contents):
        bundle = sample()
        manifest = one in bundle.manifests
        name = "manifest" if manifest else "blob"
        size = len(bundle.contents[one])
        for place in sorted({0, size // 2, size - 1}):
            def flip(bundle, o=one, p=place):
                content = bytearray(bundle.contents[o])
                content[p] ^= 1
                bundle.contents[o] = bytes(content)
            made("refuse" if manifest else "content", f"{name} {number}: its byte {place} is another", flip)
        for what, change in [("longer", lambda content: content + b"x"), ("shorter", lambda content: content[:-1]),
                             ("empty", lambda content: b"")]:
            made("refuse", f"{name} {number}: {what}",
                 lambda bundle, o=one, c=change: bundle.contents.__setitem__(o, c(bundle.contents[o])))
    for name, content in [("with spaces", b'{"imageLayoutVersion": "1.0.0"}'), ("of 2.0.0", b'{"imageLayoutVersion":"2.0.0"}'),
                          ("empty", b""), ("with a line feed", b'{"imageLayoutVersion":"1.0.0"}\n'), ("of nothing", b"{}")]:
        made("refuse", f"oci-layout {name}", lambda bundle, c=content: setattr(bundle, "layout", c))


def index():
    def changed(name, change):
        made("refuse", "index: " + name, lambda bundle: setattr(bundle, "change_index", change))

    changed("without an identity", lambda index: index.pop("annotations"))
    changed("with another identity", lambda index: index["annotations"].update({"dev.sealift.record": DIGEST}))
    changed("with one more annotation", lambda index: index["annotations"].update(x="y"))
    changed("with one more field", lambda index: index.update(x=1))
    changed("of another version", lambda index: index.update(schemaVersion=1))
    changed("of another type", lambda index: index.update(mediaType=MANIFEST))
    for position in range(4):
        changed(f"without its entry {position}", lambda index, p=position: index["manifests"].pop(p))
        changed(f"with its entry {position} twice", lambda index, p=position: index["manifests"].append(index["manifests"][p]))
        for field, value in [("digest", DIGEST), ("size", 1), ("mediaType", "x/y"), ("annotations", {})]:
            changed(f"another {field} in its entry {position}",
                    lambda index, p=position, f=field, v=value: index["manifests"][p].update({f: v}))
    changed("its entries in reverse", lambda index: index["manifests"].reverse())
    for name, change in [("with spaces", lambda raw: raw.replace(b",", b", ", 1)), ("with a line feed", lambda raw: raw + b"\n"),
                         ("with a mark", lambda raw: b"\xef\xbb\xbf" + raw), ("not closed", lambda raw: raw[:-1]),
                         ("empty", lambda raw: b"")]:
        made("refuse", "index bytes: " + name, lambda bundle, c=change: setattr(bundle, "change_index_bytes", c))


def record_bytes_cases():
    for name, change in [
        ("empty", lambda raw: b""), ("without its line feed", lambda raw: raw[:-1]), ("two line feeds", lambda raw: raw + b"\n"),
        ("carriage returns", lambda raw: raw.replace(b"\n", b"\r\n")), ("compact", lambda raw: compact(json.loads(raw))),
        ("four spaces", lambda raw: json.dumps(json.loads(raw), indent=4).encode() + b"\n"),
        ("a mark at its start", lambda raw: b"\xef\xbb\xbf" + raw), ("in UTF-16", lambda raw: raw.decode().encode("utf-16")),
        ("not UTF-8", lambda raw: raw.replace(b"notes", b"n\xfftes")),
        ("an escape", lambda raw: raw.replace(b"notes", b"\\u006eotes")), ("half of a pair", lambda raw: raw.replace(b"notes", b"\\ud800")),
        ("a field twice", lambda raw: raw.replace(b'"images"', b'"format": "sealift.record/1",\n  "images"', 1)),
        ("something after it", lambda raw: raw + b"{}"), ("a comment", lambda raw: b"//\n" + raw), ("a list", lambda raw: b"[]\n"),
        ("null", lambda raw: b"null\n"), ("a trailing comma", lambda raw: raw.replace(b"]\n}", b"],\n}")),
        ("a size with a fraction", lambda raw: raw.replace(b'"size": 2,\n', b'"size": 2.0,\n')),
        ("a size with an exponent", lambda raw: raw.replace(b'"size": 2,\n', b'"size": 2e0,\n')),
        ("a size beyond 64 bits", lambda raw: raw.replace(b'"size": 2,\n', b'"size": 18446744073709551618,\n')),
        ("a size beyond all bounds", lambda raw: raw.replace(b'"size": 2,\n', b'"size": 1e999,\n')),
        ("a negative size", lambda raw: raw.replace(b'"size": 2,\n', b'"size": -2,\n')),
        ("a size of minus zero", lambda raw: raw.replace(b'"size": 2,\n', b'"size": -0,\n')),
        ("a size with a zero before", lambda raw: raw.replace(b'"size": 2,\n', b'"size": 02,\n')),
        ("200 lists in each other", lambda raw: b'{"format": ' + b"[" * 200 + b"]" * 200 + b"}\n"),
        ("100,000 lists in each other", lambda raw: b"[" * 100000), ("33 MiB of spaces", lambda raw: raw + b" " * (33 << 20)),
    ]:
        raw_record(name, change)


def record_fields():
    """Every field of every kind of object: absent, of another type, and one more beside it."""
    def objects(found):
        yield "the record", found
        yield "an image", found["images"][0]
        yield "a descriptor", found["images"][0]["descriptor"]
        yield "a platform entry", found["images"][0]["platforms"][0]
        yield "a platform", found["images"][0]["platforms"][0]["platform"]
        yield "a referrer", found["referrers"][0]
        yield "a finding", found["referrers"][0]["found"]
        yield "a file", found["files"][0]
        yield "a manifest", found["manifests"][0]
        yield "a blob", found["blobs"][0]

    bundle = sample()
    for number, (kind, fields) in enumerate(objects(bundle.record())):
        def place(found, n=number):
            return list(objects(found))[n][1]
        record(f"{kind} with one more field", lambda found, p=place: p(found).update(other=1))
        for field in list(fields):
            optional = (kind, field) in [("an image", "platforms"), ("a platform entry", "platform"), ("a blob", "config")]
            if not optional:
                record(f"{kind} without {field}", lambda found, p=place, f=field: p(found).pop(f))
            for what, value in [("null", None), ("a number", 7), ("text", "\u202etext"), ("a list", [1]), ("true", True), ("an object", {})]:
                if fields[field] == value or (kind, field, what) == ("a blob", "config", "true"):
                    continue
                if (kind, field, what) == ("a blob", "size", "a number") or (field, what) == ("size", "a number"):
                    continue
                # Any text is a platform; that of a file's name is looked at when the file is written.
                text = {"a platform": "accept", "a file name": "extract"} if what == "text" else {}
                expect = text.get(kind, text.get(f"{kind} {field}", "refuse"))
                record(f"{field} of {kind} is {what}", lambda found, p=place, f=field, v=value: p(found).update({f: v}), expect)
    for name in ["sealift.record/0", "sealift.record/2", "sealift.record/1 ", "SEALIFT.RECORD/1", ""]:
        record(f"the format {name!r}", lambda found, n=name: found.update(format=n))
    for name in ["images", "referrers", "files", "manifests", "blobs"]:
        record(f"the last of its {name} twice", lambda found, n=name: found[n].append(found[n][-1]))
        record(f"its {name} in reverse", lambda found, n=name: found[n].reverse(),
               "refuse" if len(bundle.record()[name]) > 1 else "accept")


def descriptors():
    for number in range(7):
        for what, field, value in [("another digest", "digest", DIGEST), ("another type", "mediaType", "application/x"),
                                   ("another size", "size", 12345), ("a size of 2^53", "size", 1 << 53), ("no type", "mediaType", "")]:
            record(f"manifest {number} with {what}", lambda found, n=number, f=field, v=value: found["manifests"][n % len(found["manifests"])].update({f: v}))
    for what, value in [("of upper case", "sha256:" + 64 * "A"), ("too short", "sha256:00"), ("of an unknown algorithm", "md5:" + 32 * "0"),
                        ("without an algorithm", 64 * "0"), ("of SHA-512 with the length of SHA-256", "sha512:" + 64 * "0"),
                        ("with a path", "sha256:../../../../etc/passwd"), ("with a line feed", "sha256:" + 63 * "0" + "\n"), ("empty", "")]:
        for place in ["images", "referrers", "files"]:
            record(f"digest in {place} {what}", lambda found, p=place, v=value: found[p][0]["descriptor"].update(digest=v))
        record(f"digest of a blob {what}", lambda found, v=value: found["blobs"][0].update(digest=v))
    record("a blob among the manifests too", lambda found: found["blobs"].append(
        {"digest": found["manifests"][-1]["digest"], "size": found["manifests"][-1]["size"]}))


REFERENCES = ["", " ", "app", "app:v1", "registry.example/App:v1", "registry.example/app:", "registry.example/app:v 1",
              "registry.example//app:v1", "registry.example/app/:v1", "registry.example/../app:v1", "registry.example/-app:v1",
              "registry.example/app@sha256:00", "registry.example/app:" + "x" * 129, "registry.example/" + "x" * 300 + ":v1",
              "registry.example/app\u202e:v1", "registry.example/app\n:v1", "registry.example/app:v1@" + DIGEST, "registry.example/a__-b:v1",
              "http://registry.example/app:v1", "user:password@registry.example/app:v1", "registry.example:99999999/app:v1", "\u00fc.example/app:v1",
              "registry.example/app", "index.docker.io/library/app:v1"]


def references():
    for text in REFERENCES:
        made("refuse", f"an image called {text[:40]!r}",
             lambda bundle, t=text: bundle.images[1].update(reference=t))
    for repository in ["x", "registry.example", "registry.example/x:1", "registry.example/X", "../..", "registry.example/a@b", "", "/", "registry.example/"]:
        made("refuse", f"a referrer in {repository!r}",
             lambda bundle, r=repository: bundle.referrers[0].update(repository=r))
    for tag in ["", ".", "-x", "a b", "x" * 129, "a/b", "a:b", "../x", "a\n"]:
        made("refuse", f"a referrer under the tag {tag[:20]!r}",
             lambda bundle, t=tag: bundle.referrers[0].update(found={"tag": t}))
    for found in ["tag", "Subject", {"tag": "x", "more": 1}, {"subject": "x"}, ["subject"]]:
        made("refuse", f"a referrer that was found by {found!r}", lambda bundle, f=found: bundle.referrers[0].update(found=f))

    def clash(bundle):
        bundle.image("registry.example/tool:v2", bundle.image_manifest("other"))
    made("refuse", "one name with two digests", clash)
    made("refuse", "a file under the name of an image",
         lambda bundle: bundle.files[0].update(reference="registry.example/tool:v2", descriptor=bundle.images[1]["descriptor"]))
    made("refuse", "a referrer's tag under the name of an image",
         lambda bundle: bundle.referrers[0].update(repository="registry.example/tool", found={"tag": "v2"}))


NAMES = ["", ".", "..", "a/b", "/a", "../a", "a\\b", "a<b", "a>b", "a:b", 'a"b', "a|b", "a?b", "a*b", "a\0b", "a\nb", "a\x1b[2Jb", "a\x7fb",
         "a\u200bb", "a\u200fb", "a\u2028b", "a\u202eb", "a\u2066b", "a\ufeffb", "con", "CON", "con.txt", "prn", "aux.x", "nul", "com1", "LPT9.log",
         "a.", "a ", "x" * 256, "\u00e9" * 128, "a\u0085b"]


def files():
    for name in NAMES:
        made("extract", f"a file called {name[:20]!r}", lambda bundle, n=name: bundle.files[0].update(name=n))
        folder = Bundle()
        inside = tar([Entry(name + ("" if name else "x/"), b"content")]) if "\0" not in name else tar([Entry("a", b"x")], b"")
        folder.file("folder", inside, "folder")
        if name and "/" not in name or name in ("../a", "/a"):
            case("extract", f"a folder with a file called {name[:20]!r}", tar(folder.entries()))
    for kind, what in [(b"1", "hard link"), (b"2", "link"), (b"3", "device"), (b"6", "pipe"), (b"x", "PAX header"), (b"g", "global header")]:
        entry = Entry("a", b"")
        entry.header.kind, entry.header.link = kind, b"/etc/passwd"
        folder = Bundle()
        folder.file("folder", tar([entry]), "folder")
        case("extract", f"a folder with a {what}", tar(folder.entries()))
    folder = Bundle()
    deep = "/".join(["d"] * 40)
    folder.file("folder", tar([Entry(deep + "/", kind=b"5", mode=b"0000755\0")]), "folder")
    case("extract", "a folder without the folders above one", tar(folder.entries()))
    for what, inside in [("cut off", tar([Entry("a", b"x" * 600)])[:700]), ("without an end", tar([Entry("a", b"x")], b"")),
                         ("with a byte after its end", tar([Entry("a", b"x")]) + b"x"), ("that is no tar", b"x" * 2000),
                         ("with one name twice", tar([Entry("a", b"x"), Entry("a", b"y")])), ("that is not sorted", tar([Entry("b", b"x"), Entry("a", b"y")]))]:
        folder = Bundle()
        folder.file("folder", inside, "folder")
        case("extract", f"a folder {what}", tar(folder.entries()))
    for kind in ["File", "link", "", 1]:
        made("refuse", f"a file of the kind {kind!r}", lambda bundle, k=kind: bundle.files[0].update(kind=k))


def manifests():
    def with_manifest(name, content, media_type=MANIFEST):
        bundle = sample()
        bundle.image("registry.example/x:v3", bundle.manifest(content, media_type))
        case("refuse", "a manifest " + name, tar(bundle.entries()))

    good = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"mediaType": CONFIG, "digest": DIGEST, "size": 2}, "layers": []}
    for name, content in [("that is empty", b""), ("of noise", b"\xff\xfe\x00"), ("of null", b"null"), ("that is a list", b"[]"), ("that is text", b'"x"'),
                          ("with a field twice", b'{"schemaVersion":2,"schemaVersion":2,"layers":[]}'),
                          ("nested 200 deep", b'{"x":' + b"[" * 200 + b"]" * 200 + b"}"), ("nested 100,000 deep", b"[" * 100000),
                          ("with something after it", compact(good) + b"{}"), ("with a mark", b"\xef\xbb\xbf" + compact(good)),
                          ("that says it is an index", compact({**good, "mediaType": INDEX})), ("with the fields of both kinds", compact({**good, "manifests": []})),
                          ("whose config is not there", compact(good)), ("with a layer that is not there", compact({**good, "layers": [{"mediaType": LAYER, "digest": digest(b"absent"), "size": 6}]})),
                          ("without a config's digest", compact({**good, "config": {"mediaType": CONFIG, "size": 2}})),
                          ("with a negative size", compact({**good, "config": {**good["config"], "size": -1}})),
                          ("with an enormous size", compact({**good, "config": {**good["config"], "size": 1 << 63}})),
                          ("larger than 4 MiB", compact({**good, "annotations": {"x": "y" * (5 << 20)}})),
                          ("whose layers are an object", compact({**good, "layers": {}})), ("whose layers are numbers", compact({**good, "layers": [1, 2]}))]:
        with_manifest(name, content)
    child = sample().images[1]["descriptor"]
    for name, one in [("another size", {**child, "size": child["size"] + 1}), ("another type", {**child, "mediaType": INDEX}),
                      ("a child that is not there", {**child, "digest": digest(b"absent")}), ("itself as text", "child"), ("no digest", {"mediaType": MANIFEST, "size": 1})]:
        with_manifest("of an index that lists " + name, compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": [one]}), INDEX)
    with_manifest("of 25,000 absent children", compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": MANIFEST, "digest": digest(b"%d" % number), "size": 1} for number in range(25000)]}), INDEX)
    for depth, width, expect in [(9, 1, "accept"), (10, 1, "refuse"), (12, 1, "refuse"), (7, 60, "accept"), (8, 200, "accept")]:
        bundle = sample()
        found = bundle.images[1]["descriptor"]
        for _ in range(depth):
            found = bundle.manifest(compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": [found] * width}), INDEX)
        bundle.image("registry.example/deep:v3", found)
        case(expect, f"indexes {depth} deep, each with {width} children", tar(bundle.entries()))
    bundle = Bundle()
    config = bundle.blob(b"{}", CONFIG, True)
    for number in range(45):
        content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [config] * 10000, "annotations": {"n": str(number)}}
        bundle.image(f"registry.example/many:v{number}", bundle.manifest(compact(content)))
    case("refuse", "450,000 entries in all", tar(bundle.entries()))


def main():
    folder = sys.argv[1]
    case("accept", "nothing wrong", tar(sample().entries()))
    for kind in [headers, structure, contents, index, record_bytes_cases, record_fields, descriptors, references, files, manifests]:
        kind()
    for number, (expect, name, content) in enumerate(CASES):
        with open(os.path.join(folder, f"{number}.tar"), "wb") as file:
            file.write(content)
        print(expect, name.encode("ascii", "backslashreplace").decode())


main()
