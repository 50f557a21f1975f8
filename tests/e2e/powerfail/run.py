"""Power failures, simulated: what the daemons do to the disk is recorded while messages pass, then for each step the states that a power
failure there may leave (disk.py) are laid out, the real daemons start on them, and the promise is checked: each acknowledged recipient
has the message, whole; no part of a message is ever seen in a Maildir; none is there twice.

POSTERN_CRASH=full takes every state instead of a sample, POSTERN_SEED=N the same sample again.
A defect in the record (a sync left out, two steps swapped) must be found: those are tests of the simulator.
"""
import concurrent.futures
import os
import pwd
import random
import shutil
import socket
import subprocess
import sys
import time

import disk
import trace
from postern import ROOT, TOP, Instance, claim, message, skip

BIN = os.environ.get("POSTERN_BUILD") or f"{TOP}/build/{os.environ.get('VARIANT', 'release')}"
FULL = os.environ.get("POSTERN_CRASH") == "full"
SEED = int(os.environ.get("POSTERN_SEED", time.time()))
JOBS = 3
END = "this is the last line\n"
SAMPLE, PROBES = 24, 40
BASE = "/dev/shm"
SETS = ("queue_sync = name-first", "spam_action = off", "smtpd_workers_min = 1", "smtpd_workers_spare = 1", "retry_min = 1s")


# --- recording ---------------------------------------------------------------------------------------------------------------
def snapshot(i):
    """Queue and homes as they are: path to (content or None, mode, uid, gid)."""
    found = {}
    for top in ("queue", "mail"):
        for folder, _, files in os.walk(os.path.join(i.dir, top)):
            for path in [folder, *(os.path.join(folder, f) for f in files)]:
                st = os.lstat(path)
                with open(path, "rb") if not os.path.isdir(path) else open(os.devnull, "rb") as f:
                    found[os.path.relpath(path, i.dir)] = (None if os.path.isdir(path) else f.read(), st.st_mode & 0o7777, st.st_uid, st.st_gid)
    return found


