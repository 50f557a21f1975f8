"""Much mail to many domains drains completely, while queue-mgr and remote-delivery are killed at random: nothing that got a 250 is lost.
A message may come twice only when the process that sent it was killed between the host's 250 and its own word of it (docs/QUEUE.md).

POSTERN_WORLD=N so many messages (500 without), to a tenth as many domains, with N/200 kills, 5 at least and 50 at most; POSTERN_SEED=S the same choices again.
"""
import collections
import os
import random
import re
import signal
import threading
import time

from postern import claim, dotted, message, run, until
from sink import Sink, Zones, free_port

# What is killed frees nothing, and libdb leaks two handles when it recovers a data base after that.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
TOTAL = int(os.environ.get("POSTERN_WORLD", "500"))
SEED = int(os.environ.get("POSTERN_SEED", time.time()))
DOMAINS, KILLS, CLIENTS = max(TOTAL // 10, 1), min(max(TOTAL // 200, 5), 50), 4
HOSTS = [f"127.0.2.{n}" for n in range(1, 6)]
port = free_port()
SECS = 60 + TOTAL / 10

ZONE = "".join(f"mx{n} A {host}\n" for n, host in enumerate(HOSTS)) + "".join(
    f"d{n} MX 10 mx{n % len(HOSTS)}\n" for n in range(DOMAINS))


def rcpt(k):
    return f"user{k}@d{k % DOMAINS}.example"


class Feeder(threading.Thread):
    """Sends each CLIENTS-th message until it has its 250."""

    def __init__(self, i, first):
        super().__init__()
        self.i, self.todo, self.tries = i, list(range(first, TOTAL, CLIENTS)), 0
        self.start()

    def run(self):
        while self.todo and self.tries < TOTAL * 3:
            try:
                self._session()
            except OSError:
                time.sleep(0.05)

    def _session(self):
        s = self.i.smtp()
        s.hello()
        while self.todo:
            self.tries += 1
            k = self.todo[-1]
            if not s.cmd(f"MAIL FROM:<sender{k % 7}@client.example>").startswith("250") or not s.cmd(f"RCPT TO:<{rcpt(k)}>").startswith("250") \
                    or not s.cmd("DATA").startswith("354"):
                break
            s.send(dotted(message(subject=f"number {k}", body="x" * 60 + "\nthe end\n")))
            if not s.reply().startswith("250"):
                break
            self.todo.pop()
        s.close()
        time.sleep(0.02)


def kill_one(i, rnd):
    service = rnd.choice(("remote-delivery", "remote-delivery", "queue-mgr"))
    pids = i.pids(service)
    if not pids:
        return None
    try:
        os.kill(rnd.choice(pids), signal.SIGKILL)
    except ProcessLookupError:
        return None
    return service


def world(i):
    i.expect_deaths = True
    rnd, killed = random.Random(SEED), collections.Counter()
    sinks = [Sink(host, port) for host in HOSTS]

    def arrived():
        return sum(len(s.messages) for s in sinks)

    feeders = [Feeder(i, n) for n in range(CLIENTS)]
    begun = time.monotonic()
    for n in range(KILLS):
        until(lambda: arrived() >= TOTAL * (n + 1) // (KILLS + 2), SECS / KILLS)
        who = kill_one(i, rnd)
        killed.update([who] if who else [])
    for f in feeders:
        f.join()
    claim("each message is accepted", not any(f.todo for f in feeders), [f.todo[:5] for f in feeders])
    want = {rcpt(k) for k in range(TOTAL)}

    def got():
        return collections.Counter(r for s in sinks for m in list(s.messages) for r in m.rcpts)

    until(lambda: arrived() >= TOTAL and not want - set(got()), SECS)
    seen = got()
    lost = want - set(seen)
    twice = sum(n - 1 for n in seen.values())
    print(f"-- seed {SEED}: {TOTAL} messages to {DOMAINS} domains, killed {dict(killed)}, {time.monotonic() - begun:.0f} s, "
          f"{sum(len(s.sessions) for s in sinks)} connections, {twice} came twice")
    claim(f"all {TOTAL} arrive, whoever was killed", not lost, (len(lost), sorted(lost)[:5], i.log_lines("error|corrupt")[-5:]))
    claim("at most one comes twice for each kill of a process that sent", twice <= killed["remote-delivery"], (twice, dict(killed)))
    claim("nobody else gets it", set(seen) == want, sorted(set(seen) - want)[:5])
    whole = [m for s in sinks for m in s.messages if re.search(rb"\r\n\r\nx{60}\r\nthe end\r\n$", m.data)]
    claim("each is whole", len(whole) == sum(len(s.messages) for s in sinks), len(whole))
    claim("the queue is empty, corrupt/ too", i.wait_queue_empty(60) and not os.listdir(f"{i.queue_dir}/corrupt"), i.queue_files()[:5])
    for s in sinks:
        s.close()


zones = Zones(ZONE)
try:
    run(world, base="/dev/shm" if os.access("/dev/shm", os.W_OK) else None,
        sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"remote_port = {port}", "trusted_networks = 127.0.0.0/8", "dns_timeout = 5s",
              "queue_sync = name-first", "retry_min = 1s", "retry_max = 2s", "restart_delay_max = 1s", "remote_workers_max = 30", "mta_sts = no",
              "client_message_rate = 0", "client_recipient_rate = 0", "client_connection_rate = 0"])
finally:
    zones.close()
