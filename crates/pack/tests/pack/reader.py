"""A second reader of packs, written from docs/format-packs.md and nothing else, down to the streams.

    reader.py FILE...

Prints a line of JSON for each file: its blobs, objects and streams, or what is wrong with it. Blobs that are
made of unrelated objects without maps and recipes are rebuilt and compared.
"""

import hashlib
import json
import struct
import subprocess
import sys

ROW = struct.Struct("<BBHB3sQQ32s")
MAX_INDEX = 16 << 20


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


def read_head(pack):
    need(pack[:8] == b"SEALPACK", "does not start like a pack")
    version, count = struct.unpack_from("<II", pack, 8)
    need(version == 1, f"version {version}")
    need(count <= 4096, "too many streams")
    length = 64 + 56 * count
    need(len(pack) >= length + 32, "head ends early")
    need(hashlib.sha256(pack[:length]).digest() == pack[length : length + 32], "digest of head")
    stored, raw, digest = struct.unpack_from("<QQ32s", pack, 16)
    need(stored <= MAX_INDEX and raw <= MAX_INDEX, "index is too long")
    streams = []
    for position in range(count):
        group, coding, number, window, zeros, plain, kept, sha = ROW.unpack_from(pack, 64 + 56 * position)
        need(group in (1, 2, 3), f"group {group}")
        need(coding in (0, 1), f"coding {coding}")
        need(group != 1 or number == 0, "number of structure")
        need(group != 2 or number < 256, "number of plain stream")
        need(zeros == bytes(3), "zeros of row")
        if coding == 0:
            need(window == 0 and plain == kept, "row of a stream as it is")
        else:
            need(10 <= window <= 27, "window")
        streams.append({"group": group, "number": number, "coding": coding, "raw": plain, "stored": kept, "sha": sha})
    kinds = [(stream["group"], stream["number"]) for stream in streams]
    need(len(set(kinds)) == len(kinds), "two streams of one kind")
    return length + 32, (stored, raw, digest), streams


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


def read_blob(fields, objects):
    algorithm = fields.byte()
    need(algorithm in (1, 2), f"algorithm {algorithm}")
    blob = {"algorithm": algorithm, "digest": fields.take(32 * algorithm), "size": fields.number()}
    blob["wrapping"] = fields.byte()
    need(blob["wrapping"] in (0, 1), f"wrapping {blob['wrapping']}")
    if blob["wrapping"] == 1:
        need(fields.bytes()[:2] == b"RZ", "recipe")
    count = fields.number()
    blob["pieces"] = []
    for position in range(count):
        structure, thing = fields.number(), fields.number()
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
            thing = objects[number]
            stream, at = thing["at"]
            out.append(contents[stream][at : at + thing["length"]])
    content = b"".join(out)
    name = "sha256" if blob["algorithm"] == 1 else "sha512"
    need(len(content) == blob["size"], "blob of another length")
    need(hashlib.new(name, content).digest() == blob["digest"], "digest of blob")


def read(pack):
    at, (stored, raw, digest), streams = read_head(pack)
    need(at + stored + sum(stream["stored"] for stream in streams) == len(pack), "length of pack")
    index = pack[at : at + stored]
    need(hashlib.sha256(index).digest() == digest, "digest of index")
    fields = Fields(decompress(index, raw))
    at += stored
    contents = []
    for stream in streams:
        data = pack[at : at + stream["stored"]]
        need(hashlib.sha256(data).digest() == stream["sha"], "digest of stream")
        contents.append(decompress(data, stream["raw"]) if stream["coding"] else data)
        at += stream["stored"]

    used = [0] * len(streams)
    objects = []
    for number in range(fields.number()):
        objects.append(read_object(fields, number, streams, used))
    blobs = [read_blob(fields, objects) for _ in range(fields.number())]
    need(fields.at == len(fields.data), "bytes after the index")
    keys = [(blob["algorithm"], blob["digest"]) for blob in blobs]
    need(keys == sorted(set(keys)), "order of blobs")

    structure = [position for position, stream in enumerate(streams) if stream["group"] == 1]
    rebuilt = start = 0
    for blob in blobs:
        length = sum(piece[0] for piece in blob["pieces"])
        own = contents[structure[0]][start : start + length] if structure else b""
        start += length
        parts = [objects[number] for _, number in blob["pieces"] if number >= 0]
        if blob["wrapping"] == 0 and not any(part["related"] or part["map"] for part in parts):
            rebuild(blob, objects, contents, own)
            rebuilt += 1
    if structure:
        used[structure[0]] = start
    need(used == [stream["raw"] for stream in streams], "bytes of a stream that nothing uses")
    return {
        "blobs": [("sha256:" if b["algorithm"] == 1 else "sha512:") + b["digest"].hex() for b in blobs],
        "objects": len(objects),
        "related": sum(thing["related"] for thing in objects),
        "maps": sum(bool(thing["map"]) for thing in objects),
        "rebuilt": rebuilt,
    }


def main():
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            pack = file.read()
        try:
            result = read(pack)
        except Refused as refused:
            result = {"refused": str(refused)}
        print(json.dumps(result))


main()
