"""Size: a queue of very many messages starts at once, needs little memory, is listed as it is read; a message to very many arrives.

POSTERN_MILLION: how many messages, 20,000 if not set (`make bigcheck`: 1,000,000); the worst case: all are due, each to a domain and
from a sender of its own. POSTERN_CROWD: recipients of one message."""
import os
import re
import subprocess
import time

from postern import TOP, claim, content, message, run, skip, until

MANY = int(os.environ.get("POSTERN_MILLION", "20000"))
CROWD = int(os.environ.get("POSTERN_CROWD", "1000"))
BUILD = os.environ.get("POSTERN_BUILD", f"{TOP}/build/release")
FILL = f"{BUILD}/tests/fill-queue"


def pss_mib(pids):
    return sum(int(re.search(r"Pss:\s+(\d+) kB", open(f"/proc/{p}/smaps_rollup").read())[1]) for p in pids) / 1024


def cpu_secs(pid):
    words = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def fill(i, *what):
    subprocess.run([FILL, i.queue_dir, *what], check=True)


def listing(i, program, *args):
    """Seconds to the first line, lines in all, the program's most memory in MiB."""
    begun = time.monotonic()
    with subprocess.Popen([f"{i.dir}/bin/{program}", *args], stdout=subprocess.PIPE) as p:
        p.stdout.readline()
        first, lines, rss = time.monotonic() - begun, 1, 0.0
        for lines, _ in enumerate(p.stdout, 2):
            if lines % 1000 == 2:
                rss = max(rss, int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{p.pid}/status").read() + "VmHWM: 0")[1]) / 1024)
    print(f"-- {program} {' '.join(args)}: first line after {first:.3f} s, {lines} lines in {time.monotonic() - begun:.1f} s, {rss:.1f} MiB")
    return first, lines, rss


def start(i, claim_of, *what):
    """Restarts on a filled queue with one message for a mailbox in it; says how long that one took."""
    i.down()
    fill(i, f"count={MANY}", "senders=1000000", "domains=1000000", "size=1000", *what)
    fill(i, "count=1", f"rcpt={i.rcpt}", "due=-1")
    n, begun = len(i.mails()), time.monotonic()
    i.up()
    i.wait_mails(n + 1, secs=120)
    took = time.monotonic() - begun
    claim(f"{claim_of}: the first delivery comes in 5 s", took < 5, took)
    print(f"-- {claim_of}: first delivery {took:.2f} s after the start")


def all_due(i):
    if not os.path.exists(FILL):
        skip("a queue of very many messages", f"{FILL} is not built (make tests)")
        return
    start(i, "all are due", "due=-10")
    begun = time.monotonic()
    i.send()
    claim("new mail comes in a second meanwhile", len(i.wait_mails(2, secs=30)) == 2 and time.monotonic() - begun < 1, time.monotonic() - begun)
    i.wait_log(r"scanned files=\d{4}", secs=60)
    pss = pss_mib(i.pids("queue-mgr"))
    claim("queue-mgr and its helpers need less than 300 MiB", pss < 300, pss)
    print(f"-- all due: {pss:.1f} MiB")


def deferred(i):
    if not os.path.exists(FILL):
        return
    i.down()
    subprocess.run(["find", i.queue_dir, "-path", "*/cur/*", "-delete"], check=True)
    start(i, "none is due", "due=3600", "spread=3600")
    i.wait_log(r"scanned files=\d{4}", n=2, secs=60)
    queue_mgr = i.pids("queue-mgr")
    print(f"-- none due: {pss_mib(queue_mgr):.1f} MiB")
    for program, *args in (["mailq"], ["postern", "queue", "list"], ["postern", "queue", "list", "--json"]):
        first, lines, rss = listing(i, program, *args)
        claim(f"{program} {' '.join(args)}: its first line comes in a second", first < 1, first)
        claim("it tells all", lines >= MANY, lines)
        claim("in little memory", rss < 32, rss)
    used = cpu_secs(queue_mgr[0])
    time.sleep(2)
    used = cpu_secs(queue_mgr[0]) - used
    claim("what only waits costs no time", used < 0.05, used)
    acts(i)


def acts(i):
    qid = os.listdir(f"{i.queue_dir}/3/cur")[0][:16]
    for args in (["queue", "show", qid], ["queue", "hold", qid], ["queue", "release", qid], ["queue", "hold", qid], ["queue", "delete", qid], ["status"]):
        begun = time.monotonic()
        done = i.postern(*args).returncode == 0
        took = time.monotonic() - begun
        claim(f"postern {' '.join(args[:2])} takes no longer than among few", done and took < 0.5, took)
    begun = time.monotonic()
    claim("flush --all is quick", i.postern("queue", "flush", "--all").returncode == 0 and time.monotonic() - begun < 5)


def crowd(i):
    """One message to very many: all get it, each once."""
    i.down()
    subprocess.run(["find", i.queue_dir, "-path", "*/cur/*", "-delete"], check=True)
    i.up(f"recipients_max = {max(CROWD, 100)}", "message_max_size = 20M")
    user, domain = i.rcpt.split("@")
    had = len(i.mails())
    begun = time.monotonic()
    s = i.smtp(timeout=60)
    s.hello()
    bad = [r for r in s.envelope([f"{user}+{n}@{domain}" for n in range(CROWD)]) if not r.startswith("250")]
    claim("all recipients are taken", not bad, bad[:1])
    reply = s.data(message("to a crowd"))
    accepted = time.monotonic() - begun
    claim("the message is accepted", reply.startswith("250"), reply)
    i.wait_mails(had + CROWD, secs=200)
    took = time.monotonic() - begun
    claim("its file is gone then", i.wait_queue_empty(60), i.full_queue_files())
    names = [re.search(rb"^Delivered-To: (\S+)", content(f), re.M)[1] for f in i.mails() if b"to a crowd" in content(f)]
    claim("each recipient has it, once", len(names) == CROWD == len(set(names)), (len(names), len(set(names))))
    pss = pss_mib(i.pids("queue-mgr"))
    claim("in bounded memory", pss < 100, pss)
    print(f"-- {CROWD} recipients: accepted after {accepted:.1f} s, delivered after {took:.1f} s, {pss:.1f} MiB")


run(all_due, deferred, crowd, base=os.environ.get("POSTERN_MILLION_DIR"))
