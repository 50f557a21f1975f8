"""Faults of the system: each call that smtpd, queue-mgr, local-delivery and bounce make on queue, Maildirs and channels while a message
passes, and those of queue-mgr's start, fails once, in each way it can (tests/lib/faults.c). The client hears 250 or 4xx, what got a 250 is delivered once and whole, nothing
is left over (descriptors, files in tmp/, damaged queue files), no daemon dies, the log tells the reason, and mail flows on by itself.

POSTERN_FAULTS=full takes every fault instead of a sample; POSTERN_SEED=N the same sample again; POSTERN_CASE=TEXT those that match.
"""
import collections
import concurrent.futures
import errno
import glob
import os
import random
import re
import signal
import sys
import threading
import time
import traceback

import faulty
from faulty import SHORT
from postern import claim, content, message, skip, until

FULL = os.environ.get("POSTERN_FAULTS") == "full"
SEED = int(os.environ.get("POSTERN_SEED", time.time()))
ONLY = os.environ.get("POSTERN_CASE", "")
SECS = 14  # of the short form, besides starting
JOBS = 3  # of each form
PROGRAMS = ("smtpd", "queue-mgr", "local-delivery", "bounce")
GROWTH = 1 << 20  # bytes that a daemon's memory may grow by, whatever fails
END = "this is the last line\n"
# In memory, so that a delivery to one is a rename whatever disk this machine has; and as on file systems that do not keep the promise
# of docs/QUEUE.md, section 8.
FORMS = {"name-first": ("queue_sync = name-first",), "strict": ("queue_sync = strict", "delivery = copy")}
BASE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
SETS = ("spam_action = off", "retry_min = 1s", "retry_max = 1s", "lend_timeout = 3s", "smtpd_workers_min = 1", "smtpd_workers_spare = 1",
        "restart_delay_max = 1s", "bounce_strangers_rate = 0")

# How a call may fail (its manual page, and what file systems do beyond it).
FILE = ("EIO", "ENOMEM")
FULL_DISK = ("ENOSPC", "EDQUOT")
ERRORS = {
    "open": (*FILE, *FULL_DISK, "EMFILE", "EINTR"), "read": (*FILE, "EINTR", "SHORT"), "write": (*FILE, *FULL_DISK, "EINTR", "SHORT"),
    "sync": (*FILE, *FULL_DISK, "EINTR"), "truncate": (*FILE, "ENOSPC", "EINTR"), "rename": (*FILE, *FULL_DISK),
    "unlink": (*FILE, "ENOSPC"), "mkdir": (*FILE, *FULL_DISK), "chmod": FILE, "chown": (*FILE, "EDQUOT"), "stat": FILE,
    "statfs": ("EIO", "EINTR"), "flock": ("ENOLCK", "EINTR"), "fcntl": ("ENOMEM", "EMFILE"), "fork": ("EAGAIN", "ENOMEM"),
    "pipe": ("EMFILE",), "accept": ("EMFILE", "ENOMEM", "EINTR"), "connect": ("ENOMEM",), "readdir": FILE,
    "sendmsg": ("ENOMEM", "EINTR"), "recvmsg": ("ENOMEM", "EINTR"),
}
SEEN_BY_NOBODY = ("EINTR", "SHORT")  # the program repeats or goes on: no word in the log is asked for

Case = collections.namedtuple("Case", "work program call nth error times")


def text_of(c):
    return f"{c.work}: {c.program} {c.call} {c.nth}{'+' if c.times > 1 else ''} {c.error}"


