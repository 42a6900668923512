"""A second decoder of mixed streams, written from crates/mixing/FORMAT.md and nothing else."""

KNOTS = [
    1, 2, 3, 5, 8, 13, 22, 36, 60, 98, 162, 267, 439, 720, 1179, 1921, 3108, 4971, 7812, 11955, 17625, 24743, 32768,
    40793, 47911, 53581, 57724, 60565, 62428, 63615, 64357, 64816, 65097, 65269, 65374, 65438, 65476, 65500, 65514, 65523,
    65528, 65531, 65533, 65534, 65535,
]  # fmt: skip
M32 = 0xFFFFFFFF


class Damaged(Exception):
    pass


def interpolate(x):
    knot, part = divmod(x + 2816, 128)
    return KNOTS[knot] + (KNOTS[knot + 1] - KNOTS[knot]) * part // 128


SQUASH = [interpolate(x) for x in range(-2816, 2816)]


def squash(x):
    return SQUASH[x + 2816]


def inverse():
    out = []
    x = -2815
    for part in range(4096):
        while x < 2815 and squash(x) < 16 * part + 8:
            x += 1
        out.append(x)
    return out


STRETCH = inverse()


def stretch(p):
    return STRETCH[p >> 4]


def hash2(a, b):
    m = (a * 0x2F0B4C47 + b) * 0x9E3779B1 & M32
    return m ^ m >> 14


def moved(p, bit, rate):
    return p + ((65535 * bit - p) >> rate)


def limited(x):
    return max(-2815, min(2815, x))


