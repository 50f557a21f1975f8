"""What a taken-over smtpd or a careless trainer could send to spamcheck, over its own sockets."""
import array
import fcntl
import os
import socket
import struct

from postern import claim, message, run, until

F_ADD_SEALS, ALL_SEALS = 1033, 0xF
ACCEPT, TEMPFAIL = 0, 3
CHECK, LEARN, DONE = 0x30, 0x32, 0x33
SCORE_ZERO = 1000000


def u64(*values):
    return b"".join(struct.pack("<Q", v) for v in values)


def text(s):
    return struct.pack("<I", len(s)) + s.encode()


def memfd(data, sealed):
    fd = os.memfd_create("message", os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    if sealed:
        fcntl.fcntl(fd, F_ADD_SEALS, ALL_SEALS)
    return fd


def connect(i, endpoint):
    c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    c.settimeout(30)
    c.connect(f"{i.dir}/sock/{endpoint}")
    return c


def send(c, kind, fields, *fds):
    c.sendmsg([struct.pack("<HH", kind, 1) + fields], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])


def check(i, fd, size, streamed=0):
    """(verdict, score in hundredths), or None when the channel was closed."""
    c = connect(i, "spamcheck.smtpd")
    names = "s1", "1lg9c3tc42kgg45i", "192.0.2.1", "helo.example", "a@example.org", "b@example.net"
    send(c, CHECK, b"".join(text(n) for n in names) + u64(1, ord("s"), 0, streamed, 0, size), fd)
    os.close(fd)
    answer = c.recv(65536)
    c.close()
    if not answer:
        return None
    verdict, score = struct.unpack("<QQ", answer[4:20])
    return verdict, score - SCORE_ZERO


def learn(c, msg, spam):
    """(ok, learnt, skipped, all spam, all ham), or None."""
    fd = memfd(msg.encode(), False)
    send(c, LEARN, u64(spam, 0, 0, len(msg)), fd)
    os.close(fd)
    return counts(c)


def done(c, commit=1):
    send(c, DONE, u64(commit))
    return counts(c)


def counts(c):
    answer = c.recv(65536)
    return struct.unpack("<5Q", answer[4:44]) if answer else None


def requests(i):
    msg = message("clean").replace("\r\n", "\n").encode()
    good = check(i, memfd(msg, True), len(msg))
    claim("a sealed memfd is checked", good and good[0] == ACCEPT, good)
    claim("one that can still change is not", check(i, memfd(msg, False), len(msg)) == (TEMPFAIL, 0))
    claim("nor one that is shorter than said", check(i, memfd(msg, True), len(msg) + 1) == (TEMPFAIL, 0))
    claim("nor a memfd that smtpd would have put into a file", check(i, memfd(msg, True), 64 << 20) == (TEMPFAIL, 0))
    claim("with the reason", i.wait_log(r"check-failed .*a memfd of 67108864 bytes"))
    claim("an empty message has a score", (check(i, memfd(b"", True), 0) or (9,))[0] == ACCEPT)
    r, w = os.pipe()
    claim("a pipe is refused at once", check(i, r, 10, streamed=1) == (TEMPFAIL, 0))
    os.close(w)
    claim("all that is in the log", i.wait_log(r"spamcheck.* check-failed ", n=4))
    for junk in (b"", b"\x30", b"\x30\0\1\0", b"\xff" * 5000, struct.pack("<HH", LEARN, 1) + u64(1, 0, 0, 9)):
        c = connect(i, "spamcheck.smtpd")
        c.send(junk)
        claim(f"{junk[:6]!r} closes the channel", c.recv(10) == b"")
        c.close()
    claim("and the next message is checked", check(i, memfd(msg, True), len(msg)) == good)


def trainings(i):
    a = connect(i, "spamcheck.learn")
    for k in range(60):
        learn(a, message(f"cheap {k}", body="casino lottery winner viagra\n"), 1)
    b = connect(i, "spamcheck.learn")
    refused = learn(b, message("b", body="b\n"), 1)
    claim("a second training at the same time is refused", refused and refused[0] == 0, refused)
    b.close()
    claim("the first one goes on", done(a) == (1, 60, 0, 60, 0))
    a.close()
    a = connect(i, "spamcheck.learn")
    learn(a, message("dropped", body="never\n"), 1)
    a.close()
    claim("one that breaks off is logged", i.wait_log(r"spamcheck.* training-dropped "))

    def again():
        c = connect(i, "spamcheck.learn")
        for k in range(60):
            learn(c, message(f"agenda {k}", body="meeting schedule review patch\n"), 0)
        result = done(c)
        c.close()
        return result

    claim("and counts for nothing", again() == (1, 60, 0, 60, 60))


def damage(i):
    msg = message("prize", body="casino lottery winner viagra\n").encode()
    trained = check(i, memfd(msg, True), len(msg))
    claim("what was learnt is used", trained and trained[1] >= 600, trained)
    with open(f"{i.dir}/state/spam/bayes.db", "r+b") as f:
        f.write(b"not a database any more")
    c = connect(i, "spamcheck.learn")
    answer = learn(c, message("x", body="x\n"), 1)
    c.close()
    claim("a damaged database is reported", answer and answer[0] == 0 and i.wait_log(r"training-failed .*train anew"), answer)
    claim("the classifier still has its table", check(i, memfd(msg, True), len(msg)) == trained)
    path = f"{i.dir}/state/spam/bayes.tab"
    with open(path, "rb") as f:
        table = f.read()
    with open(path + ".x", "wb") as f:
        f.write(table[:100] + b"junk" + table[104:])
    os.chmod(path + ".x", 0o644)
    os.rename(path + ".x", path)
    off = check(i, memfd(msg, True), len(msg))
    claim("a damaged table: mail is checked without the classifier", off and off[0] == ACCEPT and off[1] < 600, off)
    claim("which is logged", i.wait_log(r" bayes-off "))
    os.unlink(f"{i.dir}/state/spam/bayes.db")
    claim("after moving the database away training works", until(lambda: trained_anew(i)))


def trained_anew(i):
    c = connect(i, "spamcheck.learn")
    learn(c, message("x", body="x\n"), 1)
    result = done(c)
    c.close()
    return result == (1, 1, 0, 1, 0)


run(requests, trainings, damage)
