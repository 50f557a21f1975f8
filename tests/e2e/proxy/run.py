"""PROXY protocol and XCLIENT: who is believed when it says who its client is, and who is not."""
import socket
import struct
import subprocess
import time

from postern import Smtp, claim, content, message, run

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def listener(i, name, row):
    port = Smtp.free_port()
    i.section(f"[listener {name}]\naddress = 127.0.0.1:{port}\n{row}\n")
    return "127.0.0.1", port


def opened(where, header):
    s = Smtp(where, greet=False)
    s.send(header)
    s.greeting = s.reply()
    return s


def delivered(i, s, name):
    before = len(i.mails())
    s.hello()
    s.envelope(i.rcpt)
    reply = s.data(message(name))
    s.cmd("QUIT")
    mails = i.wait_mails(before + 1)
    return content(mails[-1]) if reply.startswith("250") and len(mails) > before else reply.encode()


def swaks(i, where, *more):
    """What a client that others wrote makes of it: the message that it delivered."""
    before = len(i.mails())
    r = subprocess.run(["swaks", "--server", where[0], "--port", str(where[1]), "--from", "c@client.example", "--to", i.rcpt, *more],
                       capture_output=True, text=True, timeout=30)
    mails = i.wait_mails(before + 1, secs=5)
    return content(mails[-1]) if len(mails) > before else (r.stdout + r.stderr).encode()


def by_proxy(i):
    where = listener(i, "balanced", "proxy = 127.0.0.1")
    text = delivered(i, opened(where, b"PROXY TCP4 192.0.2.77 192.0.2.1 40000 25\r\n"), "v1")
    claim("version 1: the client is whom the balancer named", b"[192.0.2.77])" in text, text[:600])
    six = socket.inet_pton(socket.AF_INET6, "2001:db8::77") * 2 + struct.pack("!HH", 40000, 25)
    text = delivered(i, opened(where, V2 + b"\x21\x21" + struct.pack("!H", len(six) + 5) + six + b"\x04\0\x02ab"), "v2")
    claim("version 2: IPv6, with an addition", b"[IPv6:2001:db8::77])" in text, text[:600])
    s = opened(where, V2 + b"\x20\0\0\0")
    claim("LOCAL is a balancer's own look", s.greeting.startswith("220"), s.greeting)
    for what, header in (("no header", b"EHLO client.example\r\n"), ("a broken one", b"PROXY TCP4 192.0.2.77 25\r\n"),
                         ("one that is too long", V2 + b"\x21\x11\xff\xff" + b"x" * 2000)):
        claim(f"{what} ends the connection without a word", opened(where, header).greeting in ("", "<ConnectionResetError>"))
    start = time.monotonic()
    s = Smtp(where, greet=False)
    s.send(b"PROXY ")
    claim("half a header has a deadline", s.reply() == "" and time.monotonic() - start < 10)
    claim("the log names the balancer", i.wait_log(r" proxy-refused .*client=127.0.0.1", 4), i.log()[-600:])
    for version in ("1", "2"):
        text = swaks(i, where, "--proxy-version", version, "--proxy-family", "TCP4" if version == "1" else "AF_INET",
                     "--proxy-source", "192.0.2.79", "--proxy-source-port", "40000", "--proxy-dest", "192.0.2.1", "--proxy-dest-port", "25",
                     *([] if version == "1" else ["--proxy-protocol", "STREAM"]))
        claim(f"swaks: version {version}", b"[192.0.2.79])" in text, text[-1500:])
    s = i.smtp()
    claim("where none is listed the header is refused", s.cmd("PROXY TCP4 192.0.2.77 192.0.2.1 40000 25").startswith("421 4.7.0"))


def by_xclient(i):
    s = i.smtp()
    claim("not listed: not offered, not taken", "XCLIENT" not in s.hello() and s.cmd("XCLIENT ADDR=192.0.2.78").startswith("550 5.7.0"))
    where = listener(i, "filtered", "xclient = 127.0.0.1")
    s = Smtp(where)
    claim("listed: offered", "XCLIENT NAME ADDR" in s.hello())
    claim("a new greeting", s.cmd("XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.78 PORT=40000").startswith("220 "))
    text = delivered(i, s, "xclient")
    claim("the client is whom XCLIENT named", b"[192.0.2.78])" in text, text[:600])
    text = swaks(i, where, "--xclient-addr", "192.0.2.80", "--xclient-name", "c.example", "--xclient-helo", "helo.example")
    claim("swaks: XCLIENT", b"[192.0.2.80])" in text, text[-1500:])
    claim("the log has both", i.wait_log(r" xclient .*by=127.0.0.1 client=192.0.2.78"))


run(by_proxy, by_xclient)
