"""Inside the virtual machine of tests/powercut/run: a load on a file system whose every write is logged (dm-log-writes), then the state
after each flush, and between two flushes, mounted, recovered and checked.

Disks: vda the file system, vdb the log, vdc what is replayed, vdd changes to that while it is looked at.
"""
import fcntl
import os
import random
import re
import subprocess
import threading
import time

import blocklog
from postern import Smtp, claim, message, until

WORDS = dict(w.split("=", 1) for w in open("/proc/cmdline").read().split() if "=" in w)
KIND, MESSAGES, POINTS, SEED = WORDS["fs"], int(WORDS["messages"]), int(WORDS["points"]), int(WORDS["seed"])
DEFECT = WORDS.get("defect", "")
END = "this is the last line\n"
LOG = "/run/log/mail.log"
BOXES = ("vera", "vito")
MKFS = {"ext4": ["mkfs.ext4", "-q", "-F", "-E", "nodiscard"], "xfs": ["mkfs.xfs", "-q", "-f", "-K"], "btrfs": ["mkfs.btrfs", "-q", "-f", "-K"]}
CONF = """hostname = mail.example
domains = mail.example
origin = mail.example
queue_directory = /mnt/queue
runtime_directory = /run/postern
state_directory = /run/state
log_file = /run/log/mail.log
aliases = text:/etc/aliases
virtual_base = /mnt/mail
virtual_mailboxes = text:/etc/virtual
queue_free_min = 1M
reverse_dns = no
spam_action = off
retry_min = 1s
retry_max = 1s
[listener smtp]
address = 127.0.0.1:2525
"""


def call(*args):
    subprocess.run(args, check=True, stdin=subprocess.DEVNULL)


def set_up():
    for folder in ("/run/log", "/run/postern", "/run/state"):
        os.makedirs(folder, exist_ok=True)
    with open("/etc/passwd", "a") as f:
        f.write("boxes:x:2001:2001::/:/bin/sh\n")
    with open("/etc/group", "a") as f:
        f.write("boxes:x:2001:\n")
    with open("/etc/aliases", "w") as f:
        f.write("postmaster: vera\nroot: vera\n")
    with open("/etc/virtual", "w") as f:
        f.write("".join(f"{b}@mail.example {b} 2001:2001\n" for b in BOXES))
    with open("/etc/postern.conf", "w") as f:
        f.write(CONF)
    call("chown", "postern-log", "/run/log")


def make_homes():
    os.mkdir("/mnt/mail", 0o711)
    for box in BOXES:
        for folder in (box, *(f"{box}/{s}" for s in ("tmp", "new", "cur"))):
            os.mkdir(f"/mnt/mail/{folder}", 0o700)
            os.chown(f"/mnt/mail/{folder}", 2001, 2001)
    os.sync()


