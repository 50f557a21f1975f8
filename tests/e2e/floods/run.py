"""Clients that want too much: too often, too slowly, too early, too many. The others do not notice."""
import os
import selectors
import socket
import ssl
import time

from postern import claim, message, run, until

CROWD = 500


def client(i, source, greet=True, timeout=15):
    s = socket.create_connection(("127.0.0.1", int(i.env["SMTP_PORT"])), timeout, (source, 0))
    if greet:
        s.recv(1000)
    return s


def say(s, line):
    s.sendall(line.encode() + b"\r\n")
    return s.recv(2000).decode()


def early(i):
    i.restart("unlimited_networks = 192.0.2.1", "greet_delay = 1s")
    s = client(i, "127.0.7.1", greet=False)
    s.sendall(b"EHLO spam.example\r\nMAIL FROM:<a@spam.example>\r\n")
    reply = s.recv(2000).decode()
    claim("who talks before the greeting: 554", reply.startswith("554 5.5.0"), reply)
    claim("and the end", s.recv(100) == b"")
    claim("the log names it", i.wait_log("early-talker .*client=127.0.7.1"))
    t = time.monotonic()
    s = client(i, "127.0.7.2")
    claim("who waits is greeted after greet_delay", 0.9 < time.monotonic() - t < 5)
    claim("and served", say(s, "EHLO x.example").startswith("250"))
    s.close()
    t = time.monotonic()
    client(i, "127.0.7.2").close()
    claim("and at once the next time", time.monotonic() - t < 0.9)


def rates(i):
    i.restart("unlimited_networks = 192.0.2.1", "greet_delay = 0s", "client_connection_rate = 20", "client_message_rate = 5",
              "client_recipient_rate = 8", "client_error_rate = 6", "network_rate_factor = 3", "connections_per_network_max = 6")
    s = client(i, "127.0.8.1")
    say(s, "EHLO x.example")
    replies = []
    for _ in range(6):
        replies.append(say(s, "MAIL FROM:<a@x.example>"))
        say(s, "RSET")
    claim("five messages a minute, not six", [r[:3] for r in replies] == ["250"] * 5 + ["450"], replies)
    claim("the reply says when to come again", "4.7.1" in replies[5] and "minute" in replies[5], replies[5])
    claim("the log says so once", i.wait_log("limit .*what=messages of=client"))
    s.close()
    s = client(i, "127.0.8.2")
    say(s, "EHLO x.example")
    say(s, "MAIL FROM:<a@x.example>")
    replies = [say(s, f"RCPT TO:<{i.env['RCPT']}+{k}@{i.domain}>")[:3] for k in range(9)]
    claim("eight recipients a minute, not nine", replies == ["250"] * 8 + ["450"], replies)
    s.close()
    seen = 0
    for _ in range(25):
        s = client(i, "127.0.8.3", greet=False)
        seen += s.recv(1000).startswith(b"220")
        s.close()
    claim("20 connections a minute are counted over all processes", seen == 20, seen)
    s = client(i, "127.0.8.4")
    replies = [say(s, "BOGUS") for _ in range(7)]
    claim("errors are bounded per client: 421", "421 4.7.0" in replies[6], replies)
    s = client(i, "127.0.8.4")
    claim("on the next connection too", say(s, "BOGUS").startswith(("421", "500")) and not s.recv(100).startswith(b"2"))
    tls_rate(i)
    held = [client(i, f"127.0.9.{k}") for k in range(1, 7)]
    s = client(i, "127.0.9.9", greet=False)
    claim("six connections at once from one network, not seven", s.recv(1000).startswith(b"421 4.7.0"))
    for h in held:
        h.close()


def shakes_hands(i, name, source):
    """How a handshake from there ends: True, or what the server said or did instead."""
    where = (i.env["SMTP_HOST"], int(i.env[f"{name}_PORT"]))
    with socket.create_connection(where, 15, (source, 0)) as s:
        if name == "SMTP":
            s.recv(1000)
            say(s, "EHLO x.example")
            reply = say(s, "STARTTLS")
            if not reply.startswith("220"):
                return reply
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            context.wrap_socket(s)
            return True
        except OSError as e:
            return type(e).__name__


def tls_rate(i):
    i.restart("client_tls_rate = 4")
    seen = [shakes_hands(i, "SMTP", "127.0.8.11") for _ in range(5)]
    claim("four TLS sessions a minute, not five: 454", seen[:4] == [True] * 4 and str(seen[4]).startswith("454 4.7.0"), seen)
    claim("implicit TLS is counted with them, and closed before the handshake", shakes_hands(i, "SMTPS", "127.0.8.11") is not True)
    claim("the log names the limit", i.wait_log("limit .*what=tls of=client"))
    seen = [shakes_hands(i, "SMTPS", "127.0.8.12") for _ in range(5)]
    claim("it has the same limit", seen[:4] == [True] * 4 and seen[4] is not True, seen)
    claim("which is logged as the end", i.wait_log("disconnected .*client=127.0.8.12 .*end=too-many-connections"), i.log()[-400:])
    claim("others are served", shakes_hands(i, "SMTPS", "127.0.12.1") is True)


