"""What a power failure may leave: a model of a file system that has seen some steps and may have kept others to itself.

Names. `create`, `mkdir`, `rename` and `unlink` wait in a journal until something makes them durable; what waits may be lost from any
point on, and, to be harsher than ext4, xfs and btrfs are, one of them alone may be lost or kept. What a sync makes durable differs:
  ext4   everything that waits, whatever was synced
  xfs    everything up to the last change of what was synced
  btrfs  the changes of what was synced alone
Data. What was written since the last sync of its file is lost, kept, zeros of the right length, or the first half of it.
"""
import hashlib

KINDS = ("ext4", "xfs", "btrfs")
DATA = ("lost", "kept", "zeros", "half")


class Inode:
    def __init__(self, is_dir, data=b""):
        self.is_dir, self.durable, self.now = is_dir, data, data
        self.changed = -1  # the last step that changed it

    def survives(self, how):
        if self.durable == self.now or how == "kept":
            return self.now
        if how == "lost":
            return self.durable
        if how == "zeros":
            same = min(len(self.durable), len(self.now))
            return self.durable[:same] + bytes(len(self.now) - same)
        return self.now[: (len(self.durable) + len(self.now)) // 2]


def parent(path):
    return path.rpartition("/")[0]


def applied(tree, step, inode):
    """One change of names; what cannot be, because an earlier one was lost, is not."""
    if step[0] in ("create", "mkdir"):
        if parent(step[1]) in tree:
            tree[step[1]] = inode
    elif step[0] == "unlink":
        tree.pop(step[1], None)
    elif step[1] in tree and parent(step[2]) in tree:
        tree[step[2]] = tree.pop(step[1])


class Disk:
    """The state after some steps. `tree` maps paths to inodes: as processes see it, and as it is on the disk for sure."""

    def __init__(self, kind, before):
        self.kind = kind
        self.now = {p: Inode(data is None, data or b"") for p, data in before.items()}
        self.sure = dict(self.now)
        self.waiting = []  # (step, inode, number)
        self.acked = []
        self.number = 0

    def take(self, step):
        self.number += 1
        getattr(self, "on_" + step[0])(step)

    def on_ack(self, step):
        self.acked.append(step[1])

    def _name(self, step, inode):
        self.waiting.append((step, inode, self.number))
        applied(self.now, step, inode)
        for path in step[1:]:
            if parent(path) in self.now:
                self.now[parent(path)].changed = self.number
        if inode:
            inode.changed = self.number

    def on_create(self, step):
        self._name(step, Inode(False))

    def on_mkdir(self, step):
        self._name(step, Inode(True))

    def on_unlink(self, step):
        self._name(step, self.now.get(step[1]))

    def on_rename(self, step):
        self._name(step, self.now.get(step[1]))

    def on_write(self, step):
        inode = self.now.get(step[1])
        if inode:
            old = inode.now.ljust(step[2], b"\0")
            inode.now = old[: step[2]] + step[3] + old[step[2] + len(step[3]):]
            inode.changed = self.number

    def on_truncate(self, step):
        inode = self.now.get(step[1])
        if inode:
            inode.now = inode.now[: step[2]].ljust(step[2], b"\0")
            inode.changed = self.number

    def on_syncfs(self, _):
        for inode in self.now.values():
            inode.durable = inode.now
        self._commit(lambda *_: True)

    def on_sync(self, step):
        inode = self.now.get(step[1])
        if inode is None:
            return
        inode.durable = inode.now
        if self.kind == "ext4":
            self._commit(lambda *_: True)
        elif self.kind == "xfs":
            self._commit(lambda _s, _i, number: number <= inode.changed)
        elif inode.is_dir:
            self._commit(lambda s, _i, _n: step[1] in (parent(s[1]), parent(s[-1])))
        else:
            self._commit(lambda _s, i, _n: i is inode)

    def _commit(self, chosen):
        rest = []
        for change in self.waiting:
            if chosen(*change):
                applied(self.sure, change[0], change[1])
            else:
                rest.append(change)
        self.waiting = rest

    def _names(self):
        n = len(self.waiting)
        keeps = [set(range(k)) for k in range(n + 1)]
        keeps += [set(range(n)) - {k} for k in range(n - 1)] + [{k} for k in range(1, n)]
        for keep in keeps:
            tree = dict(self.sure)
            for k, (step, inode, _) in enumerate(self.waiting):
                if k in keep:
                    applied(tree, step, inode)
            yield tree

    def outcomes(self):
        """Each tree that may be found after a power failure now: path to content, None for a directory."""
        for tree in self._names():
            for how in DATA:
                yield {p: None if i.is_dir else i.survives(how) for p, i in tree.items()}


def digest(tree, acked):
    h = hashlib.sha256()
    for path in sorted(tree):
        h.update(f"{path}\0{'-' if tree[path] is None else len(tree[path])}\0".encode() + (tree[path] or b""))
    h.update(" ".join(acked).encode())
    return h.digest()


def failures(before, steps):
    """Every different outcome of a power failure after each step: (number of steps, kind, tree, acknowledged ids)."""
    seen = set()
    for kind in KINDS:
        disk = Disk(kind, before)
        for n, step in enumerate([None, *steps]):
            if step:
                disk.take(step)
            for tree in disk.outcomes():
                d = digest(tree, disk.acked)
                if d not in seen:
                    seen.add(d)
                    yield n, kind, tree, list(disk.acked)
