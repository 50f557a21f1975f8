"""What the daemons did to the disk: strace's record of a running instance, as a list of steps.

A step is a tuple: ("create", path) ("mkdir", path) ("write", path, offset, bytes) ("truncate", path, length) ("sync", path)
("syncfs",) ("rename", old, new) ("unlink", path) ("ack", queue id). Paths are relative to the instance. A step stands where its
call returned, an acknowledgement where it began: what a client may have seen, it counts as seen.
"""
import os
import re
import signal
import subprocess
import time

CALLS = ("openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,fallocate,fsync,fdatasync,syncfs,rename,renameat,"
         "renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,sendto,copy_file_range,sendfile")
LINE = re.compile(r"(\d+) +([\d.]+) (.*)")
FD = re.compile(r"(-?\d+|AT_FDCWD)<((?:[^<>\"]|\"[^\"]*\")*?)>(?:\(deleted\))?")


def unhex(text):
    """strace -xx writes every string as \\x.. bytes."""
    return bytes.fromhex(text.replace("\\x", ""))


def strings(args):
    return [unhex(m) for m in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', args)]


def fds(args):
    return [unhex(m[1]).decode() if m[1].startswith("\\x") else m[1] for m in FD.findall(args)]


class Record:
    """Traces all processes of an instance while it is open."""

    def __init__(self, pids, out):
        args = ["strace", "-f", "-yy", "-xx", "-s", "8000000", "-ttt", "-qq", "-o", out, "-e", f"trace={CALLS}"]
        for p in pids:
            args += ["-p", str(p)]
        self.out = out
        self.p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while not all(self._traced(p) for p in pids):
            if time.monotonic() > end or self.p.poll() is not None:
                raise RuntimeError("strace cannot attach")
            time.sleep(0.05)

    @staticmethod
    def _traced(pid):
        try:
            with open(f"/proc/{pid}/status") as f:
                return "TracerPid:\t0\n" not in f.read()
        except FileNotFoundError:
            return True  # it ended meanwhile

    def close(self):
        self.p.send_signal(signal.SIGINT)
        self.p.wait()


def calls(path):
    """Yields (began, ended, name, arguments, result, rest): where the call stands in the record, by line."""
    waiting = {}
    with open(path) as f:
        for number, line in enumerate(f):
            m = LINE.match(line.rstrip("\n"))
            if not m:
                continue
            pid, _, text = m.groups()
            began = number
            if text.endswith(" <unfinished ...>"):
                waiting[pid] = (text[: -len(" <unfinished ...>")], number)
                continue
            resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", text)
            if resumed:
                if pid not in waiting:
                    continue
                head, began = waiting.pop(pid)
                text = head + resumed[1]
            m = re.match(r"(\w+)\((.*)\)\s+= (-?\d+)(.*)", text)
            if m and int(m[3]) >= 0:
                yield began, number, m[1], m[2], int(m[3]), m[4]


def joined(directory, name):
    return os.path.normpath(os.path.join(directory, name.decode()))


def last_number(args):
    return int(args.rsplit(", ", 1)[1])


def steps_of(name, args, result, rest, sizes):
    """The steps of one good call. `sizes` knows how long each file is, for writes without an offset."""
    f, s = fds(args), strings(args)
    if name in ("openat", "openat2", "creat") and "O_CREAT" in args:
        path = fds(f"{result}{rest}")[0]
        if path not in sizes:
            sizes[path] = 0
            yield ("create", path)
        if "O_TRUNC" in args:
            sizes[path] = 0
            yield ("truncate", path, 0)
    elif name in ("write", "writev", "pwrite64", "pwritev") and f and f[0] in sizes:
        data = b"".join(s)[:result]
        offset = last_number(args) if name.startswith("p") else sizes[f[0]]
        sizes[f[0]] = max(sizes[f[0]], offset + len(data))
        yield ("write", f[0], offset, data)
    elif name == "ftruncate" and f[0] in sizes:
        sizes[f[0]] = last_number(args)
        yield ("truncate", f[0], sizes[f[0]])
    elif name in ("fsync", "fdatasync"):
        yield ("sync", f[0])
    elif name == "syncfs":
        yield ("syncfs",)
    elif name in ("renameat", "renameat2"):
        old, new = joined(f[0], s[0]), joined(f[1], s[1])
        sizes[new] = sizes.pop(old, 0)
        yield ("rename", old, new)
    elif name == "unlinkat":
        sizes.pop(joined(f[0], s[0]), None)
        yield ("unlink", joined(f[0], s[0]))
    elif name == "mkdirat":
        yield ("mkdir", joined(f[0], s[0]))
    elif name in ("pwritev2", "copy_file_range", "sendfile", "linkat", "link", "rename", "unlink", "mkdir", "fallocate"):
        if any(x in sizes for x in f):
            raise RuntimeError(f"the recorder does not know {name}({args})")


def acknowledged(name, args):
    if name != "sendto" or "TCP:" not in args:
        return None
    m = re.search(rb"^250 2\.0\.0 Ok: queued as (\w+)", b"".join(strings(args)), re.M)
    return m and m[1].decode()


def read(path, base, sizes):
    """The steps of a record below the directory `base`; `sizes`: of the files that were there before, by full path."""
    found = []
    for began, ended, name, args, result, rest in calls(path):
        qid = acknowledged(name, args)
        if qid:
            found.append((began, ("ack", qid)))
        else:
            found += [(ended, step) for step in steps_of(name, args, result, rest, sizes)]
    found.sort(key=lambda x: x[0])
    return [shorten(s, base) for _, s in found if s[0] in ("ack", "syncfs") or s[1].startswith(base + "/")]


def shorten(step, base):
    return tuple(x[len(base) + 1:] if isinstance(x, str) and x.startswith(base + "/") else x for x in step)
