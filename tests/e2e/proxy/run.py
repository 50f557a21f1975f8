"""PROXY protocol and XCLIENT: who is believed when it says who its client is, and who is not."""
import socket
import struct
import subprocess
import time

from postern import Smtp, claim, content, message, run

V2 = b"\r\n\r\n\0\r\nQUIT\n"


def listener(i, name, row):
    port = Smtp.free_port()
    i.ports = {**getattr(i, "ports", {}), name: port}
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


def spoken_for(i, where, client, xclient):
    """A connection of that client through a proxy of ours, up to its greeting."""
    s = Smtp(where, greet=xclient)
    if xclient:
        s.greeting = s.cmd(f"XCLIENT ADDR={client}")
    else:
        s.send(f"PROXY TCP4 {client} 192.0.2.1 40000 25\r\n")
        s.greeting = s.reply()
    return s


def the_client_counts(i):
    """Limits, rules and names are those of whom the proxy speaks for; the proxy itself is nobody."""
    i.section("[rule far]\nclient = 198.51.100.0/24\naction = reject Not from there\n")
    for xclient, name in ((False, "balanced"), (True, "filtered")):
        where, how, net = (i.env["SMTP_HOST"], i.ports[name]), "XCLIENT" if xclient else "PROXY", 10 + xclient
        held = [spoken_for(i, where, f"192.0.{net}.1", xclient) for _ in range(4)]
        seen = [s.greeting[:3] for s in held]
        claim(f"{how}: three connections at once of one client, not four", seen == ["220"] * 3 + ["421"], seen)
        s = spoken_for(i, where, f"192.0.{net}.2", xclient)
        claim(f"{how}: another client has its own", s.greeting.startswith("220"), s.greeting)
        for s in held + [s]:
            s.close()
        claim(f"{how}: the log names the client", i.wait_log(f"too-many-connections .*client=192.0.{net}.1 "), i.log()[-500:])
        seen = []
        for _ in range(10):
            s = spoken_for(i, where, f"192.0.{net}.3", xclient)
            seen.append(s.greeting[:3])
            s.cmd("QUIT")
            s.close()
        claim(f"{how}: eight connections a minute of one client", seen == ["220"] * 8 + ["421"] * 2, seen)
        s = spoken_for(i, where, f"192.0.{net}.4", xclient)
        s.hello()
        seen = [s.cmd("MAIL FROM:<a@client.example>")[:3] + s.cmd("RSET")[:0] for _ in range(5)]
        claim(f"{how}: four messages a minute of one client", seen == ["250"] * 4 + ["450"], seen)
        reply = spoken_for(i, where, "198.51.100.7", xclient).greeting
        claim(f"{how}: a rule judges the client", reply == "554 Not from there", reply)
    for xclient, name in ((False, "balanced"), (True, "filtered")):
        text = delivered(i, spoken_for(i, (i.env["SMTP_HOST"], i.ports[name]), "192.0.2.81", xclient), "far")
        claim("the proxy's name is not the client's", b"([192.0.2.81])" in text, text[:600])
        s = spoken_for(i, (i.env["SMTP_HOST"], i.ports[name]), "192.0.2.82" if xclient else "127.0.0.1", xclient)
        if xclient:
            s.cmd("XCLIENT ADDR=127.0.0.1")
        text = delivered(i, s, "near")
        claim("the client's is looked up anew", b"(localhost [127.0.0.1])" in text, text[:600])


def early_through_a_proxy(i):
    where = (i.env["SMTP_HOST"], i.ports["balanced"])
    s = opened(where, b"PROXY TCP4 192.0.2.90 192.0.2.1 40000 25\r\nEHLO early.example\r\n")
    claim("a client that talks before the greeting is seen through the balancer", s.greeting.startswith("554 5.5.0"), s.greeting)
    claim("and named", i.wait_log("early-talker .*client=192.0.2.90"))
    start = time.monotonic()
    claim("one client's patience is not another's", spoken_for(i, where, "192.0.2.91", False).greeting.startswith("220") and
          spoken_for(i, where, "192.0.2.92", False).greeting.startswith("220") and time.monotonic() - start > 1.9)
    start = time.monotonic()
    s = spoken_for(i, (i.env["SMTP_HOST"], i.ports["filtered"]), "192.0.2.93", True)
    claim("a proxy that speaks SMTP need not wait", s.greeting.startswith("220") and time.monotonic() - start < 0.9, s.greeting)


run(by_proxy, by_xclient, the_client_counts, early_through_a_proxy,
    sets=("unlimited_networks = 10.0.0.0/8", "greet_delay = 1s", "connections_per_client_max = 3", "client_connection_rate = 8",
          "client_message_rate = 4", "reverse_dns = yes"))