class Work:
    """A workload, recorded: what was there, the steps, and who must get what."""

    def __init__(self, name, how, *sets):
        self.name, self.wanted, self.i = name, {}, Instance(*SETS, *sets, base=BASE)
        self._mailboxes()
        how(self, None)  # Maildirs and all are there: they are no part of what is recorded
        self.i.wait_queue_empty()
        time.sleep(1.5)  # local-delivery keeps a process of the user for a moment: what is recorded begins without one
        self.wanted = {}
        for box in (self.i.maildir, self.i.maildir2):
            for f in self.i.mails(box):
                os.unlink(f)
        self.metas = snapshot(self.i)
        self.before = {p: m[0] for p, m in self.metas.items()}
        self.steps = self._record(how)
        self.i.down()

    def _mailboxes(self):
        """Virtual ones: they move with the instance, homes of system users do not."""
        i, owner = self.i, ""
        if ROOT:
            user = pwd.getpwnam(i.env["RCPT"])
            owner = f" {user.pw_uid}:{user.pw_gid}"
        os.chmod(os.path.join(i.dir, "mail"), 0o711)
        with open(os.path.join(i.dir, "virtual"), "a") as f:
            for name in ("vera", "vito"):
                box = os.path.join(i.dir, "mail", name)
                for folder in (box, *(f"{box}/{sub}" for sub in ("tmp", "new", "cur"))):
                    os.mkdir(folder, 0o700)
                    if ROOT:
                        os.chown(folder, user.pw_uid, user.pw_gid)
                f.write(f"{name}@{i.domain} {name}{owner}\n")
        i.rcpt, i.rcpt2 = f"vera@{i.domain}", f"vito@{i.domain}"
        i.maildir, i.maildir2 = f"{i.dir}/mail/vera", f"{i.dir}/mail/vito"
        time.sleep(1.1)  # tables are looked at once a second

    def _record(self, how):
        out = os.path.join(self.i.dir, "trace")
        pids = [p for s in ("smtpd", "queue-mgr", "local-delivery", "bounce") for p in self.i.pids(s)]
        r = trace.Record(pids, out)
        how(self, self.wanted)
        self.i.wait_queue_empty()
        time.sleep(0.3)
        r.close()
        sizes = {os.path.join(self.i.dir, p): len(c) for p, c in self.before.items() if c is not None}
        steps = trace.read(out, self.i.dir, sizes)
        return [s for s in steps if s[0] in ("ack", "syncfs") or s[1].startswith(("queue/", "mail/"))]

    def send(self, wanted, rcpts, boxes, size=100):
        body = "x" * 70 + "\n"
        reply = self.i.send(rcpts, message("crash", body=body * (size // len(body) + 1) + END))
        if wanted is not None:
            wanted[reply.split()[-1]] = boxes
        if not reply.startswith("250"):
            raise RuntimeError(reply)

    def meta(self, path):
        """Mode and owner of what is laid out: as when it was there before, or as its directory's."""
        if path in self.metas:
            return self.metas[path][1:]
        up = self.metas.get(disk.parent(path)) or self.metas[path.split("/")[0]]
        return (0o640 if path.startswith("queue") else 0o600, up[2], up[3])


# --- one state ---------------------------------------------------------------------------------------------------------------
def lay_out(work, base, tree):
    for top in ("queue", "mail"):
        shutil.rmtree(os.path.join(base, top), ignore_errors=True)
    for path in sorted(tree):
        full, (mode, uid, gid) = os.path.join(base, path), work.meta(path)
        if tree[path] is None:
            os.makedirs(full, exist_ok=True)
            mode |= 0o700
        else:
            with open(full, "wb") as f:
                f.write(tree[path])
        os.chmod(full, mode)
        if ROOT:
            os.chown(full, uid, gid)


def seen_in(work, base):
    """Messages in the Maildirs: (queue id, mailbox) to how often; and what is not whole."""
    seen, broken = {}, []
    for k, box in enumerate((work.i.maildir, work.i.maildir2)):
        box = box.replace(work.i.dir, base)
        for sub in ("new", "cur"):
            folder = os.path.join(box, sub)
            for name in os.listdir(folder) if os.path.isdir(folder) else []:
                with open(os.path.join(folder, name), "rb") as f:
                    data = f.read()
                qid = next((q for q in work.wanted if f"id {q} ".encode() in data), None)
                if not data.endswith(END.encode()) or b"\0" in data or qid is None:
                    broken.append(f"{sub}/{name} ({len(data)} bytes)")
                else:
                    seen[qid, k] = seen.get((qid, k), 0) + 1
    return seen, broken


def in_queue(base):
    return [f for shard in "0123456789abcdef" for sub in ("new", "cur") for f in os.scandir(f"{base}/queue/{shard}/{sub}")
            if f.stat().st_size > 0]


def recover(work, inst):
    """Starts the daemons on what is there, and waits until the queue is empty."""
    conf = os.path.join(inst, "postern.conf")
    with open(os.path.join(inst, "out"), "ab") as out:
        master = subprocess.Popen([f"{BIN}/libexec/postern-master", "-c", conf], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    log, end = os.path.join(inst, "log/mail.log"), time.monotonic() + 20
    while time.monotonic() < end and master.poll() is None:
        with open(log, "rb") as f:
            if b" scanned " in f.read() and not in_queue(inst):
                break
        time.sleep(0.02)
    left = len(in_queue(inst))
    master.terminate()
    master.wait(20)
    return left


def judge(work, inst, n, kind, tree, acked):
    """What is wrong after a power failure there; "" for nothing."""
    lay_out(work, inst, tree)
    with open(os.path.join(inst, "log/mail.log"), "w"):
        pass
    _, broken = seen_in(work, inst)
    if broken:
        return f"a part of a message was visible: {broken}"
    left = recover(work, inst)
    seen, broken = seen_in(work, inst)
    lost = [(q, k) for q in acked for k in work.wanted[q] if not seen.get((q, k))]
    twice = [w for w, times in seen.items() if times > 1]
    return "; ".join(text for text in (broken and f"parts of messages: {broken}", lost and f"acknowledged and lost: {lost}",
                                       twice and f"delivered twice: {twice}", left and f"{left} stay in the queue") if text)


class Places:
    """Copies of an instance for states to be laid out in, a few side by side."""

    def __init__(self, work, n):
        self.work, self.free = work, []
        for k in range(n):
            place = f"{work.i.dir}.{k}"
            shutil.copytree(work.i.dir, place, ignore=shutil.ignore_patterns("queue", "home", "mail", "sock", "trace", "state"))
            for folder in ("sock", "queue"):
                os.makedirs(os.path.join(place, folder), exist_ok=True)
            for name in ("log", "log/mail.log") if ROOT else ():
                st = os.stat(os.path.join(work.i.dir, name))
                os.chown(os.path.join(place, name), st.st_uid, st.st_gid)
            conf = os.path.join(place, "postern.conf")
            with open(conf) as f:
                text = f.read().replace(work.i.dir, place)
            port = work.i.where[1]
            with open(conf, "w") as f:
                f.write(text.replace(f":{port}", f":{free_port()}"))
            self.free.append(place)

    def judge(self, failure):
        place = self.free.pop()
        try:
            return failure, judge(self.work, place, *failure)
        finally:
            self.free.append(place)

    def close(self):
        for place in self.free:
            shutil.rmtree(place, ignore_errors=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# --- all of them -------------------------------------------------------------------------------------------------------------
def check(work, places, steps, most, stop_at_first=False):
    """The violations among the outcomes of these steps, and how many outcomes were looked at."""
    states = list(disk.failures(work.before, steps))
    if most and len(states) > most:
        states = random.Random(SEED).sample(states, most)
    found, looked = [], 0
    with concurrent.futures.ThreadPoolExecutor(len(places.free)) as pool:
        jobs = [pool.submit(places.judge, s) for s in states]
        for job in concurrent.futures.as_completed(jobs):
            if job.cancelled():
                continue
            (n, kind, _, _), wrong = job.result()
            looked += 1
            if wrong:
                found.append(f"{kind}, after step {n} {describe(steps, n)}: {wrong}")
                if stop_at_first:
                    for j in jobs:
                        j.cancel()
    return found, looked


def describe(steps, n):
    s = steps[n - 1] if n else ("nothing",)
    return " ".join(str(x) if not isinstance(x, bytes) else f"{len(x)} bytes" for x in s)


def rename_one(work, wanted):
    work.send(wanted, [work.i.rcpt], [0])
    work.send(wanted, [work.i.rcpt2], [1], 9000)


def copy_two(work, wanted):
    work.send(wanted, [work.i.rcpt, work.i.rcpt2], [0, 1])


def streamed(work, wanted):
    work.send(wanted, [work.i.rcpt], [0], 1500000)


def one_later(work, wanted):
    """The second mailbox cannot be written to at first: its message is postponed with the first recipient marked."""
    folders = [f"{work.i.maildir2}/{sub}" for sub in ("tmp", "new", "cur")]
    for f in folders:
        os.chmod(f, 0)
    deferrals = len(work.i.log_lines(" deferred "))
    work.send(wanted, [work.i.rcpt, work.i.rcpt2], [0, 1])
    work.i.wait_log(" deferred ", deferrals + 1)
    time.sleep(0.2)
    for f in folders:
        os.chmod(f, 0o700)


def without(steps, kind, part, which=0):
    """The record of a program that forgot a step."""
    at = [n for n, s in enumerate(steps) if s[0] == kind and part in s[1]]
    return steps[: at[which]] + steps[at[which] + 1:]


def swapped(steps, first, second):
    """The record of a program that took the second step before the first."""
    a = next(n for n, s in enumerate(steps) if first(s))
    b = next(n for n, s in enumerate(steps) if n > a and second(s))
    return steps[:a] + [steps[b]] + steps[a:b] + steps[b + 1:]


def is_step(kind, part=""):
    return lambda s: s[0] == kind and (not part or part in s[1])


DEFECTS = {
    "rename": [
        ("smtpd does not sync the message", lambda s: without(s, "sync", "/new/")),
        ("the 250 is said before the sync", lambda s: swapped(s, is_step("sync", "/new/"), is_step("ack"))),
    ],
    "copy": [
        ("smtpd does not sync the message", lambda s: without(s, "sync", "queue/")),
        ("a copy is renamed before it is synced", lambda s: swapped(s, is_step("sync", "/tmp/"), is_step("rename"))),
        ("a copy is not synced at all", lambda s: without(s, "sync", "/tmp/")),
        ("the queue file goes before the copy has its name",
         lambda s: swapped(s, is_step("rename"), is_step("unlink", "queue/"))),
    ],
    "streamed": [
        ("smtpd does not sync a long message", lambda s: without(s, "sync", "queue/")),
    ],
    "postponed": [
        ("a recipient is marked before the copy has its name",
         lambda s: swapped(s, is_step("rename", "/tmp/"), lambda x: x[0] == "write" and x[3] in (b"+", b"-"))),
    ],
}

WORKS = (("rename", rename_one, ()), ("copy", copy_two, ("delivery = copy",)), ("streamed", streamed, ()),
         ("postponed", one_later, ("delivery = copy",)))


def main():
    if not ROOT or not shutil.which("strace") or not os.access(BASE, os.W_OK):
        skip("power failures", "daemons can be traced by root alone, with strace, and /dev/shm is needed")
        return
    print(f"-- seed {SEED}")
    for name, how, sets in WORKS:
        work = Work(name, how, *sets)
        places = Places(work, JOBS)
        try:
            found, looked = check(work, places, work.steps, 0 if FULL else SAMPLE)
            claim(f"{name}: {looked} outcomes of power failures within {len(work.steps)} steps keep the promise", looked and not found, found[:5])
            for what, change in DEFECTS[name]:
                found, looked = check(work, places, change(work.steps), 0 if FULL else PROBES, True)
                claim(f"{name}: found out: {what}", found, f"{looked} outcomes looked at")
        finally:
            places.close()
            work.i.purge()


main()
