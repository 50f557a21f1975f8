"""kill -9 of any process of any daemon, master included, again and again while real clients send: what got a 250 is delivered, whole, to
each recipient. Duplicates are counted; docs/QUEUE.md, sections 5 and 6, allows none here, where nobody moves mail out of new/.

POSTERN_KILLS=N so many (30 without); POSTERN_SEED=N the same choices again.
"""
import collections
import os
import random
import re
import shutil
import signal
import smtplib
import subprocess
import threading
import time

from postern import claim, content, message, run, until

# What is killed frees nothing, and libdb leaks two handles when it recovers a data base after that.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
KILLS = int(os.environ.get("POSTERN_KILLS", "30"))
SEED = int(os.environ.get("POSTERN_SEED", time.time()))
SERVICES = ("smtpd", "queue-mgr", "local-delivery", "resolve", "spamcheck", "logd", "bounce", "authd")
MASTER_EVERY = 25  # kills
END = "this is the last line\n"


class Load:
    """Clients that send one message after the other until stop."""

    def __init__(self, i):
        self.i, self.stop, self.lock = i, threading.Event(), threading.Lock()
        self.acked, self.sent = {}, collections.Counter()
        clients = [self.raw, self.raw, self.library]
        clients += [self.curl] if shutil.which("curl") else []
        clients += [self.swaks] if shutil.which("swaks") else []
        self.threads = [threading.Thread(target=self._run, args=(c, k)) for k, c in enumerate(clients)]
        for t in self.threads:
            t.start()

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()

    def _run(self, client, k):
        n = 0
        while not self.stop.is_set():
            mid, both = f"kill-{k}-{n}", n % 3 == 2
            n += 1
            rcpts = [self.i.rcpt, self.i.rcpt2] if both else [self.i.rcpt]
            text = message("kills", body="x" * 70 + "\n" + END, **{"Message-ID": f"<{mid}@kills.example>"})
            try:
                ok = client(rcpts, text)
            except (OSError, smtplib.SMTPException, subprocess.TimeoutExpired):
                ok = False
            with self.lock:
                self.sent[client.__name__] += 1
                if ok:
                    self.acked[mid] = (self.i.maildir, self.i.maildir2) if both else (self.i.maildir,)
            if not ok:
                time.sleep(0.02)

    def raw(self, rcpts, text):
        return self.i.send(rcpts, text).startswith("250")

    def library(self, rcpts, text):
        with smtplib.SMTP(*self.i.where, timeout=15) as s:
            refused = s.sendmail("sender@client.example", rcpts, text)
        return not refused

    def curl(self, rcpts, text):
        host, port = self.i.where
        to = [w for r in rcpts for w in ("--mail-rcpt", r)]
        return subprocess.run(["curl", "-sS", f"smtp://{host}:{port}/client.example", "--mail-from", "c@client.example", *to, "-T", "-"],
                              input=text.replace("\n", "\r\n").encode(), capture_output=True, timeout=30).returncode == 0

    def swaks(self, rcpts, text):
        host, port = self.i.where
        return subprocess.run(["swaks", "--server", host, "--port", str(port), "--from", "c@client.example", "--to", ",".join(rcpts), "--data", "-",
                               "--timeout", "15"], input=text.encode(), capture_output=True, timeout=30).returncode == 0


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except ProcessLookupError:
        return False


def one_kill(i, rnd, n):
    """Who was killed, None if there was nobody."""
    if n % MASTER_EVERY == MASTER_EVERY - 1:
        kill(i.pid)
        i.up()
        return "master"
    service = rnd.choice(SERVICES)
    pids = i.pids(service)
    return service if pids and kill(rnd.choice(pids)) else None


def found(i):
    seen, broken = collections.Counter(), []
    for box in (i.maildir, i.maildir2):
        for f in i.mails(box):
            data = content(f)
            m = re.search(rb"^Message-ID: <(kill-.*)@kills", data, re.M)
            if not m or not data.rstrip(b"\n").endswith(END.rstrip().encode()):
                broken.append(f)
            else:
                seen[m[1].decode(), box] += 1
    return seen, broken


def kills(i):
    i.expect_deaths = True
    rnd, killed, load = random.Random(SEED), collections.Counter(), Load(i)
    end = time.monotonic() + 120 + KILLS
    try:
        while sum(killed.values()) < KILLS and time.monotonic() < end:
            who = one_kill(i, rnd, sum(killed.values()))
            killed.update([who] if who else [])
            time.sleep(rnd.uniform(0.02, 0.2))
    finally:
        load.end()
    print(f"-- seed {SEED}, killed {dict(killed)}, sent {dict(load.sent)}, acknowledged {len(load.acked)}")
    claim(f"{sum(killed.values())} processes killed while {len(load.acked)} messages were acknowledged", sum(killed.values()) >= KILLS and len(load.acked) >= KILLS)
    claim("afterwards mail is taken at once", until(lambda: i.send().startswith("250"), 5))
    i.postern("queue", "flush")
    wanted = {(mid, box) for mid, boxes in load.acked.items() for box in boxes}
    until(lambda: not i.full_queue_files(), 60)
    seen, broken = found(i)
    lost = [w for w in wanted if not seen[w]]
    claim("nothing that got a 250 is lost", not lost, (len(lost), lost[:5], i.full_queue_files()[:5]))
    twice = {w: n for w, n in seen.items() if n > 1}
    claim("nothing is there twice", not twice, (len(twice), list(twice)[:5]))
    claim("each message is whole", len(broken) == 1, broken[:5])  # the one of "afterwards" has no such name
    claim("the queue is empty, corrupt/ too", not i.full_queue_files() and not os.listdir(f"{i.queue_dir}/corrupt"),
          (i.full_queue_files()[:5], os.listdir(f"{i.queue_dir}/corrupt")))


# In memory, where a delivery is a rename whatever disk this machine has.
run(kills, base="/dev/shm" if os.access("/dev/shm", os.W_OK) else None, sets=("queue_sync = name-first", "restart_delay_max = 1s", "retry_min = 1s", "retry_max = 1s", "lend_timeout = 2s", "spam_timeout = 3s"))
