"""What arrives in a Maildir is byte for byte what the client sent, below our own header lines."""
import os
import random

from postern import claim, content, message, run

HEAD = b"From: a@client.example\nTo: b@mail.example\nDate: Mon, 23 Nov 2026 12:00:00 +0000\nMessage-ID: <bytes@client.example>\n\n"


def cases():
    rnd = random.Random(7)
    yield "empty body", HEAD
    yield "leading dots", HEAD + b".\n..\n...x\n.\n\n.y\n"
    yield "8-bit bytes", HEAD + bytes(b for b in range(1, 256) if b not in (10, 13)) * 20 + b"\n"
    yield "UTF-8", HEAD + "Grüße, 世界\n".encode() * 50
    yield "one line of 1 MiB", HEAD + b"x" * (1 << 20) + b"\n"
    yield "no header at all", b"\njust a body\n"
    yield "blank lines at the end", HEAD + b"text\n\n\n\n"
    yield "looks like our own lines", b"Return-Path: <forged@x.example>\nDelivered-To: z@z.example\nPostern-To: . local 1 z@z.example\nReceived: from x by y (Postern) with ESMTP id 0000000000000000 (s=0000000001 c=00000000 t=l); Mon, 23 Nov 2026 12:00:00 +0000\n" + HEAD + b"x\n"
    for size in (1, 4095, 65535, 65536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20):
        yield f"random text of {size} bytes", HEAD + bytes(rnd.choices(b"abc.d\n ", k=size)).rstrip(b"\n") + b"\n"
    for size in ((1 << 20) - 300, (1 << 20) + 300):
        yield f"near the streaming border, {size}", HEAD + b"y" * 70 + b"\n" + b"z" * size + b"\n"


def all_of_them(i):
    for name, msg in cases():
        before = set(i.mails())
        reply = i.send(msg=msg)
        if not claim(f"accepted: {name}", reply.startswith("250"), reply):
            continue
        new = set(i.wait_mails(len(before) + 1)) - before
        text = content(new.pop()) if new else b""
        claim(f"same bytes: {name}", text.endswith(msg) and text[: len(text) - len(msg)].count(b"\n\n") == 0,
              f"{len(text)} bytes for {len(msg)}: {text[:600]!r}")


def several_recipients_by_copy(i):
    before = set(i.mails(i.maildir2))
    msg = HEAD + b"copied " * 200000 + b"\n"
    reply = i.send([i.rcpt, i.rcpt2], msg)
    new = set(i.wait_mails(len(before) + 1, i.maildir2)) - before
    claim("same bytes by copy, over 1 MiB", reply.startswith("250") and new and content(new.pop()).endswith(msg), reply)


def chunks(i, name, wire, want, size, param=""):
    before = set(i.mails())
    s = i.smtp()
    s.hello()
    s.cmd(f"MAIL FROM:<a@client.example>{param}")
    s.cmd(f"RCPT TO:<{i.rcpt}>")
    for at in range(0, len(wire), size):
        part = wire[at:at + size]
        s.send(b"BDAT %d%s\r\n" % (len(part), b" LAST" if at + size >= len(wire) else b"") + part)
        reply = s.reply()
    new = set(i.wait_mails(len(before) + 1)) - before
    claim(f"same bytes in chunks: {name}", reply.startswith("250") and new and content(new.pop()).endswith(want), reply)


def by_bdat(i):
    """RFC 3030: no dots are doubled, no CRLF is needed at the end; below its header a BINARYMIME message is kept as it is."""
    text = HEAD + b".\n..\n" + b"many lines\n" * 200000 + b"no line end"
    chunks(i, "text", text.replace(b"\n", b"\r\n"), text, 100001)
    binary = bytes(range(256)) * 6000 + b"\r\n.\r\n"
    chunks(i, "binary", HEAD.replace(b"\n", b"\r\n") + binary, HEAD + binary, 262145, " BODY=BINARYMIME")


def no_final_newline(i):
    """DATA cannot carry a last line without its end: what ends the message is CRLF.CRLF, and the CRLF belongs to the line."""
    before = set(i.mails())
    s = i.smtp()
    s.hello()
    s.envelope(i.rcpt)
    s.cmd("DATA")
    s.send(HEAD.replace(b"\n", b"\r\n") + b"last line\r\n.\r\n")
    reply = s.reply()
    new = set(i.wait_mails(len(before) + 1)) - before
    claim("last line kept with one line end", reply.startswith("250") and new and content(new.pop()).endswith(b"\n\nlast line\n"), reply)


def fifty_megabytes(i):
    i.restart("message_max_size = 60M")
    before = set(i.mails())
    line = os.urandom(57).hex().encode() + b"\n"
    msg = HEAD + line * ((50 << 20) // len(line))
    reply = i.send(msg=msg)
    new = set(i.wait_mails(len(before) + 1)) - before
    claim("50 MB arrive unchanged", reply.startswith("250") and new and content(new.pop()).endswith(msg), reply)
    sizes = []
    for p in i.pids("smtpd"):
        with open(f"/proc/{p}/status") as f:
            sizes += [int(x.split()[1]) for x in f if x.startswith("VmRSS")]
    claim("smtpd did not grow with it", "ASAN_OPTIONS" in os.environ or max(sizes) < 24000, sizes)


run(all_of_them, several_recipients_by_copy, by_bdat, no_final_newline, fifty_megabytes)