class Bench:
    """One instance, and what is known of it before a fault."""

    def __init__(self, form):
        self.form, self.i = form, faulty.FaultyInstance(*SETS, *FORMS[form], base=BASE)
        self.leaders = {p: self.i.pids(p)[0] for p in PROGRAMS}
        self.n, self.acked, self.most, self.said = 0, {}, {}, 0
        self.works = {"one": self.one, "two": self.two, "long": self.long, "told": self.told, "start": self.start}
        self.prepare = {"start": self.before_start}
        self.reports = 0  # that senders are to get
        for work in [w for w in self.works if w != "start"] * 3 + [*(["start"] if form == "name-first" else []), "one"]:
            self.run_work(work)
            self.settled()
            self.most = {k: max(n, self.most.get(k, 0)) for k, n in self.held().items()}
        self.leaders = {p: self.i.pids(p)[0] for p in PROGRAMS}
        self.problems(None)
        self.memory = self.anonymous()

    def run_work(self, work, begin=lambda: None):
        """One workload, from begin() on after what it needs."""
        self.prepare.get(work, lambda: None)()
        begin()
        return self.works[work]()

    def anonymous(self):
        """Memory of the daemons that live long, by process: bytes."""
        found = {}
        for pid in self.leaders.values():
            with open(f"/proc/{pid}/status") as f:
                found[pid] = 1024 * int(re.search(r"RssAnon:\s+(\d+)", f.read())[1])
        return found

    def grown(self):
        """Those that were there all the time and hold more memory."""
        now = self.anonymous()
        return {p: now[pid] - self.memory[pid] for p, pid in self.leaders.items() if pid in self.memory and now[pid] - self.memory[pid] > GROWTH}

    # --- what clients do ---
    def _send(self, rcpts, boxes, size):
        self.n += 1
        mid, line = f"fault-{self.n}", "x" * 70 + "\n"
        try:
            reply = self.i.send(rcpts, message("fault", body=line * (size // len(line) + 1) + END, **{"Message-ID": f"<{mid}@faults.example>"}))
        except OSError as e:
            reply = f"<{type(e).__name__}>"
        if reply.startswith("250"):
            self.acked[mid] = boxes
        return reply

    def one(self):
        return self._send(self.i.rcpt, (self.i.maildir,), 100)

    def two(self):
        return self._send([self.i.rcpt, self.i.rcpt2], (self.i.maildir, self.i.maildir2), 100)

    def long(self):
        """Goes into the queue file as it comes."""
        return self._send(self.i.rcpt, (self.i.maildir,), 1200000)

    def told(self):
        """Its sender, our second user, gets a report of the delivery."""
        self.n += 1
        mid = f"fault-{self.n}"
        try:
            s = self.i.smtp()
            s.hello()
            s.cmd(f"MAIL FROM:<{self.i.rcpt2}>")
            reply = s.cmd(f"RCPT TO:<{self.i.rcpt}> NOTIFY=SUCCESS,FAILURE")
            if reply.startswith("250"):
                reply = s.data(message("fault", body=END, **{"Message-ID": f"<{mid}@faults.example>"}))
            s.close()
        except OSError as e:
            reply = f"<{type(e).__name__}>"
        if reply.startswith("250"):
            self.acked[mid] = (self.i.maildir,)
            self.reports += 1
        return reply

    def before_start(self):
        self.i.block()
        n = len(self.i.log_lines(" deferred "))
        self.two()
        self.long()
        self.i.wait_log(" deferred ", n + 2, 5)

    def start(self):
        """queue-mgr finds messages of before."""
        os.kill(self.i.pids("queue-mgr")[0], signal.SIGKILL)
        self.i.unblock()
        until(lambda: len(self.i.pids("queue-mgr")) > 0, 5)
        return "250"

    # --- what is there ---
    def settled(self, secs=15):  # what cannot be opened is tried again after 10
        return until(lambda: not self.i.full_queue_files(), secs)

    def baseline(self):
        """How often each program makes each call: (work, program, call) to the number."""
        found = {}
        for work in self.works:
            if self.form == "strict" and work == "start":
                continue  # as in the other form
            self.run_work(work, self.i.board.count)
            self.settled()
            time.sleep(0.1)
            found.update({(work, p, c): n for (p, c), n in self.i.board.counts().items()
                          if c in ERRORS and (p == "queue-mgr" if work == "start" else p in PROGRAMS)})
            self.i.board.stop()
        return found

    def held(self, names=None):
        """The most descriptors that a process holds: (program, "leader" or "worker") to the number. Directories of the queue are opened
        at need, once each; of files that are made ahead (strict) there is a stock; queue-mgr has channels of all others, they have a few."""
        found, peers = {}, 10 + sum(len(self.i.pids(p)) for p in PROGRAMS)
        for p in PROGRAMS:
            for pid in self.i.pids(p):
                try:
                    fds = [os.readlink(f"/proc/{pid}/fd/{f}") for f in os.listdir(f"/proc/{pid}/fd")]
                except OSError:
                    continue
                channels = [f for f in fds if f.startswith("socket:")]
                workers = [f for f in fds if f == "anon_inode:[pidfd]"]  # a leader has one of each
                ahead = [f for f in fds if re.fullmatch(re.escape(self.i.queue_dir) + "/./new/[0-9a-v]{16}", f)] if p == "queue-mgr" else []
                dirs = {f for f in fds if re.fullmatch(re.escape(self.i.queue_dir) + "(/./(new|cur|tmp)|/hold|/corrupt|/VERSION)?", f)}
                kind, n = (p, "leader" if pid == self.leaders.get(p) else "worker"), len(fds) - len(dirs) - len(workers) - min(len(ahead), 32) - min(len(channels), peers if p == "queue-mgr" else 5)
                if n > found.get(kind, 0):
                    found[kind] = n
                    if names is not None:
                        names[kind] = sorted(fds)
        return found

    def leaks(self):
        """Programs that hold more than ever at rest."""
        names = {}
        return [(k, n, self.most.get(k), names[k]) for k, n in self.held(names).items() if n > self.most.get(k, 0)]

    def read_boxes(self):
        """Takes the mail out of the boxes: (Message-ID, box) to how often, what is not whole, and the number of reports."""
        seen, broken, reports = collections.Counter(), [], 0
        for box in (self.i.maildir, self.i.maildir2):
            for f in self.i.mails(box):
                data = content(f)
                m = re.search(rb"^Message-ID: <(.*)@faults", data, re.M)
                if b"Content-Type: multipart/report" in data[:4096]:
                    reports += 1
                elif not m or not data.endswith(END.encode()) or b"\0" in data:
                    broken.append(f)
                else:
                    seen[m[1].decode(), box] += 1
                os.unlink(f)
        return seen, broken, reports

    def log_since(self):
        log = self.i.log()
        new, self.said = log[self.said:], len(log)
        return new

    def problems(self, case, reply="250", slow=False):
        """What is wrong after a case that is over; counts what was acknowledged until then as done. `slow`: it needed a second try."""
        wrong = []
        if not self.settled():
            wrong.append(("left in the queue", self.i.full_queue_files()))
        seen, broken, reports = self.read_boxes()
        wanted = {(mid, box) for mid, boxes in self.acked.items() for box in boxes}
        lost = [w for w in wanted if not seen[w]]
        twice = [w for w, n in seen.items() if n > 1]
        rest = [f for f in glob.glob(f"{self.i.queue_dir}/corrupt/*") + glob.glob(f"{self.i.queue_dir}/*/tmp/*")
                + glob.glob(f"{self.i.maildir}/tmp/*") + glob.glob(f"{self.i.maildir2}/tmp/*")]
        for f in rest:
            os.unlink(f)
        reason = case and case.error not in SEEN_BY_NOBODY and (slow or not reply.startswith("250")) and os.strerror(getattr(errno, case.error))
        until(lambda: not reason or reason in self.i.log()[self.said:], 1)
        log = self.log_since()
        until(lambda: not self.leaks(), 1)
        leaks = self.leaks()
        self.most.update({k: n for k, n, _, _ in leaks})
        died = [] if case and case.work == "start" else re.findall(r".* (?:worker[-_]died|service[-_]died|bug|sandbox[-_]violation) .*", log)
        died += [f"{p} is another" for p, pid in self.leaders.items() if self.i.pids(p)[:1] != [pid] and not (p == "queue-mgr" and case and case.work == "start")]
        self.leaders = {p: (self.i.pids(p) or [0])[0] for p in PROGRAMS}
        wrong += [(what, x) for what, x in (("lost", lost), ("not whole", broken), ("twice", twice), ("left over", rest), ("leaked", leaks),
                                           ("died", died), ("refused", not re.match(r"250|4\d\d", reply) and reply),
                                           ("the log does not say why", reason and reason not in log and (reply, log))) if x]
        if reports < self.reports:
            wrong.append(("lost", f"{self.reports - reports} report(s)"))
        self.acked, self.reports = {}, 0
        return wrong

    def try_fault(self, case):
        """One case. None: the call was not made this time."""
        error = SHORT if case.error == "SHORT" else getattr(errno, case.error)
        end = threading.Timer(0.5, self.i.board.stop) if case.times > 1 else None
        began = time.monotonic()

        def begin():
            self.i.board.fail(case.program, case.call, case.nth, error, case.times)
            if end:
                end.start()
        reply = self.run_work(case.work, begin)
        self.settled()
        slow = time.monotonic() - began > 0.9 and case.work not in ("told", "start")
        if end:
            end.join()
        hits = self.i.board.hits()
        self.i.board.stop()
        wrong = self.problems(case if hits or case.work == "start" else None, reply, slow)
        if not until(lambda: self.one().startswith("250"), 5):
            wrong.append(("mail is still refused", self.one()))
        wrong += [("afterwards", w) for w in self.problems(None)]
        return wrong if hits or wrong else None


def cases_of(counts):
    for (work, program, call), n in sorted(counts.items()):
        for nth in range(1, n + 1):
            yield from (Case(work, program, call, nth, e, 1) for e in (ERRORS[call][:2] if work == "start" else ERRORS[call]))
        if work == "start":
            continue
        # and as long as the cause lasts
        yield from (Case(work, program, call, 1, e, 1 << 30) for e in ERRORS[call] if e not in SEEN_BY_NOBODY)


def chosen(cases):
    """All, or a sample in which each kind of call comes first once."""
    cases = [c for c in cases if re.search(ONLY, text_of(c))]
    if FULL:
        return cases
    random.Random(SEED).shuffle(cases)
    cases.sort(key=lambda c: c.work == "start")  # these take longest
    kinds = {}
    for c in cases:
        kinds.setdefault((c.program, c.call), c)
    first = list(kinds.values())
    return first + [c for c in cases if c not in first and (c.work != "start" or c.nth % 20 == 0)]


class Check:
    """All cases of one form, on some instances side by side."""

    def __init__(self, form, jobs, secs):
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            self.benches = list(pool.map(lambda _: Bench(form), range(jobs)))
        self.cases = chosen(list(cases_of(self.benches[0].baseline())))
        self.benches[0].problems(None)
        self.form, self.grown = form, {}
        self.asked, self.tried, self.missed, self.wrong = len(self.cases), 0, 0, []
        self.end, self.lock = time.monotonic() + secs, threading.Lock()
        threads = [threading.Thread(target=self._work, args=(b,)) for b in self.benches]
        for t in threads:
            t.start()
        for t in threads:
            t.join()

    def _next(self):
        with self.lock:
            return self.cases.pop(0) if self.cases and (FULL or time.monotonic() < self.end) else None

    def _work(self, bench):
        while (case := self._next()) is not None:
            try:
                wrong = bench.try_fault(case)
            except Exception:  # a broken test is a failure, not a silence
                wrong = [("broken", traceback.format_exc())]
            with self.lock:
                self.tried += 1
                self.missed += wrong is None
                for what, detail in wrong or []:
                    self.wrong.append((what, text_of(case), detail))
                    if FULL or ONLY:
                        print("--", what, text_of(case), detail, flush=True)
        self.grown.update(bench.grown())

    def tell(self):
        form = self.form
        kinds = collections.defaultdict(list)
        for what, case, detail in self.wrong:
            kinds[what].append((case, detail))
        done = self.tried - self.missed
        claim(f"{form}: {done} of {self.asked} faults tried", done >= (0.9 * self.tried if FULL or ONLY else 5), (done, self.missed))
        for what in ("refused", "lost", "not whole", "twice", "left in the queue", "left over", "leaked", "died", "the log does not say why",
                     "mail is still refused", "afterwards", "broken"):
            claim(f"{form}: after a fault: never `{what}`", not kinds[what], kinds[what][:3])
        claim(f"{form}: no daemon's memory has grown", not self.grown, self.grown)

    def close(self):
        with concurrent.futures.ThreadPoolExecutor(len(self.benches)) as pool:
            list(pool.map(lambda b: b.i.purge(), self.benches))


def main():
    why = faulty.available()
    if why:
        skip("faults", why)
        return 0
    print(f"-- seed {SEED}")
    with concurrent.futures.ThreadPoolExecutor(len(FORMS)) as pool:
        checks = list(pool.map(lambda form: Check(form, JOBS if FULL else 1, SECS), FORMS))
    for check in checks:
        check.tell()
        check.close()
    return sys.modules["postern"].failed > 0


sys.exit(main())
