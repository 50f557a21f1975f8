"""Corrupt and foreign files in the queue go to corrupt/ and into the log; all others go on."""
import os
import socket

from postern import ROOT, claim, content, message, run, until


def give(i, path):
    if ROOT:
        s = os.stat(i.queue_dir)
        os.chown(path, s.st_uid, s.st_gid, follow_symlinks=False)


def rubbish(i):
    i.block()
    for k in range(3):
        i.send(msg=message(f"good {k}"))
    until(lambda: len(i.log_lines(" deferred ")) >= 3)
    i.down()
    files = [f for f in i.queue_files() if os.path.getsize(f)]
    claim("three files in the queue", len(files) == 3, files)
    victim = files[0]
    whole = next(f"good {k}" for k in range(3) if f"Subject: good {k}\n".encode() in content(files[2]))
    data = bytearray(content(victim))
    data[-3] ^= 1  # one bit of the text
    with open(victim, "r+b") as f:
        f.write(data)
    with open(files[1], "r+b") as f:
        f.truncate(60)
    q = i.queue_dir
    for shard in "0f":
        for sub in ("new", "cur"):
            d = f"{q}/{shard}/{sub}"
            for name, text in (("hello", b"not a queue file\n"), ("0000000000000000", b"\0" * 5000), (".hidden", b""), ("x" * 200, b"x"), ("a b\nc", b"y")):
                with open(f"{d}/{name}", "wb") as f:
                    f.write(text)
                give(i, f"{d}/{name}")
            os.mkfifo(f"{d}/fifo")
            os.symlink("/etc/passwd", f"{d}/link")
            os.mkdir(f"{d}/dir")
            s = socket.socket(socket.AF_UNIX)
            cwd = os.getcwd()
            os.chdir(d)
            s.bind("sock")
            os.chdir(cwd)
            for n in ("fifo", "link", "dir", "sock"):
                give(i, f"{d}/{n}")
    # A name of the right form whose content is something else.
    name = os.path.basename(files[2])
    fake = f"{os.path.dirname(files[2])}/{'0' * 6}{name[6:]}"
    with open(fake, "w") as f:
        f.write("Return-Path: <x@y.example>\nDelivered-To: root@localhost\nReceived: forged\n\nx\n")
    give(i, fake)
    i.unblock()
    i.up()
    i.postern("queue", "flush")
    claim("it starts and serves", until(lambda: i.send(msg=message("fresh")).startswith("250")))
    claim("fresh mail is delivered", until(lambda: any(b"fresh" in content(f) for f in i.mails())))
    claim("what is whole is delivered", until(lambda: any(whole.encode() in content(f) for f in i.mails())), i.log()[-1500:])
    corrupt = until(lambda: os.listdir(f"{q}/corrupt") if len(os.listdir(f"{q}/corrupt")) >= 3 else None) or []
    claim("the damaged ones are in corrupt/", any(os.path.basename(files[1])[:16] in c for c in corrupt), corrupt)
    claim("a flipped bit is not delivered as if it were whole", not any(bytes(data[-40:]) in content(f) for f in i.mails()) or
          i.log_lines("corrupt"), "")
    claim("the log names them", len(i.log_lines(" corrupt ")) >= 3, i.log_lines(" corrupt "))
    claim("nothing was followed or deleted elsewhere", os.path.getsize("/etc/passwd") > 0)


def holder(i, text):
    """The queue file with this text in it; None also when it is being renamed just now."""
    try:
        return next((f for f in i.full_queue_files() if text in content(f)), None)
    except FileNotFoundError:
        return None


def torn_in_new(i):
    """What an interrupted smtpd leaves: incomplete files in new/ are wiped, complete ones without a note are delivered."""
    i.block()
    i.send(msg=message("adopt me", body="text\n" * 500))
    until(lambda: holder(i, b"adopt me"))
    i.down()
    path = holder(i, b"adopt me")
    data = content(path)
    qid = os.path.basename(path)[:16]
    shard = path.split("/")[-3]
    os.unlink(path)
    for name, text in ((qid, data), (qid[:11] + "00001", data[:512]), (qid[:11] + "00002", b"")):
        with open(f"{i.queue_dir}/{shard}/new/{name}", "wb") as f:
            f.write(text)
        give(i, f.name)
        os.chmod(f.name, 0o640)
    i.unblock()
    i.up()
    claim("a complete file without its note is delivered", until(lambda: any(b"adopt me" in content(f) for f in i.mails())), i.log()[-1500:])
    claim("torn and empty ones are gone", until(lambda: not os.path.exists(f"{i.queue_dir}/{shard}/new/{qid[:11]}00001") and
          not os.path.exists(f"{i.queue_dir}/{shard}/new/{qid[:11]}00002")), i.queue_files())


run(rubbish, torn_in_new)
