"""A module for the tests of the codec python.

It has something of everything that compilers write: constants of all kinds,
names, nested functions, classes, and ranges that span several lines.
"""
import os.path as path
from collections import OrderedDict, namedtuple

LARGE = 123456789012345678901234567890
NEGATIVE = -7
VALUES = (1, 2.5, 3j, "ä\tö", b"\x00\xff", None, True, Ellipsis, (4, (5, 6)))
NAMES = {"one", "two", "three"}


class Base:
    """What the others have in common."""

    __slots__ = ("size", "name")

    def __init__(self, size, name="none", *rest, key=None, **more):
        self.size = size
        self.name = name if name != "none" else None
        if rest or more:
            raise ValueError(f"too much: {rest!r} and {more} of {self.name:>10}")

    @property
    def double(self):
        """Twice the size."""
        return 2 * self.size

    def each(self, function):
        def inner(value, *, factor=LARGE):
            return function(value) * factor + self.size

        return [
            inner(value)
            for value in range(self.size)
            if value % 2 == 0
            and value not in NAMES
        ]


class Derived(Base):
    limit: int = 10

    def total(self, items):
        count = 0
        for index, item in enumerate(items):
            try:
                count += item.size
            except AttributeError as error:
                print("no size", index, error, sep=": ")
                continue
            finally:
                self.size = count
        else:
            count -= 1
        while count > self.limit:
            count //= 2
        return count

    async def later(self, others):
        async with others as found:
            return await found.total(
                [other async for other in found if other is not None],
            )


def pairs(left, right):
    table = {a: b for a, b in zip(left, right)}
    table.update(first=left[0], last=right[-1])
    smallest = min(table, key=lambda name: (len(name), name))
    yield from sorted(table.items())
    del table[smallest]
    assert table, "nothing is left"
    return path.join(*table)


if __name__ == "__main__":
    print(Derived(3).total([Base(1), Base(2)]), """several
lines""", end="\n")
