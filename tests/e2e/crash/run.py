"""kill -9 of each daemon at each step of a delivery: a message with a 250 arrives, once (by rename) or at most twice (by copy).

As root strace ends the process at its Nth system call, for N from 1 until a whole message passes: every point between two system calls of
every daemon (POSTERN_CRASH=full: without a limit of time). As an ordinary user daemons are killed at random moments instead.
"""
import collections
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

from postern import ROOT, claim, content, message, run, skip, until

# No leaks can be looked for in a traced process; all other scenarios look for them. The other reports of sanitizers stay.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
SERVICES = ("smtpd", "queue-mgr", "local-delivery", "resolve", "spamcheck", "logd")
FULL = os.environ.get("POSTERN_CRASH") == "full"


def traced(pids, when):
    args = ["strace", "-qq", "-f", "-o", "/dev/null", "-e", "trace=all", "-e", f"inject=all:signal=KILL:when={when}"]
    for p in pids:
        args += ["-p", str(p)]
    p = subprocess.Popen(args, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    until(lambda: all(tracer(x) for x in pids) or p.poll() is not None, 3)
    return p


def tracer(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            return int(re.search(r"TracerPid:\s+(\d+)", f.read())[1])
    except OSError:
        return -1


def alive(pid):
    return tracer(pid) != -1 and "Z" not in open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]


def try_send(i, rcpts, mid):
    try:
        return i.send(rcpts, message(mid, **{"Message-ID": f"<{mid}@crash.example>"}))
    except OSError as e:
        return str(e)


def counts(i):
    seen = collections.Counter()
    for box in (i.maildir, i.maildir2):
        for f in i.mails(box):
            m = re.search(rb"^Message-ID: <(.*)@crash", content(f), re.M)
            if m:
                seen[m[1].decode(), box] += 1
    return seen


def check(i, what, acked, most):
    """Every acknowledged message is there for each of its recipients, and no more often than allowed."""
    boxes = {True: (i.maildir,), False: (i.maildir, i.maildir2)}
    want = {(mid, box) for mid, single in acked for box in boxes[single]}
    until(lambda: want <= counts(i).keys(), 40)
    seen = counts(i)
    lost = [w for w in want if not seen[w]]
    claim(f"{what}: {len(acked)} acknowledged, none lost", acked and not lost, (lost[:5], i.log()[-1500:]))
    twice = {k: n for k, n in seen.items() if n > most}
    claim(f"{what}: none delivered more than {most} time(s)", not twice, twice)
    claim(f"{what}: queue empty", i.wait_queue_empty(30), i.full_queue_files())


def each_step(i, service, rcpts, single, most):
    acked, kills, quiet, n = [], 0, 0, 1
    end = time.monotonic() + (3600 if FULL else 7)
    while quiet < 3 and time.monotonic() < end:
        pids = until(lambda: i.pids(service), 10) or []
        t = traced(pids, n)
        mid = f"{service}-{n}-{'s' if single else 'm'}-{os.getpid()}"
        reply = try_send(i, rcpts, mid)
        if reply.startswith("250"):
            acked.append((mid, single))
            until(lambda: not i.full_queue_files() or not all(alive(p) for p in pids), 1)
        dead = [p for p in pids if not alive(p)]
        t.terminate()
        t.wait()
        kills += bool(dead)
        quiet = 0 if dead else quiet + 1
        until(lambda: try_connect(i), 10)
        n += 1
    i.postern("queue", "flush")
    claim(f"{service}: killed at {kills} steps", kills >= 1, kills)
    check(i, service, acked, most)


def try_connect(i):
    try:
        s = i.smtp()
        ok = s.hello().startswith("250") and s.envelope(i.rcpt)[0].startswith("250")
        s.close()
        return ok
    except OSError:
        return False


def one_recipient(i):
    i.expect_deaths = True
    for s in SERVICES:
        each_step(i, s, i.rcpt, True, 1)


def two_recipients(i):
    """By copy: at most twice, and the copy that an earlier try left is found by its name, so once here too."""
    for s in ("queue-mgr", "local-delivery"):
        each_step(i, s, [i.rcpt, i.rcpt2], False, 1)


def at_random(i):
    """Under load, any daemon at any time."""
    i.expect_deaths = True
    rnd, stop, acked, lock = random.Random(1), threading.Event(), [], threading.Lock()

    def load(k):
        n = 0
        while not stop.is_set():
            mid = f"random-{k}-{n}"
            if try_send(i, i.rcpt, mid).startswith("250"):
                with lock:
                    acked.append((mid, True))
            n += 1
    threads = [threading.Thread(target=load, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    kills = 0
    end = time.monotonic() + 6
    while time.monotonic() < end:
        pids = i.pids(rnd.choice(SERVICES))
        if pids:
            try:
                os.kill(rnd.choice(pids), signal.SIGKILL)
                kills += 1
            except ProcessLookupError:
                pass
        time.sleep(rnd.uniform(0.02, 0.3))
    stop.set()
    for t in threads:
        t.join()
    i.postern("queue", "flush")
    check(i, f"{kills} random kills under load", acked, 1)


def whole_system(i):
    """The power switch of a process: everything at once, while messages come in."""
    acked = []
    for k in range(5):
        stop = threading.Event()

        def load():
            n = 0
            while not stop.is_set():
                mid = f"all-{k}-{n}"
                if try_send(i, i.rcpt, mid).startswith("250"):
                    acked.append((mid, True))
                n += 1
        t = threading.Thread(target=load)
        t.start()
        time.sleep(0.05 + 0.02 * k)
        for p in [i.pid, *[p for s in SERVICES for p in i.pids(s)]]:
            try:
                os.kill(p, signal.SIGKILL)
            except ProcessLookupError:
                pass
        stop.set()
        t.join()
        i.up()
    check(i, "5 x kill -9 of everything", acked, 1)


scenarios = [at_random, whole_system]
if ROOT and shutil.which("strace") and "POSTERN_NO_STRACE" not in os.environ:
    scenarios = [one_recipient, two_recipients, *scenarios]
else:
    skip("kill at each system call", "needs root and strace")
run(*scenarios, sets=("restart_delay_max = 1s", "retry_min = 1s", "retry_max = 1s", "lend_timeout = 2s", "spam_timeout = 3s"))
