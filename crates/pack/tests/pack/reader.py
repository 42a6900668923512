"""A second reader of packs, written from docs/format-packs.md and nothing else, down to the streams.

    reader.py [--base=FILE]... FILE...

Prints a line of JSON for each file: its blobs, objects and streams, or what is wrong with it. Blobs that are
made of unrelated objects without maps and recipes, and of base blobs, which --base gives, are rebuilt and compared.
"""

import hashlib
import json
import struct
import subprocess
import sys
import zlib

import mixing

ROW = struct.Struct("<BBHB3sQQ32s")
MAX_INDEX = 16 << 20
MAX_MIXED = 64 << 20


class Refused(Exception):
    pass


def need(condition, what):
    if not condition:
        raise Refused(what)


def decompress(stored, length):
    program = ["zstd", "-d", "-q", "-c", "--memory=128MB"]
    done = subprocess.run(program, input=stored, capture_output=True, check=False)
    need(done.returncode == 0, "does not decompress")
    need(len(done.stdout) == length, "decompresses to another length")
    return done.stdout


def decode(stream, data):
    if stream["coding"] == 0:
        return data
    if stream["coding"] == 1:
        return decompress(data, stream["raw"])
    try:
        return mixing.decode(stream["model"], data, stream["raw"])
    except mixing.Damaged as damaged:
        raise Refused(str(damaged)) from damaged