class Bits:
    def __init__(self, stored):
        self.stored = stored
        self.at = 0
        self.low = 0
        self.high = M32
        self.value = 0
        for _ in range(4):
            self.value = self.value << 8 | self.byte()

    def byte(self):
        self.at += 1
        if self.at > len(self.stored) + 3:
            raise Damaged("mixed stream ends early")
        return self.stored[self.at - 1] if self.at <= len(self.stored) else 0

    def bit(self, p):
        middle = self.low + ((self.high - self.low) * p >> 16)
        bit = int(self.value <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while (self.low ^ self.high) >> 24 == 0:
            self.low = self.low << 8 & M32
            self.high = (self.high << 8 | 255) & M32
            self.value = (self.value << 8 | self.byte()) & M32
        return bit

    def finish(self):
        if self.at != len(self.stored) + 3 or self.value != (self.low >> 24) + 1 << 24:
            raise Damaged("mixed stream has unused bytes")


class Mixers:
    def __init__(self, inputs, first):
        self.inputs = inputs
        self.first = first
        self.weights = {}

    def choose(self, key):
        self.chosen = self.weights.setdefault(key, [self.first] * self.inputs)

    def mix(self, values):
        self.values = values
        total = sum(value * weight for value, weight in zip(values, self.chosen))
        self.result = limited(total >> 16)
        return self.result

    def learn(self, error, shift):
        for index, value in enumerate(self.values):
            change = (value * error + (1 << shift - 1)) >> shift
            self.chosen[index] = max(-(1 << 31), min((1 << 31) - 1, self.chosen[index] + change))


class Correction:
    START = [squash(limited(256 * row - 3072)) for row in range(24)]

    def __init__(self):
        self.rows = {}

    def p(self, x, key):
        self.row = self.rows.setdefault(key, list(self.START))
        knot, part = divmod(x + 3072, 256)
        self.at = knot + (part >= 128)
        return (self.row[knot] * (256 - part) + self.row[knot + 1] * part) >> 8

    def learn(self, bit):
        self.row[self.at] = moved(self.row[self.at], bit, 6)


class Predictor:
    def __init__(self, bits, length):
        self.bits = bits
        size = 10
        while size < 18 and 1 << size < 16 * length:
            size += 1
        self.size = 1 << size
        self.refine_shift = 32 - (size - 2)
        self.buckets = {}
        row = [[1024 * high + 512 if count else 32768 for count in range(16)] for high in range(64)]
        self.adapted = [[list(cells) for cells in row] for _ in range(8)]
        self.right = [49152] * 64
        self.first = Mixers(9, 3276)
        self.second = Mixers(9, 3276)
        self.third = Mixers(2, 32768)
        self.corrections = (Correction(), Correction())
        self.coded = 0

    def bucket(self, index, context):
        h = (context + index + 1) * 0x9E3779B1 & M32
        h = (h ^ h >> 15) * 0x2C1B3C6D & M32
        h ^= h >> 13
        check = (h >> 16) & 0xFFFF | 1
        one = h & self.size - 1
        other = one ^ 1
        empty = [0] * 16
        for at in (one, other):
            if self.buckets.get(at, empty)[0] == check:
                return at
        uses = [self.buckets.get(at, empty)[1] & 15 for at in (one, other)]
        at = other if uses[1] < uses[0] else one
        self.buckets[at] = [check] + [0x8000] * 15
        return at

    def step(self, width, contexts, mixer, stage, refine, match):
        places = [self.bucket(index, context) for index, context in enumerate(contexts)]
        copies = [list(self.buckets[place]) for place in places]
        known = sum(copy[1] & 15 > 0 for copy in copies)
        rate = 10 + 409600 // (4096 + self.coded)
        node = 1
        for left in range(width - 1, -1, -1):
            expected = None
            if match is not None:
                bits, grade = match
                bits |= 1 << width
                if bits >> left + 1 == node:
                    expected = bits >> left & 1
            bit = self.bit(node, copies, mixer, stage, refine, known, rate, expected, match and match[1])
            node = node << 1 | bit
        for place, copy in zip(places, copies):
            self.buckets[place] = copy
        return node & (1 << width) - 1

    def bit(self, node, copies, mixer, stage, refine, known, rate, expected, grade):
        inputs = []
        cells = []
        for index, copy in enumerate(copies):
            word = copy[node]
            cells.append((self.adapted[index][word >> 10], word & 15))
            inputs.append(stretch(cells[-1][0][word & 15]))
        kind = 0
        if expected is None:
            inputs.append(0)
        else:
            sure = stretch(self.right[grade])
            inputs.append(sure if expected else -sure)
            kind = 1 if grade % 32 < 12 else 2 if grade % 32 < 20 else 3
        self.first.choose((mixer, node))
        self.second.choose((stage, known, kind))
        self.third.choose((stage, node))
        both = [self.first.mix(inputs), self.second.mix(inputs)]
        x = self.third.mix(both)
        row = ((refine * 16 + node) * 0x9E3779B1 & M32) >> self.refine_shift
        corrected = self.corrections[0].p(x, (mixer, node)) + self.corrections[1].p(x, row)
        bit = self.bits.bit(max(16, min(65520, (2 * squash(x) + corrected) >> 2)))

        def error(x):
            return 65536 * bit - squash(x)

        self.first.learn(error(both[0]) * rate, 18)
        self.second.learn(error(both[1]) * rate, 18)
        self.third.learn(error(x) * 2, 16)
        for correction in self.corrections:
            correction.learn(bit)
        for copy, (row, count) in zip(copies, cells):
            if count > 0:
                row[count] = moved(row[count], bit, 7)
            p = copy[node] >> 4
            p += ((4095 * bit - p) * (131072 // (2 * count + 3)) + 32768) >> 16
            copy[node] = p << 4 | min(count + 1, 10)
        if expected is not None:
            self.right[grade] = moved(self.right[grade], int(expected == bit), 5)
        self.coded = min(self.coded + 1, 1 << 20)
        return bit


class History:
    def __init__(self, ring, least, recovery):
        self.ring = ring
        self.least = least
        self.recovery = recovery
        self.symbols = []
        self.places = {}
        self.next = self.length = self.misses = 0

    def back(self, distance):
        return self.symbols[-distance] if distance <= len(self.symbols) else 0

    def expect(self, context):
        place = hash2(context, 0) & 0xFFFF
        count = len(self.symbols)
        found = self.places.get(place)
        if (self.length == 0 or self.misses > 0) and count >= self.least and found is not None:
            if count - found + 32 <= self.ring:
                equal = 0
                while equal < min(32, found) and self.symbols[found - 1 - equal] == self.symbols[count - 1 - equal]:
                    equal += 1
                if equal >= self.least and equal >= self.length:
                    self.next, self.length, self.misses = found, equal, 0
        if count >= self.least:
            self.places[place] = count
        if self.length or self.misses:
            if count - self.next >= self.ring:
                self.length = self.misses = 0
                return None
            return self.symbols[self.next], self.grade()
        return None

    def grade(self):
        if self.misses:
            return 20 + 4 * min(self.misses, 2) + min(self.length, 3)
        return self.length if self.length < 16 else min(16 + (self.length - 16) // 8, 23)

    def push(self, symbol):
        if self.length or self.misses:
            if self.symbols[self.next] == symbol:
                self.length = min(self.length + 1, 400)
                if self.length >= self.recovery:
                    self.misses = 0
            else:
                self.length = 0
                self.misses = 0 if self.misses == 8 else self.misses + 1
            self.next += 1
        self.symbols.append(symbol)


def follow(contexts, value, width):
    return [hash2(context, value + 1 + 16 * width) for context in contexts]


class Bytes:
    def __init__(self, bits, length):
        self.predictor = Predictor(bits, length)
        self.history = History(1 << 20, 5, 16)

    def byte(self):
        b1, b2, b3, b4, b5, b6 = (self.history.back(distance) for distance in range(1, 7))
        two = b1 | b2 << 8
        three = two | b3 << 16
        four = three | b4 << 24
        five = hash2(four, b5)
        contexts = [0, b1, two, three, four, hash2(five, b6), hash2(b2 | b3 << 8, 1), hash2(b3 | b4 << 8, 2)]
        contexts = [hash2(context, index) for index, context in enumerate(contexts)]
        found = self.history.expect(five)
        match = found and (found[0] >> 4, found[1])
        high = self.predictor.step(4, contexts, 0, 0, b1, match)
        match = found and found[0] >> 4 == high and (found[0] & 15, found[1] + 32) or None
        refine = b1 | 1 + high << 8
        low = self.predictor.step(4, follow(contexts, high, 4), 1 + high, 1, refine, match)
        self.history.push(high << 4 | low)
        return high << 4 | low


def rough(number):
    if number < 4:
        return number
    length = number.bit_length()
    return 2 * length + (number >> length - 2 & 1)


def steps(number):
    """The steps of a number: widths and values."""
    length = number.bit_length()
    if number < 10:
        return [(4, number)]
    if length < 8:
        out = [(4, 6 + length)]
    elif length < 15:
        out = [(4, 14), (3, length - 8)]
    elif length < 30:
        out = [(4, 15), (4, length - 15)]
    else:
        out = [(4, 15), (4, 15), (2, (length - 30) // 16), (4, (length - 30) % 16)]
    left = length - 1
    while left:
        width = min(left, 4)
        left -= width
        out.append((width, number >> left & (1 << width) - 1))
    return out


class Numbers:
    def __init__(self, bits, length):
        self.predictor = Predictor(bits, length)
        self.history = History(1 << 16, 3, 8)

    def number(self, role):
        before = [self.history.back(distance) for distance in range(1, 5)]
        f1, f2, f3, f4 = ((number ^ number >> 32) & M32 for number in before)
        two = hash2(f1, f2)
        three = hash2(two, f3)
        shape = (rough(before[0]) << 16 | rough(before[1]) << 8 | rough(before[2])) & M32
        contexts = [0, f1, two, three, hash2(shape, rough(before[3])), f2, hash2(f2, f4), shape >> 8]
        self.contexts = [hash2(context ^ role << 31, index) for index, context in enumerate(contexts)]
        found = self.history.expect(three)
        self.role = role
        self.taken = 0
        self.start = rough(before[0])
        self.expected = found and (steps(found[0]), found[1])
        number = self.walk()
        self.history.push(number)
        return number

    def walk(self):
        self.first = 0
        token = self.first = self.step(4)
        if token < 10:
            return token
        if token < 14:
            length = token - 6
        elif token == 14:
            length = 8 + self.step(3)
        else:
            length = 15 + self.step(4)
            if length == 30:
                high = self.step(2)
                length = min(64, 30 + 16 * high + self.step(4))
        number = 1
        left = length - 1
        while left:
            width = min(left, 4)
            left -= width
            number = number << width | self.step(width)
        return number

    def step(self, width):
        taken = self.taken
        mixer = 0 if taken == 0 else 1 + self.first if taken == 1 else 17 + min(taken, 6)
        refine = hash2(self.first, taken) if taken else self.start
        match = None
        if self.expected:
            match = (self.expected[0][taken][1], self.expected[1] + (32 if taken else 0))
        value = self.predictor.step(
            width, self.contexts, mixer + 24 * self.role, min(taken, 3) + 4 * self.role, refine ^ self.role << 31, match
        )
        if match and match[0] != value:
            self.expected = None
        self.contexts = follow(self.contexts, value, width)
        self.taken += 1
        return value


def leb(number):
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return out


def decode(model, stored, length):
    bits = Bits(stored)
    out = bytearray()
    if model == 1:
        symbols = Bytes(bits, length)
        while len(out) < length:
            out.append(symbols.byte())
    else:
        symbols = Numbers(bits, length)
        while len(out) < length:
            if model == 3:
                zeros = symbols.number(0)
                if zeros > length - len(out):
                    raise Damaged("more zeros than are left")
                out += bytes(zeros)
                if len(out) == length:
                    break
            number = symbols.number(1 if model == 3 else 0)
            if model == 3 and number == 0:
                raise Damaged("a zero where none can be")
            out += leb(number)
        if len(out) > length:
            raise Damaged("a number is longer than what is left")
    bits.finish()
    return bytes(out)
