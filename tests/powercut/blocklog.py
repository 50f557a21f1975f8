"""The log of dm-log-writes: what reached a block device, in an order that its flushes allow.

A sector that was written is logged at the first flush after it was done, one with FUA when it was done, a mark where it was set. So the
entries up to a flush are what the device holds for sure after it; of those between two flushes any may be there or not.
(Documentation/admin-guide/device-mapper/log-writes.rst of Linux)
"""
import collections
import os
import struct

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
SECTOR = 512

Entry = collections.namedtuple("Entry", "flags sector sectors at mark")  # at: where its data is in the log


def read(path):
    """All entries."""
    found = []
    with open(path, "rb") as f:
        magic, _, n, sector_size = struct.unpack("<QQQI", f.read(28))
        if magic != MAGIC:
            raise RuntimeError(f"{path} is no log of dm-log-writes")
        at = sector_size
        for _ in range(n):
            f.seek(at)
            head = f.read(sector_size)
            sector, sectors, flags, data_len = struct.unpack_from("<QQQQ", head)
            mark = head[32:32 + data_len].decode() if flags & MARK else None
            at += sector_size
            found.append(Entry(flags, sector, sectors, at, mark))
            if not flags & (DISCARD | MARK):
                at += sectors * SECTOR
    return found


class Replay:
    """Writes entries of a log onto another device."""

    def __init__(self, log, target):
        self.log, self.target = os.open(log, os.O_RDONLY), os.open(target, os.O_WRONLY)

    def write(self, entry, target=None):
        fd = self.target if target is None else target
        if entry.flags & MARK or not entry.sectors:
            return
        if entry.flags & DISCARD:
            return  # what is discarded may as well stay as it was
        left, at, to = entry.sectors * SECTOR, entry.at, entry.sector * SECTOR
        while left:
            data = os.pread(self.log, min(left, 1 << 20), at)
            os.pwrite(fd, data, to)
            left, at, to = left - len(data), at + len(data), to + len(data)

    def sync(self):
        os.fsync(self.target)