def slow(i):
    i.restart("unlimited_networks = 192.0.2.1", "greet_delay = 0s", "command_timeout = 3s", "data_timeout = 3s")
    s = client(i, "127.0.10.1")
    t = time.monotonic()
    s.settimeout(0.5)
    reply = b""
    while time.monotonic() - t < 12 and not reply:
        try:
            s.sendall(b"N")
            reply = s.recv(1000)
        except TimeoutError:
            continue
    claim("a byte now and then does not keep a command open", reply.startswith(b"421 4.4.2") and time.monotonic() - t < 6, reply)
    s = client(i, "127.0.10.2")
    for line in ("EHLO x.example", "MAIL FROM:<a@x.example>", f"RCPT TO:<{i.env['RCPT']}@{i.domain}>", "DATA"):
        say(s, line)
    t = time.monotonic()
    s.settimeout(0.5)
    reply = b""
    while time.monotonic() - t < 15 and not reply:
        try:
            s.sendall(b"x")
            reply = s.recv(1000)
        except TimeoutError:
            continue
    claim("nor a message", reply.startswith(b"421 4.4.2") and time.monotonic() - t < 8, reply)
    claim("of which nothing stays", i.wait_queue_empty(), i.full_queue_files())


def deaf(i):
    """Clients that ask and ask and read no answer hold every process, in the middle of a reply."""
    i.restart("smtpd_workers_max = 4", "command_timeout = 60s", "data_timeout = 60s", "greet_delay = 0s", "unlimited_networks = 192.0.2.1",
              "client_message_rate = 0", "client_recipient_rate = 0", "connections_per_network_max = 0")
    ask = "EHLO x.example\r\n" + "HELP\r\n" * 90 + f"MAIL FROM:<a@x.example>\r\nRCPT TO:<{i.rcpt}>\r\nDATA\r\n\r\nx\r\n.\r\n"
    held = []
    for k in range(4):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.bind((f"127.0.{20 + k}.1", 0))
        s.connect(i.where)
        s.settimeout(1)
        s.recv(300)
        try:
            s.sendall(ask.encode() * 200)
        except TimeoutError:
            pass
        held.append(s)
    time.sleep(2)
    t = time.monotonic()
    s = client(i, "127.0.30.1", greet=False, timeout=30)
    try:
        greeting = s.recv(1000)
    except TimeoutError:
        greeting = b""
    took = time.monotonic() - t
    claim("who reads no answers has to make room too", greeting.startswith(b"220") and took < 5, (greeting, took))
    claim("as the log says", i.wait_log("disconnected .*client=127.0.2[0-3].1 .*end=turned-out"), i.log()[-600:])
    for h in held + [s]:
        h.close()


class Crowd:
    """Clients that do nothing, or as little as they can."""

    def __init__(self, i, n, words):
        self.port, self.words, self.sel = int(i.env["SMTP_PORT"]), words, selectors.DefaultSelector()
        for k in range(n):
            s = socket.socket()
            s.setblocking(False)
            s.bind((f"127.{20 + len(words)}.{k % 250}.{1 + k // 250}", 0))
            s.connect_ex(("127.0.0.1", self.port))
            self.sel.register(s, selectors.EVENT_READ)
        self.turned_out = 0

    def tick(self):
        for key, _ in self.sel.select(0):
            try:
                data = key.fileobj.recv(2000)
            except OSError:
                data = b""
            if not data:
                self.turned_out += 1
                self.sel.unregister(key.fileobj)
                key.fileobj.close()
        for key in list(self.sel.get_map().values()) if self.words else []:
            try:
                key.fileobj.send(self.words[:1])
            except OSError:
                pass

    def close(self):
        for key in list(self.sel.get_map().values()):
            key.fileobj.close()
        self.sel.close()


def crowds(i):
    """The real client comes from an address that nobody knows, while a thousand others hold on."""
    secs = int(os.environ.get("POSTERN_FLOOD", "10"))
    i.restart("unlimited_networks = 127.0.0.0/8", "command_timeout = 60s", "connections_per_network_max = 0", "client_error_rate = 0")
    idle, crawling = Crowd(i, CROWD, b""), Crowd(i, CROWD, b"N")
    worst, sent, end = 0, 0, time.monotonic() + secs
    before = len(i.mails())
    while time.monotonic() < end:
        idle.tick()
        crawling.tick()
        t = time.monotonic()
        reply = i.send()
        worst = max(worst, time.monotonic() - t)
        sent += reply.startswith("250")
        if not reply.startswith("250"):
            claim("a real message is taken", False, reply)
        time.sleep(0.3)
    claim("every message got through while 1,000 clients hold on", sent > secs, sent)
    claim(f"each in under a second: {sent} messages, {worst * 1000:.0f} ms at worst", worst < 1)
    claim("all are delivered", i.wait_mails(before + sent))
    claim("those who did nothing had to go", idle.turned_out + crawling.turned_out > 0)
    claim("the log says that all were busy", i.wait_log("pool-full"))
    idle.close()
    crawling.close()


run(early, rates, slow, crowds, deaf)
