"""A full disk and no inodes: 452 to clients, mail kept, service resumes by itself."""
import os
import subprocess

from postern import ROOT, claim, message, run, skip, until


def on_small_fs(i, options, fill, what):
    """Moves the queue onto a tmpfs of its own."""
    i.down()
    mnt = f"{i.dir}/small"
    os.makedirs(mnt, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", mnt], check=True)
    try:
        os.chmod(mnt, 0o755)
        i.up(f"queue_directory = {mnt}/queue", "queue_free_min = 512K", "queue_free_inodes_min = 30", "lend_timeout = 1s")
        i.block()
        claim(f"{what}: taken while there is room", i.send(msg=message("kept")).startswith("250"))
        fill(mnt)
        until(lambda: not i.send(msg=message("more", body="x" * 70 + "\n")).startswith("250"), 10)
        reply = i.send(msg=message("more"))
        claim(f"{what}: 452 4.3.1", reply.startswith("452 4.3.1"), reply)
        claim(f"{what}: the log says why", i.wait_log(r" (full|queue-write-failed|lend-failed) "), i.log()[-800:])
        n = len([m for m in i.queue() if "id" in m])
        claim(f"{what}: what was taken is kept", n >= 1, i.queue())
        for f in os.listdir(mnt):
            if f.startswith("fill"):
                os.unlink(f"{mnt}/{f}")
        claim(f"{what}: service resumes by itself", until(lambda: i.send().startswith("250"), 10), i.log()[-500:])
        i.unblock()
        i.postern("queue", "flush")
        claim(f"{what}: everything accepted arrives", i.wait_queue_empty(), i.full_queue_files())
    finally:
        i.down()
        subprocess.run(["umount", mnt], check=True)


def no_space(i):
    def fill(mnt):
        with open(f"{mnt}/fill", "wb") as f:
            try:
                while True:
                    f.write(b"\0" * 65536)
                    f.flush()
            except OSError:
                pass
    on_small_fs(i, "size=8m", fill, "disk full")


def no_inodes(i):
    def fill(mnt):
        try:
            for k in range(100000):
                open(f"{mnt}/fill{k}", "w").close()
        except OSError:
            pass
    on_small_fs(i, "size=64m,nr_inodes=400", fill, "no inodes")


def torn_in_mid_message(i):
    """The disk fills while a message is written."""
    i.down()
    mnt = f"{i.dir}/small"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mnt], check=True)
    try:
        os.chmod(mnt, 0o755)
        i.up(f"queue_directory = {mnt}/queue", "queue_free_min = 0", "queue_free_inodes_min = 0")
        for size in (900_000, 3_500_000, 6_000_000):
            reply = i.send(msg=message("too much", body=("x" * 99 + "\n") * (size // 100)))
            if size > 4_000_000:
                claim("a message that does not fit: 452", reply.startswith("452 4.3.1"), reply)
        claim("a small one still gets through", until(lambda: i.send().startswith("250"), 10))
    finally:
        i.down()
        subprocess.run(["umount", mnt], check=True)


def full_home(i):
    """The user's disk is full: deferred with the true reason; the rename needs no room."""
    i.up(f"queue_directory = {i.dir}/queue", "queue_free_min = 1M")
    home = f"{i.dir}/home/{i.env['RCPT']}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0755", "tmpfs", home], check=True)
    try:
        subprocess.run(["chown", i.env["RCPT"], home], check=True)
        reply = i.send(msg=message("will not fit", body=("x" * 99 + "\n") * 5000))
        claim("full home: accepted", reply.startswith("250"), reply)
        claim("full home: deferred, says full", i.wait_log(r" deferred .*(4\.2\.2|[Nn]o space)"), i.log()[-800:])
        left = [f for d in ("tmp", "new") for f in os.listdir(f"{home}/Maildir/{d}")]
        claim("full home: no partial file is left", not left, left)
    finally:
        subprocess.run(["umount", home], check=True)
    i.postern("queue", "flush")
    claim("full home: arrives when there is room", i.wait_queue_empty() and i.mails(), i.full_queue_files())


if ROOT:
    run(no_space, no_inodes, torn_in_mid_message, full_home)
else:
    skip("full disks", "needs root to mount small file systems")
