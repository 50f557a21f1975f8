"""More than there is room for: a crowd of clients that all send at once, a disk that fills up under load and is freed, a clock that jumps
a day forward and back. The service goes on or answers 4xx, and recovers by itself. (A spamcheck that hangs: scenario spam.)

POSTERN_OVERLOAD=N clients at once (300 without). The clock that jumps is the daemons' own, by tests/lib/faults.c: that of the machine
is left alone.
"""
import os
import re
import resource
import selectors
import socket
import subprocess
import tempfile
import threading
import time

import faulty
from postern import ROOT, Instance, claim, content, finish, message, skip, until
import postern

CROWD = int(os.environ.get("POSTERN_OVERLOAD", "300"))
DAY = 86400
END = "this is the last line\n"


def text(mid, size=100):
    return message("overload", body=("x" * 70 + "\n") * (size // 71 + 1) + END, **{"Message-ID": f"<{mid}@overload.example>"})


def arrived(i, boxes=None):
    """Message-ID to how often, in all boxes; and what is not whole."""
    seen, broken = {}, []
    for box in boxes or (i.maildir, i.maildir2):
        for f in i.mails(box):
            data = content(f)
            m = re.search(rb"^Message-ID: <(.*)@overload", data, re.M)
            if not m or not data.endswith(END.encode()):
                broken.append(f)
            else:
                seen[m[1].decode()] = seen.get(m[1].decode(), 0) + 1
    return seen, broken


def check(i, what, acked):
    claim(f"{what}: the queue empties", i.wait_queue_empty(60), i.full_queue_files()[:5])
    seen, broken = arrived(i)
    lost = [m for m in acked if m not in seen]
    claim(f"{what}: of {len(acked)} acknowledged none is lost, all are whole, none is there twice",
          acked and not lost and not broken and all(n == 1 for n in seen.values()), (lost[:5], broken[:5], [m for m in seen if seen[m] > 1][:5]))


# --- a crowd -----------------------------------------------------------------------------------------------------------------
class Client:
    """One of many: does its part of the dialogue whenever it hears the end of a reply."""

    def __init__(self, i, k):
        self.mid, self.buf, self.replies, self.done = f"crowd-{k}", b"", [], None
        self.words = [b"EHLO crowd.example\r\n", b"MAIL FROM:<crowd@client.example>\r\n", f"RCPT TO:<{i.rcpt}>\r\n".encode(), b"DATA\r\n",
                      postern.dotted(text(self.mid)), b"QUIT\r\n"]
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.sock.connect_ex(i.where)

    def end(self):
        self.done = len(self.replies) > 5 and self.replies[5].startswith("250")
        self.sock.close()

    def turn(self):
        """What it hears; True while it goes on."""
        try:
            more = self.sock.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            more = b""
        self.buf += more
        last = self.buf.rsplit(b"\n", 2)[-2] if self.buf.endswith(b"\n") else b""
        if last[3:4] == b" ":
            self.replies.append(last.decode())
            self.buf = b""
            if last[:1] in b"23" and self.words:
                self.sock.sendall(self.words.pop(0))
            else:
                more = b""
        if not more:
            self.end()
        return bool(more)


def crowd(i):
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(CROWD * 2 + 500, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    sel, clients, began = selectors.DefaultSelector(), [Client(i, k) for k in range(CROWD)], time.monotonic()
    for c in clients:
        sel.register(c.sock, selectors.EVENT_READ, c)
    while sel.get_map() and time.monotonic() < began + 120:
        for key, _ in sel.select(1):
            fd = key.fileobj
            if not key.data.turn():
                sel.unregister(fd)
    acked = [c.mid for c in clients if c.done]
    refused = [c.replies[-1:] for c in clients if c.done is False]
    claim(f"{CROWD} clients at once: each hears an end", all(c.done is not None for c in clients), sum(c.done is None for c in clients))
    claim(f"{CROWD} clients at once: {len(acked)} get a 250, all others 4xx", all(r and r[0][:1] == "4" for r in refused), refused[:5])
    check(i, f"{CROWD} clients at once", acked)
    t = time.monotonic()
    claim("afterwards a client is served at once", i.send(msg=text("after")).startswith("250") and time.monotonic() - t < 1, time.monotonic() - t)
    print(f"-- {len(acked)} of {CROWD} taken in {t - began:.1f} s, {len(i.pids('smtpd'))} smtpd processes")


# --- a full disk ---------------------------------------------------------------------------------------------------------------
def fill(path):
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(65536))
        except OSError:
            return


def full_disk():
    """Queue, homes and log on one small file system."""
    mnt = tempfile.mkdtemp(prefix="pt-small-", dir="/var/tmp")
    os.chmod(mnt, 0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m,mode=755", "tmpfs", mnt], check=True)
    i = None
    try:
        i = Instance("queue_free_min = 256K", "lend_timeout = 1s", "retry_min = 1s", "retry_max = 1s", base=mnt)
        acked, replies, stop = [], set(), threading.Event()

        def load(k):
            n = 0
            while not stop.is_set():
                mid = f"disk-{k}-{n}"
                n += 1
                try:
                    reply = i.send(i.rcpt if n % 2 else i.rcpt2, text(mid, 20000 if n % 50 else 1500000))
                except OSError as e:
                    reply = str(e)
                replies.add(reply[:9])
                if reply.startswith("250"):
                    acked.append(mid)
                time.sleep(0.02)
        threads = [threading.Thread(target=load, args=(k,)) for k in range(3)]
        for t in threads:
            t.start()
        for turn in range(3):
            time.sleep(0.7)
            fill(f"{mnt}/fill")
            time.sleep(0.7)
            os.unlink(f"{mnt}/fill")
        until(lambda: len(acked) > 10, 5)
        stop.set()
        for t in threads:
            t.join()
        claim("a disk that fills up under load: clients hear 250 or 4xx alone", all(r[:1] == "4" or r.startswith("250") for r in replies), replies)
        claim("4xx was among them", any(r[:1] == "4" for r in replies), replies)
        claim("freed, it takes mail by itself", until(lambda: i.send(msg=text("freed")).startswith("250"), 5), i.log()[-500:])
        check(i, "a disk that fills up under load", acked)
        parts = [f for box in (i.maildir, i.maildir2) for f in os.listdir(f"{box}/tmp")]
        claim("no parts are left in tmp/", not parts, parts)
        finish(i)
    finally:
        if i:
            i.purge()
        subprocess.run(["umount", mnt], check=False)
        os.rmdir(mnt)


# --- the clock ---------------------------------------------------------------------------------------------------------------
def jump(i, days, what):
    """A message waits and a session is open while the clock jumps."""
    i.block()
    n, first = len(i.log_lines(" deferred ")), f"jump-{days}-waits"
    claim(f"{what}: a message waits", i.send(msg=text(first)).startswith("250") and i.wait_log(" deferred ", n + 1))
    s = i.smtp()
    s.hello()
    s.envelope(i.rcpt)
    i.board.shift_clock(days * DAY)
    reply = s.data(text(f"jump-{days}-open"))
    claim(f"{what}: the open session goes on", reply.startswith("250"), reply)
    s.close()
    i.unblock()
    claim(f"{what}: a new one begins", i.send(msg=text(f"jump-{days}-new")).startswith("250"))
    claim(f"{what}: all three arrive, and soon", until(lambda: {first, f"jump-{days}-open", f"jump-{days}-new"} <= arrived(i)[0].keys(), 8), (i.log()[-1500:]))
    claim(f"{what}: no report is written", not i.log_lines(r" (expired|bounced|failed) "), i.log_lines(r" (expired|bounced|failed) "))


def clock_jumps():
    why = faulty.available()
    if why:
        skip("a clock that jumps", why)
        return
    i = faulty.FaultyInstance("retry_min = 1s", "retry_max = 2s")
    try:
        i.send()
        for days, what in ((1, "a day forward"), (0, "a day back"), (-1, "another day back"), (0, "forward again")):
            jump(i, days, what)
        i.kill("queue-mgr")
        i.expect_deaths = True
        i.board.shift_clock(-DAY)
        claim("a start of queue-mgr in the past", until(lambda: i.send(msg=text("past")).startswith("250"), 8) and until(lambda: "past" in arrived(i)[0], 8))
        finish(i)
    finally:
        i.purge()


def main():
    i = Instance(f"smtpd_workers_max = {CROWD + 20}", f"connections_per_client_max = {CROWD + 20}", "command_timeout = 60s", "data_timeout = 60s", "lend_timeout = 20s")
    try:
        crowd(i)
        i.restart("smtpd_workers_max = 50")
        for f in i.mails():
            os.unlink(f)
        crowd(i)
        finish(i)
        if postern.failed:
            print("\n".join(i.log().splitlines()[-40:]))
    finally:
        i.purge()
    if ROOT:
        full_disk()
    else:
        skip("a full disk", "mounting needs root")
    clock_jumps()
    return postern.failed > 0


raise SystemExit(main())