class Fields:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, count):
        need(count <= len(self.data) - self.at, "index ends early")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self):
        return self.take(1)[0]

    def number(self):
        value = shift = 0
        while True:
            byte = self.byte()
            need(byte != 0 or shift == 0, "number is longer than necessary")
            value |= (byte & 0x7F) << shift
            need(value < 1 << 64, "number has more than 64 bits")
            if byte < 0x80:
                return value
            shift += 7

    def bytes(self):
        return self.take(self.number())

    def step(self, start):
        way = self.number()
        value = start + (way // 2 if way % 2 == 0 else -(way + 1) // 2)
        need(0 <= value < 1 << 63, "step leads nowhere")
        return value


def read_head(pack):
    need(pack[:8] == b"SEALPACK", "does not start like a pack")
    version, count = struct.unpack_from("<II", pack, 8)
    need(version in (1, 2), f"version {version}")
    need(count <= 4096, "too many streams")
    length = 64 + 56 * count
    need(len(pack) >= length + 32, "head ends early")
    need(hashlib.sha256(pack[:length]).digest() == pack[length : length + 32], "digest of head")
    stored, raw, digest = struct.unpack_from("<QQ32s", pack, 16)
    need(stored <= MAX_INDEX and raw <= MAX_INDEX, "index is too long")
    streams = []
    for position in range(count):
        group, coding, number, window, rest, plain, kept, sha = ROW.unpack_from(pack, 64 + 56 * position)
        need(group in (1, 2, 3), f"group {group}")
        need(coding in (0, 1, 2), f"coding {coding}")
        need(group != 1 or number == 0, "number of structure")
        need(group != 2 or number < 256, "number of plain stream")
        model, zeros = rest[0], rest[1:]
        need(zeros == bytes(2) and (model == 0 or coding == 2), "zeros of row")
        if coding == 0:
            need(window == 0 and plain == kept, "row of a stream as it is")
        elif coding == 1:
            need(10 <= window <= 27, "window")
        else:
            need(model in (1, 2, 3), f"model {model}")
            need(window == 0, "row of a mixed stream")
        stream = {"group": group, "number": number, "coding": coding, "model": model}
        streams.append({**stream, "raw": plain, "stored": kept, "sha": sha})
    mixed = sum(stream["raw"] for stream in streams if stream["coding"] == 2)
    need(mixed <= MAX_MIXED, "mixed streams are too long")
    kinds = [(stream["group"], stream["number"]) for stream in streams]
    need(len(set(kinds)) == len(kinds), "two streams of one kind")
    return length + 32, version, (stored, raw, digest), streams


def read_digest(fields):
    algorithm = fields.byte()
    need(algorithm in (1, 2), f"algorithm {algorithm}")
    return algorithm, fields.take(32 * algorithm)


def has_digest(data, key):
    return hashlib.new("sha256" if key[0] == 1 else "sha512", data).digest() == key[1]


def inflate_gzip(data):
    out = []
    while data:
        member = zlib.decompressobj(31)
        try:
            out.append(member.decompress(data))
        except zlib.error as error:
            raise Refused("base blob does not inflate") from error
        need(member.eof, "base blob does not inflate")
        data = member.unused_data
    return b"".join(out)


def read_bases(fields):
    """The base blobs, and the base objects with the ranges and outlines that make them."""
    blobs = []
    objects = []
    count = fields.number()
    need(count > 0, "version 2 without bases")
    for _ in range(count):
        key = read_digest(fields)
        need(not blobs or blobs[-1]["key"] < key, "order of base blobs")
        size, wrapping, length = fields.number(), fields.byte(), fields.number()
        need(wrapping in (0, 1), f"wrapping {wrapping}")
        need(length < 1 << 63 and (wrapping or length == size), "length of base blob")
        blob = {"key": key, "size": size, "wrapping": wrapping, "length": length}
        blobs.append(blob)
        own = fields.number()
        need(own > 0, "base blob without objects")
        end = 0
        for _ in range(own):
            thing = {"related": 0, "map": 0, "base": blob, "ranges": []}
            for _ in range(fields.number()):
                start, end = fields.step(end), 0
                size = fields.number()
                end = start + size
                need(0 < size and end <= length, "range outside of content")
                thing["ranges"].append((start, end))
            need(thing["ranges"], "base object without ranges")
            thing["outline"] = fields.bytes()
            objects.append(thing)
    return blobs, objects


def fill_bases(blobs, objects, files):
    """Gives base objects their content, from the bytes of base blobs in any order."""
    contents = {}
    for blob in blobs:
        found = [data for data in files if len(data) == blob["size"] and has_digest(data, blob["key"])]
        need(found, "base blob is missing")
        content = inflate_gzip(found[0]) if blob["wrapping"] else found[0]
        need(len(content) == blob["length"], "base blob has another length")
        contents[blob["key"]] = content
    for thing in objects:
        content = contents[thing["base"]["key"]]
        thing["content"] = b"".join(content[start:end] for start, end in thing["ranges"])
        outline = thing["outline"]
        thing["expansion"] = expand(outline, thing["content"]) if outline else thing["content"]
        thing["length"] = len(thing["expansion"])


def expand(outline, content):
    fields = Fields(outline)
    need(fields.take(3) == b"RO\x01", "outline")
    out = expand_content(fields, content)
    need(fields.at == len(outline), "bytes after outline")
    return out


def expand_content(fields, content):
    need(fields.number() == len(content), "outline of another length")
    streams = fields.number()
    need(streams > 0, "outline without streams")
    out = []
    at = 0
    for _ in range(streams):
        gap, flags, length = fields.number(), fields.byte(), fields.number()
        need(flags & ~3 == 0, "flags of outline")
        members = [(fields.byte(), fields.number(), fields.number()) for _ in range(fields.number())]
        need(members and all(member[0] in (0, 4, 8) for member in members), "members")
        out.append(content[at : at + gap])
        at += gap
        stream, used = content[at : at + length], length
        if flags & 1:
            stream, used = unframe(fields, content[at:])
        need(len(stream) == length, "stream of another length")
        at += used
        plain = b"".join(inflate(stream, members))
        out.append(expand_content(fields, plain) if flags & 2 else plain)
    out.append(content[at:])
    return b"".join(out)


def unframe(fields, data):
    out = []
    at = 0
    for _ in range(fields.number()):
        length, count = fields.number(), fields.number()
        for _ in range(count):
            out.append(data[at + 8 : at + 8 + length])
            at += 12 + length
    return b"".join(out), at


def inflate(stream, members):
    at = 0
    for trailer, header, length in members:
        member = zlib.decompressobj(-15)
        plain = member.decompress(stream[at + header :])
        need(member.eof and len(plain) == length, "member of another length")
        yield plain
        at = len(stream) - len(member.unused_data) + trailer
    need(at == len(stream), "stream goes on behind its members")


def read_object(fields, number, streams, used):
    flags = fields.byte()
    need(flags & ~3 == 0, f"flags {flags}")
    thing = {"length": fields.number(), "related": flags & 1, "map": flags & 2}
    if flags & 2:
        need(fields.bytes()[:2] == b"RM", "map")
    if not flags & 1:
        stream = fields.number()
        need(stream < len(streams) and streams[stream]["group"] == 2, "stream of object")
        thing["at"] = (stream, used[stream])
        used[stream] += thing["length"]
        return thing
    thing["codec"] = (fields.byte(), fields.byte())
    need(thing["length"] > 0, "empty related object")
    for _ in range(fields.number()):
        need(1 <= fields.number() <= number, "base is not earlier")
    last = -1
    for _ in range(fields.number()):
        stream, length = fields.number(), fields.number()
        need(last < stream < len(streams) and length > 0, "parts")
        need(streams[stream]["group"] == 3, "part of another group")
        used[stream] += length
        last = stream
    return thing


def read_blob(fields, objects, version):
    blob = {"key": read_digest(fields), "size": fields.number()}
    blob["wrapping"] = fields.byte()
    need(blob["wrapping"] in (0, 1), f"wrapping {blob['wrapping']}")
    if blob["wrapping"] == 1:
        need(fields.bytes()[:2] == b"RZ", "recipe")
    blob["structure"] = fields.number() - 1 if version == 2 else -1
    need(blob["structure"] < len(objects), "no such object")
    count = fields.number()
    blob["pieces"] = []
    expected = 0
    for position in range(count):
        structure, thing = fields.number(), fields.number()
        if version == 2 and thing > 0:
            way = thing - 1
            thing = 1 + expected + (way // 2 if way % 2 == 0 else -(way + 1) // 2)
            need(thing > 0, "no such object")
            expected = thing
        need(thing <= len(objects), "no such object")
        need(thing > 0 or (position == count - 1 and structure > 0), "piece without object")
        blob["pieces"].append((structure, thing - 1))
    return blob


def rebuild(blob, objects, contents, structure):
    out = []
    for length, number in blob["pieces"]:
        out.append(structure[:length])
        structure = structure[length:]
        if number >= 0:
            out.append(content_of(objects[number], contents))
    content = b"".join(out)
    need(len(content) == blob["size"], "blob of another length")
    need(has_digest(content, blob["key"]), "digest of blob")


def content_of(thing, contents):
    if "base" in thing:
        return thing["content"]
    stream, at = thing["at"]
    return contents[stream][at : at + thing["length"]]


def read_index(pack):
    """Head, index and streams, without the content of base blobs."""
    at, version, (stored, raw, digest), streams = read_head(pack)
    need(at + stored + sum(stream["stored"] for stream in streams) == len(pack), "length of pack")
    index = pack[at : at + stored]
    need(hashlib.sha256(index).digest() == digest, "digest of index")
    fields = Fields(decompress(index, raw))
    at += stored
    contents = []
    for stream in streams:
        data = pack[at : at + stream["stored"]]
        need(hashlib.sha256(data).digest() == stream["sha"], "digest of stream")
        contents.append(decode(stream, data))
        at += stream["stored"]

    used = [0] * len(streams)
    bases, objects = read_bases(fields) if version == 2 else ([], [])
    first = len(objects)
    for number in range(first, first + fields.number()):
        objects.append(read_object(fields, number, streams, used))
    blobs = [read_blob(fields, objects, version) for _ in range(fields.number())]
    need(fields.at == len(fields.data), "bytes after the index")
    keys = [blob["key"] for blob in blobs]
    need(keys == sorted(set(keys)), "order of blobs")
    return {
        "streams": streams,
        "contents": contents,
        "used": used,
        "bases": bases,
        "objects": objects,
        "first": first,
        "blobs": blobs,
    }


def name(key):
    return ("sha256:" if key[0] == 1 else "sha512:") + key[1].hex()


def read(pack, files):
    return rebuild_blobs(read_index(pack), files)


def rebuild_blobs(index, files):
    """Rebuilds what needs no codec, map or recipe, and checks that every byte of the streams is used."""
    streams, contents, used = index["streams"], index["contents"], index["used"]
    objects, blobs, bases = index["objects"], index["blobs"], index["bases"]
    fill_bases(bases, objects[: index["first"]], files)
    structure = [position for position, stream in enumerate(streams) if stream["group"] == 1]
    rebuilt = start = 0
    for blob in blobs:
        length = sum(piece[0] for piece in blob["pieces"])
        parts = [objects[number] for _, number in blob["pieces"] if number >= 0]
        if blob["structure"] >= 0:
            parts.append(objects[blob["structure"]])
            own = b"" if parts[-1]["related"] else content_of(parts[-1], contents)
        else:
            own = contents[structure[0]][start : start + length] if structure else b""
            start += length
        if blob["wrapping"] == 0 and not any(part["related"] or part["map"] for part in parts):
            rebuild(blob, objects, contents, own)
            rebuilt += 1
    if structure:
        used[structure[0]] = start
    need(used == [stream["raw"] for stream in streams], "bytes of a stream that nothing uses")
    return {
        "blobs": [name(blob["key"]) for blob in blobs],
        "bases": [name(blob["key"]) for blob in bases],
        "objects": len(objects),
"mixed": sum(stream["coding"] == 2 for stream in streams),
        "outlines": sum("base" in thing and thing["expansion"] != thing["content"] for thing in objects),
        "related": sum(thing["related"] for thing in objects),
        "maps": sum(bool(thing["map"]) for thing in objects),
        "rebuilt": rebuilt,
    }


def main():
    files = []
    for path in sys.argv[1:]:
        with open(path.removeprefix("--base="), "rb") as file:
            data = file.read()
        if path.startswith("--base="):
            files.append(data)
            continue
        try:
            result = read(data, files)
        except Refused as refused:
            result = {"refused": str(refused)}
        print(json.dumps(result))


if __name__ == "__main__":
    main()
