"""Sizes, counts, errors and times: each bound is answered with a clear code, and the next client is served."""
import os
import time
from concurrent.futures import ThreadPoolExecutor

from postern import Smtp, claim, content, message, run, until


def sizes(i):
    big = message(body="x" * 76 + "\n") + ("y" * 76 + "\n") * (11 * 1024 * 1024 // 77)
    reply = i.send(msg=big)
    claim("too large: 552 5.3.4 after the whole message", reply.startswith("552 5.3.4"), reply)
    claim("nothing of it stays in the queue", i.wait_queue_empty(), i.full_queue_files())
    s = i.smtp()
    reply = s.cmd("NOOP " + "x" * 5000)
    claim("an over-long command line: 500 5.5.2", reply.startswith("500 5.5"), reply)
    claim("and the session stays in step", s.hello().startswith("250"))
    s.send(b"x" * 300000)
    s.send(b"\r\nNOOP\r\n")
    claim("300 kB without a line end: one refusal", s.reply().startswith("500 5.5"))
    claim("and in step again", s.reply().startswith("250"))
    s.close()


def counts(i):
    s = i.smtp()
    s.hello()
    s.cmd("MAIL FROM:<a@client.example>")
    replies = [s.cmd(f"RCPT TO:<{i.env['RCPT']}+{k}@{i.domain}>") for k in range(1001)]
    claim("1,000 recipients are taken", all(r.startswith("250") for r in replies[:1000]), replies[999])
    claim("the next one: 452 4.5.3", replies[1000].startswith("452 4.5.3"), replies[1000])
    s.close()
    loop = "".join(f"Received: from a by b; Mon, 23 Nov 2026 12:00:{k % 60:02d} +0000\n" for k in range(51))
    reply = i.send(msg=loop + message())
    claim("more than 50 Received lines: 554 5.4.6", reply.startswith("554 5.4.6"), reply)
    reply = i.send(msg=loop[: loop.rfind("Received")] + message())
    claim("50 are taken", reply.startswith("250"), reply)
    claim("an ordinary message arrives", i.send(msg=message(subject="once")).startswith("250") and i.wait_queue_empty())
    again = next(m for m in map(content, i.mails()) if b"Subject: once" in m)
    reply = i.send(msg=again)
    claim("what was delivered here goes not to the same mailbox again: 554 5.4.6", reply.startswith("554 5.4.6") and i.rcpt in reply, reply)
    out = i.sendmail(i.rcpt, data=again.decode())
    claim("nor by sendmail", out.returncode != 0 and "5.4.6" in out.stderr, (out.returncode, out.stderr))
    claim("but to another", i.send(i.rcpt2, msg=again).startswith("250"))
    reply = i.send(msg=message(body="a\0b\n"))
    claim("a NUL in a message is refused", reply.startswith("55"), reply)


def errors(i):
    s = i.smtp(timeout=60)
    replies = [s.cmd("BOGUS") for _ in range(5)]
    t = time.monotonic()
    replies.append(s.cmd("BOGUS"))
    claim("after 5 errors the answers are slow", time.monotonic() - t >= 0.9, time.monotonic() - t)
    s.close()
    i.restart("error_delay = 0s", "errors_max = 8")
    s = i.smtp()
    for _ in range(9):
        last = s.cmd("BOGUS")
        if last.startswith("421"):
            break
    claim("too many errors: 421 4.7.0 and the end", last.startswith("421 4.7.0") and s.line() == "", last)


def times(i):
    s = i.smtp()
    t = time.monotonic()
    reply = s.reply()
    took = time.monotonic() - t
    claim("an idle client: 421 4.4.2 after command_timeout", reply.startswith("421 4.4.2") and 4 < took < 8, (reply, took))
    s = i.smtp()
    s.hello()
    s.envelope(i.rcpt)
    s.cmd("DATA")
    s.send(b"Subject: half\r\n\r\nand then")
    reply = s.reply()
    claim("silence within a message: 421 4.4.2", reply.startswith("421 4.4.2"), reply)
    claim("nothing of it was kept", i.wait_queue_empty() and not any("half" in open(f).read() for f in i.mails()))


def talk_on(s, words):
    """Says the same over and over, never pausing; how long that went, and what the server said last."""
    start, said = time.monotonic(), b""
    s.sock.settimeout(0.05)
    while time.monotonic() - start < 15:
        try:
            s.sock.sendall(words)
            more = s.sock.recv(1 << 20)
            said = said[-200:] + more
            if not more:
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - start, said


NEVER_PAUSING = (
    ("commands", False, [], b"NOOP\r\n" * 50), ("commands under TLS", True, [], b"NOOP\r\n" * 50),
    ("a line without end", False, [], b"N" * 5000),
    ("a message", False, ["MAIL FROM:<a@client.example>", "RCPT TO:<{rcpt}>", "DATA"], b"x\r\n" * 5),
    ("a chunk", False, ["MAIL FROM:<a@client.example>", "RCPT TO:<{rcpt}>"], b"BDAT 1\r\nx" * 5))


def ended(i, what, tls, before, words):
    s = i.smtp()
    s.hello()
    if tls:
        s.starttls()
        s.hello()
    for line in before:
        s.cmd(line.format(rcpt=i.rcpt))
    took, said = talk_on(s, words)
    s.close()
    return what, took, said


def never_pausing(i):
    """session_timeout is the end also of one who never makes us wait."""
    i.restart("command_timeout = 4s", "data_timeout = 4s", "session_timeout = 4s", "trusted_networks = 127.0.0.1")
    with ThreadPoolExecutor() as pool:
        for what, took, said in pool.map(lambda case: ended(i, *case), NEVER_PAUSING):
            claim(f"{what}: session_timeout ends it", 3 < took < 7, (took, said))
    claim("with a 421", i.wait_log("disconnected .*end=timeout", 5), i.log()[-900:])
    i.restart("session_timeout = 4h", "command_timeout = 2s", "trusted_networks =")
    s = i.smtp()
    took, said = talk_on(s, b"N" * 5000)
    claim("a line without end is no command: command_timeout ends it", took < 5 and b"421 4.4.2" in said, (took, said))
    i.restart("command_timeout = 5s", "data_timeout = 5s")


def connections(i):
    i.restart("connections_per_client_max = 3")
    held = [i.smtp() for _ in range(3)]
    s = i.smtp()
    claim("one connection too many of one client: 421 4.7.0", s.greeting.startswith("421 4.7.0"), s.greeting)
    for c in held:
        c.close()
    claim("when they are gone the next one is served", until(lambda: i.smtp().greeting.startswith("220"), 5))


def connections_of_a_user(i):
    """In a child: as root it becomes an ordinary user, since root is not counted."""
    r, w = os.pipe()
    if os.fork() == 0:
        text = ""
        try:
            if os.getuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            local = [Smtp(i.dir + "/sock/smtpd.submit", timeout=10) for _ in range(4)]
            text = " ".join(s.greeting[:3] for s in local) + " " + i.smtp().greeting[:3]
        finally:
            os.write(w, text.encode())
            os._exit(0)
    os.close(w)
    with os.fdopen(r) as f:
        text = f.read()
    os.wait()
    claim("one user's connections to the submission socket are limited too, others get in", text == "220 220 220 421 220", text)


def soft_bounce(i):
    i.restart("soft_bounce = yes", "connections_per_client_max = 50")
    reply = i.send(f"nosuch@{i.domain}")
    claim("soft_bounce: 450 4.1.1 instead of 550", reply.startswith(("450 4.1.1", "451 4.1.1")), reply)


def a_pool_that_is_full(i):
    i.restart("soft_bounce = no", "smtpd_workers_max = 4")
    held = [i.smtp() for _ in range(4)]
    late = Smtp(i.where, greet=False, timeout=10)
    local = Smtp(i.dir + "/sock/smtpd.submit", timeout=10)
    claim("programs of this machine still get in", local.greeting.startswith("220"), local.greeting)
    local.close()
    held[0].close()
    claim("a client waits until a process is free", late.reply().startswith("220"))
    late.close()


run(sizes, counts, errors, times, never_pausing, connections, connections_of_a_user, soft_bounce, a_pool_that_is_full)