class Postern:
    def __init__(self):
        if os.path.exists(LOG):
            os.truncate(LOG, 0)
        with open("/run/out", "ab") as out:
            self.p = subprocess.Popen(["/postern/libexec/postern-master", "-c", "/etc/postern.conf"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def log(self):
        with open(LOG) as f:
            return f.read()

    def wait(self, pattern):
        return until(lambda: os.path.exists(LOG) and re.search(pattern, self.log()), 60)

    def stop(self):
        self.p.terminate()
        self.p.wait()


def size_of(path):
    try:
        return os.path.getsize(path)
    except FileNotFoundError:  # delivered meanwhile
        return 0


def queued():
    found = []
    for shard in "0123456789abcdef":
        for sub in ("new", "cur"):
            path = f"/mnt/queue/{shard}/{sub}"
            found += [f"{path}/{f}" for f in os.listdir(path) if size_of(f"{path}/{f}") > 0] if os.path.isdir(path) else []
    return found


# --- the load ----------------------------------------------------------------------------------------------------------------
def send_some(k, wanted):
    for n in range(MESSAGES // 4):
        mid, boxes = f"{k}-{n}", BOXES if n % 3 == 2 else BOXES[:1]
        size = 1300000 if n % 10 == 5 else 20000 if n % 4 == 1 else 100
        s = Smtp(("127.0.0.1", 2525), timeout=60)
        s.hello()
        s.envelope([f"{b}@mail.example" for b in boxes])
        wanted[mid] = boxes
        reply = s.data(message("cut", body=("x" * 70 + "\n") * (size // 71) + END, **{"Message-ID": f"<{mid}@powercut.example>"}))
        if reply.startswith("250"):
            call("dmsetup", "message", "logged", "0", "mark", f"ack:{mid}")
        else:
            print("-- refused:", reply)
        s.cmd("QUIT")
        s.close()


def load():
    """Message-ID to the boxes it must be in."""
    wanted = {}
    p = Postern()
    claim("it starts", p.wait(" scanned ") and until(lambda: greets(), 60))
    print("--", (re.search(r".* file-system .*", p.log()) or [""])[0])
    threads = [threading.Thread(target=send_some, args=(k, wanted)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    claim("the load is delivered", until(lambda: not queued(), 120), queued())
    ways = re.findall(r" delivered .*how=(\w+)", p.log())
    print("-- delivered:", {w: ways.count(w) for w in set(ways)})
    p.stop()
    return wanted


def greets():
    try:
        return Smtp(("127.0.0.1", 2525)).greeting.startswith("220")
    except OSError:
        return False


# --- one state ---------------------------------------------------------------------------------------------------------------
def mount(device):
    if KIND == "btrfs":  # which device was last seen with this UUID
        with open("/dev/btrfs-control", "rb") as f:
            fcntl.ioctl(f, 0x50009405, bytearray(4096))
    call("mount", "-t", KIND, device, "/mnt")


def look():
    """(Message-ID, box) to how often; what is not whole."""
    seen, broken = {}, []
    for box in BOXES:
        for sub in ("new", "cur"):
            folder = f"/mnt/mail/{box}/{sub}"
            for name in os.listdir(folder) if os.path.isdir(folder) else []:
                with open(f"{folder}/{name}", "rb") as f:
                    data = f.read()
                m = re.search(rb"^Message-ID: <(.*)@powercut", data, re.M)
                if not m or not data.endswith(END.encode()) or b"\0" in data:
                    broken.append(f"{name} ({len(data)} bytes)")
                else:
                    seen[m[1].decode(), box] = seen.get((m[1].decode(), box), 0) + 1
    return seen, broken


def judge(acked, wanted):
    """What is wrong with the mounted state; "" for nothing."""
    _, broken = look()
    if broken:
        return f"a part of a message was visible: {broken}"
    if os.path.isdir("/mnt/queue") and queued():
        p = Postern()
        if not (p.wait(" scanned ") and until(lambda: not queued(), 60)):
            return f"it does not recover: {queued()} {p.log()[-1500:]}"
        p.stop()
    seen, broken = look()
    lost = [(m, b) for m in acked for b in wanted[m] if not seen.get((m, b))]
    twice = [w for w, n in seen.items() if n > 1]
    damaged = os.listdir("/mnt/queue/corrupt") if os.path.isdir("/mnt/queue/corrupt") else []
    return "; ".join(t for t in (broken and f"parts: {broken}", lost and f"lost: {lost}", twice and f"twice: {twice}",
                                 damaged and f"corrupt: {damaged}") if t)


def try_state(replay, more, acked, wanted):
    """The replayed disk and some writes after it."""
    replay.sync()
    size = int(open("/sys/block/vdc/size").read())
    call("dmsetup", "create", "state", "--table", f"0 {size} snapshot /dev/vdc /dev/vdd N 16")
    try:
        if more:
            fd = os.open("/dev/mapper/state", os.O_WRONLY)
            for entry in more:
                replay.write(entry, fd)
            os.fsync(fd)
            os.close(fd)
        try:
            mount("/dev/mapper/state")
        except subprocess.CalledProcessError:
            return "it cannot be mounted"
        try:
            return judge(acked, wanted)
        finally:
            call("umount", "/mnt")
    finally:
        call("dmsetup", "remove", "--retry", "state")


def states(entries, rnd):
    """(index to replay up to, entries beyond it): each flush, and some of the writes before the next."""
    ends = [k for k, e in enumerate(entries) if e.flags & (blocklog.FLUSH | blocklog.FUA)]
    found = [(k, []) for k in ends]
    for k, after in zip(ends, ends[1:]):
        writes = [e for e in entries[k + 1:after] if e.sectors and not e.flags & (blocklog.MARK | blocklog.DISCARD)]
        if writes:
            found.append((k, [e for e in writes if rnd.random() < 0.5]))
    chosen = sorted(rnd.sample(range(len(found)), min(POINTS, len(found))))
    return len(ends), len(found), sorted((found[c] for c in chosen), key=lambda x: x[0])


def too_early(entries):
    """As if a server had said 250 before its fsync (a mark comes later than the 250, by a few flushes of others): must be found."""
    found = []
    for e in entries:
        at, flushes = len(found), 0
        while e.mark and at > 0 and flushes < 12:
            at -= 1
            flushes += bool(found[at].flags & blocklog.FLUSH)
        found.insert(at, e)
    return found


def copy_base():
    """What stood there before the log began; the target is all zeros."""
    with open("/dev/vda", "rb") as a, open("/dev/vdc", "r+b") as b:
        while chunk := a.read(1 << 20):
            if chunk.count(0) != len(chunk):
                b.seek(a.tell() - len(chunk))
                b.write(chunk)
    os.sync()


def main():
    rnd = random.Random(SEED)
    os.environ["DM_DISABLE_UDEV"] = "1"  # there is none: device nodes are made by dmsetup itself
    set_up()
    call(*MKFS[KIND], "/dev/vda")
    mount("/dev/vda")
    make_homes()
    call("umount", "/mnt")
    copy_base()
    size = int(open("/sys/block/vda/size").read())
    call("dmsetup", "create", "logged", "--table", f"0 {size} log-writes /dev/vda /dev/vdb")
    mount("/dev/mapper/logged")
    began = time.monotonic()
    wanted = load()
    call("umount", "/mnt")
    call("dmsetup", "remove", "--retry", "logged")
    entries = blocklog.read("/dev/vdb")
    if DEFECT == "early-acks":
        entries = too_early(entries)
    flushes, possible, chosen = states(entries, rnd)
    print(f"-- {len(entries)} entries, {flushes} flushes, {len(wanted)} messages, {time.monotonic() - began:.0f} s")
    replay, at, acked, wrong = blocklog.Replay("/dev/vdb", "/dev/vdc"), 0, [], []
    for n, (end, more) in enumerate(chosen):
        for e in entries[at:end + 1]:
            acked += [e.mark[4:]] if (e.mark or "").startswith("ack:") else []
            replay.write(e)
        at = end + 1
        why = try_state(replay, more, acked, wanted)
        if why:
            wrong.append((end, len(more), why))
            print("--", wrong[-1])
        if n % 20 == 19:
            print(f"-- {n + 1} states, {len(wrong)} wrong, {time.monotonic() - began:.0f} s")
    kernel = os.uname().release
    if DEFECT:
        claim(f"{KIND}, Linux {kernel}: found out: {DEFECT} ({len(wrong)} of {len(chosen)} states)", wrong)
    else:
        claim(f"{KIND}, Linux {kernel}: {len(chosen)} of {possible} states after power cuts ({len(acked)} messages acknowledged) keep the promise",
              len(chosen) > 10 and not wrong, wrong[:5])


main()
