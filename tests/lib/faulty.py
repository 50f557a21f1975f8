"""Faults for the daemons of an instance: their calls counted, chosen ones made to fail, their clock set. See tests/lib/faults.c."""
import mmap
import os
import shutil
import struct
import tempfile

from postern import TOP, Instance

BUILD = os.environ.get("POSTERN_BUILD") or f"{TOP}/build/{os.environ.get('VARIANT', 'release')}"
LIBRARY = f"{BUILD}/tests/faults.so"
CALLS = ("open", "read", "write", "sync", "truncate", "rename", "unlink", "mkdir", "chmod", "chown", "stat", "statfs", "flock", "fcntl",
         "fork", "pipe", "accept", "connect", "readdir", "sendmsg", "recvmsg")
PROGRAMS = ("smtpd", "queue-mgr", "local-delivery", "bounce", "resolve", "spamcheck", "authd")
SLOTS, NAME = 16, 32
SHORT = -1
HEAD = struct.Struct("<IIIIIiIi")  # counting, program, call, first, times, error, hits, clock_shift
COUNTS = HEAD.size + SLOTS * NAME


def available():
    """Why not, or None. Sanitizers have their own place before the C library."""
    if not os.path.exists(LIBRARY):
        return f"{os.path.relpath(LIBRARY, TOP)} is not built"
    return "a build with sanitizers" if os.environ.get("VARIANT") == "asan" or "/asan" in BUILD else None


class Board:
    """What the test and the loaded daemons share."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(HEAD.size) + b"".join(f"postern-{p}".encode().ljust(NAME, b"\0") for p in PROGRAMS).ljust(SLOTS * NAME, b"\0"))
            f.write(bytes(4 * SLOTS * len(CALLS)))
        os.chmod(path, 0o666)
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    def _put(self, at, kind, value):
        struct.pack_into(kind, self.map, at, value)

    def count(self):
        """Counts from zero; nothing fails."""
        self._put(0, "<I", 0)
        self._put(16, "<I", 0)
        self.map[COUNTS:] = bytes(len(self.map) - COUNTS)
        self._put(24, "<I", 0)
        self._put(0, "<I", 1)

    def stop(self):
        self._put(0, "<I", 0)

    def fail(self, program, call, first, error, times=1):
        """Counts from zero; the calls first..first+times-1 of that program fail."""
        self.count()
        self._put(0, "<I", 0)
        struct.pack_into("<IIIIi", self.map, 4, PROGRAMS.index(program), CALLS.index(call), first, times, error)
        self._put(0, "<I", 1)

    def hits(self):
        return struct.unpack_from("<I", self.map, 24)[0]

    def counts(self):
        """(program, call) to how often."""
        found = {}
        for p, program in enumerate(PROGRAMS):
            for c, call in enumerate(CALLS):
                n = struct.unpack_from("<I", self.map, COUNTS + 4 * (p * len(CALLS) + c))[0]
                if n:
                    found[program, call] = n
        return found

    def shift_clock(self, secs):
        self._put(28, "<i", secs)


class FaultyInstance(Instance):
    """An instance whose daemons have the library loaded: each program is a script that loads it, beside a copy of the real master."""

    def __init__(self, *sets, base=None):
        self.build = tempfile.mkdtemp(prefix="pt-build-", dir="/var/tmp")
        os.chmod(self.build, 0o755)
        os.mkdir(f"{self.build}/libexec")
        os.symlink(f"{BUILD}/bin", f"{self.build}/bin")
        self.environ = {**os.environ, "POSTERN_BUILD": self.build}
        self.board = Board(f"{self.build}/board")
        shutil.copy(LIBRARY, f"{self.build}/faults.so")
        for name in os.listdir(f"{BUILD}/libexec"):
            here = f"{self.build}/libexec/{name}"
            if name == "postern-master" or name[8:] not in PROGRAMS:
                shutil.copy(f"{BUILD}/libexec/{name}", here)
                continue
            with open(here, "w") as f:
                f.write(f'#!/bin/sh\nexport LD_PRELOAD={self.build}/faults.so POSTERN_TEST_FAULTS={self.board.path}\n'
                        f'exec {BUILD}/libexec/{name} "$@"\n')
            os.chmod(here, 0o755)
        super().__init__(*sets, base=base)

    def purge(self):
        super().purge()
        shutil.rmtree(self.build, ignore_errors=True)
