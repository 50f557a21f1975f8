"""SRS: what an alias sends on to another host leaves with a sender of ours, and reports find their way back. And nothing else does."""
import os
import re
import time

from postern import claim, content, message, run, until
from sink import Sink

DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
there = Sink("127.0.6.1", answer=lambda s, v, line: "550 5.1.1 nobody" if v == "RCPT" and "<gone@" in line else None)
home = Sink("127.0.6.2")


def siphash(key, data):
    mask = (1 << 64) - 1
    rot = lambda x, n: ((x << n) | (x >> (64 - n))) & mask
    k0, k1 = key
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask
            v[1] = rot(v[1], 13) ^ v[0]
            v[0] = rot(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = rot(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = rot(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = rot(v[1], 17) ^ v[2]
            v[2] = rot(v[2], 32)
    data += bytes(-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for at in range(0, len(data), 8):
        m = int.from_bytes(data[at:at + 8], "little")
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xff
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def key_of(i):
    line = content(f"{i.dir}/state/srs-key").decode().split()[0]
    return int(line[:16], 16), int(line[16:], 16)


def made(i, address, days_ago=0):
    """A rewritten sender, as whoever has the key makes it."""
    local, domain = address.split("@")
    day = (int(time.time()) // 86400 - days_ago) % 1024
    rest = f"{DIGITS[day // 32]}{DIGITS[day % 32]}={domain}={local}"
    h = siphash(key_of(i), rest.lower().encode())
    return f"SRS0={''.join(DIGITS[h >> 5 * n & 31] for n in range(8))}={rest}@{i.domain}"


def last(i, n=12):
    return "\n".join(i.log().splitlines()[-n:])


def prepare(i):
    with open(f"{i.dir}/aliases", "a", encoding="utf-8") as f:
        f.write("away: x@there.example\nlost: gone@there.example\nsplit: x@there.example, " + i.env["RCPT"] + "\n")
    i.section(f"\n[relay there]\ndomains = there.example, first.example\nhost = 127.0.6.1:{there.port}\n"
              f"[relay home]\ndomains = home.example\nhost = 127.0.6.2:{home.port}\n")
    key = f"{i.dir}/state/srs-key"
    claim("master made a key that nobody else may read", re.fullmatch(rb"[0-9a-f]{32}\n", content(key)) and os.stat(key).st_mode & 0o777 == 0o600)


def sent_on(i, to, sender):
    before = len(there.messages)
    reply = i.send(f"{to}@{i.domain}", sender=sender)
    claim(f"<{sender}> to {to}: accepted", reply.startswith("250"), reply)
    until(lambda: len(there.messages) > before)
    claim("it arrives there", len(there.messages) == before + 1, last(i))
    return there.messages[-1].sender


def rewritten(i):
    i.srs = sent_on(i, "away", "al@home.example")
    claim("with a sender of ours, as the key makes it", i.srs == made(i, "al@home.example"), i.srs)
    sender = sent_on(i, "split", "al@home.example")
    claim("a copy that stays here keeps its sender", sender == i.srs and until(
        lambda: any(b"Return-Path: <al@home.example>" in content(f) for f in i.mails())), last(i))
    for own in (i.rcpt2, ""):
        claim(f"<{own}> stays as it is", sent_on(i, "away", own) == own, there.messages[-1].sender)
    before = len(there.messages)
    s = i.sendmail("-f", "al@home.example", f"away@{i.domain}", "y@there.example", data=message("to both"))
    got = there.wait(before + 2)[before:]
    claim("in one message: sent on with ours, sent there by its writer with his own", s.returncode == 0 and
          {m.rcpts[0]: m.sender for m in got} == {"x@there.example": i.srs, "y@there.example": "al@home.example"},
          [(m.rcpts, m.sender) for m in got])


def back(i):
    for n, to in enumerate((i.srs, i.srs.lower())):
        reply = i.send(to, sender="", msg=message("a report"))
        got = home.wait(n + 1)
        claim("a report comes back to us and goes home, with the null sender", reply.startswith("250") and len(got) == n + 1 and
              (got[-1].sender, got[-1].rcpts) == ("", ["al@home.example"]), (reply, last(i)))
    reply = i.send(f"lost@{i.domain}", sender="al@home.example")
    got = home.wait(3)
    claim("what that host refuses is told to its sender", len(got) == 3 and got[-1].rcpts == ["al@home.example"] and b"gone@there.example" in got[-1].data, last(i))
    claim("with the host's words and name", b"Remote-MTA: dns; [127.0.6.1]\r\n" in got[-1].data, got[-1].data)
    claim("and they are its diagnostic", b"Diagnostic-Code: smtp; 550 5.1.1 nobody" in got[-1].data, got[-1].data)


def refused(i):
    good = made(i, "al@home.example")
    mac = good.split("=")[1]
    forged = good.replace(mac, mac[:-1] + ("a" if mac[-1] != "a" else "b"))
    cases = [("a made-up one", "SRS0=abcdefgh=aa=home.example=al", "550 5.1.1"), ("one with another address in it", good.replace("=al@", "=victim@"), "550 5.1.1"),
             ("one with a digit changed", forged, "550 5.1.1"), ("one of 22 days ago", made(i, "al@home.example", 22), "550 5.1.1"),
             ("half of one", "SRS0=" + mac, "550 5.1.1"), ("a chain that we did not make", "SRS1=abcdefgh=home.example==aa=bb=x=y", "550 5.1.1")]
    for what, to, want in cases:
        reply = i.send(to if "@" in to else f"{to}@{i.domain}", sender="")
        claim(f"{what} is refused", reply.startswith(want), reply)
    reply = i.send(made(i, "al@home.example", 21), sender="")
    claim("one of 21 days ago is taken", reply.startswith("250"), reply)
    for sender in ("spam@there.example", i.rcpt):
        reply = i.send(good, sender=sender)
        claim(f"mail of <{sender}> that is no report is refused: no relay for who saw an address", reply.startswith("550 5.7.1"), reply)
    reply = i.send(good.replace(f"@{i.domain}", "@home.example"), sender="")
    claim("at another domain it is an address like any other there", reply.startswith("550 5.7.1"), reply)


def chain(i):
    first = "SRS0=9fWB=5P=org.example=al@first.example"
    sender = sent_on(i, "away", first)
    claim("what another host rewrote becomes SRS1, no longer than that", re.fullmatch(rf"SRS1=[a-z2-7]{{8}}=first\.example==9fWB=5P=org\.example=al@{re.escape(i.domain)}", sender), sender)
    before = len(there.messages)
    reply = i.send(sender, sender="")
    got = there.wait(before + 1)
    claim("a report to it goes to that host", reply.startswith("250") and len(got) == before + 1 and got[-1].rcpts == [first], (reply, last(i)))


def keys(i):
    old, path = made(i, "al@home.example"), f"{i.dir}/state/srs-key"
    text = content(path)
    os.chmod(path, 0o644)
    claim("postern check sees a key that others can read", "srs-key" in i.postern("check", check=False).stdout)
    os.chmod(path, 0o600)
    i.postern("srs", "rotate")
    claim("a new key is put before the old, for root alone", content(path).split()[1] == text.strip() and os.stat(path).st_mode & 0o777 == 0o600, content(path))
    ended = len(i.log_lines(r"queue-mgr\[\d+\] - stopped"))
    i.postern("reload")
    until(lambda: len(i.log_lines(r"queue-mgr\[\d+\] - stopped")) > ended)  # the old one may still send with the old key
    new = made(i, "al@home.example")
    reply = i.send(old, sender="")
    claim("after a new key is put before the old, that is still believed", new != old and reply.startswith("250"), reply)
    claim("and the new one signs", sent_on(i, "away", "al@home.example") == new, there.messages[-1].sender)
    with open(f"{i.dir}/settings", "r+", encoding="utf-8") as f:
        rest = f.read()
        f.seek(0)
        f.write("srs = no\n" + rest)
    i.restart()
    claim("without srs senders stay", sent_on(i, "away", "al@home.example") == "al@home.example", there.messages[-1].sender)
    reply = i.send(new, sender="")
    claim("and what was sent before still has its way back", reply.startswith("250"), reply)


run(prepare, rewritten, back, refused, chain, keys, sets=["retry_min = 1s", "retry_max = 1s"])
