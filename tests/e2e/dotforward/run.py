"""~/.forward: mail goes where a user of this machine wants it, once, or waits and the log says why. postern-forward(5)"""
import os
import pwd
import re
import shutil
import signal
import time

from postern import ROOT, Smtp, claim, content, headers_of, message, run, skip, until
from sink import Sink

there = Sink("127.0.6.11", caps=("PIPELINING", "8BITMIME", "SIZE 20000000", "DSN", "SMTPUTF8", "CHUNKING", "BINARYMIME"),
             answer=lambda s, v, line: "550 5.1.1 nobody" if v == "RCPT" and "<gone@" in line else None)


def home(i, name):
    return f"{i.dir}/home/{i.env[name]}"


def put(i, text, who="RCPT", name=".forward", mode=0o644, uid=None):
    path = f"{home(i, who)}/{name}"
    remove(path)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chown(path, pwd.getpwnam(i.env[who]).pw_uid if uid is None else uid, -1)
    os.chmod(path, mode)
    return path


def remove(path):
    if os.path.lexists(path):
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)


def clear(i):
    for who in ("RCPT", "RCPT2"):
        for name in os.listdir(home(i, who)):
            if name.startswith(".forward"):
                remove(f"{home(i, who)}/{name}")
    for box in (i.maildir, i.maildir2):
        shutil.rmtree(box, ignore_errors=True)
    there.messages.clear()


def tail(i, n=15):
    return "\n".join(i.log().splitlines()[-n:])


def prepare(i):
    i.section(f"\n[relay there]\ndomains = there.example\nhost = 127.0.6.11:{there.port}\n")


def away(i):
    clear(i)
    put(i, "# my mail elsewhere\n\nx@there.example\n")
    reply = i.send(msg=message("away", "text\n.dot\n"), sender="al@home.example")
    got = there.wait(1)
    claim("a remote address: it arrives there, once", reply.startswith("250") and len(got) == 1 and got[0].rcpts == ["x@there.example"], tail(i))
    claim("with a sender of ours (SRS), as an alias makes it", re.match(r"SRS0=.*=home\.example=al@", got[0].sender), got[0].sender)
    head = headers_of(got[0].data.replace(b"\r\n", b"\n"))
    claim("Delivered-To below our new Received line, then the one of its arrival", head[0].startswith("Received:") and
          head[1] == f"Delivered-To: {i.rcpt}" and head[2].startswith("Received: from"), head[:4])
    claim("the text is what came", got[0].data.endswith(b"\r\n\r\ntext\r\n.dot\r\n"), got[0].data[-80:])
    claim("the queue is empty, the own Maildir too", i.wait_queue_empty() and not i.mails(), i.queue_files())
    claim("the log tells it", i.log_lines(r" delivered .*where=\S*/\.forward.*how=forward"), i.log_lines(" delivered "))


def several(i):
    clear(i)
    put(i, f"\\{i.env['RCPT']}, {i.env['RCPT2']}  # and a colleague\nX <x@there.example>\n\"y y\"@there.example, x@there.example\n")
    i.send([i.rcpt, i.rcpt2], msg=message("several"))
    got = there.wait(2)
    claim("several: each remote one once", until(lambda: sorted(r for m in there.messages for r in m.rcpts) == ['"y y"@there.example', "x@there.example"]),
          ([m.rcpts for m in got], tail(i)))
    claim("the own mailbox by \\user", len(i.wait_mails(1)) == 1, tail(i))
    claim("and the colleague's: his own copy and the one sent on", len(i.wait_mails(2, i.maildir2)) == 2, tail(i))
    claim("that one says whose it was", any(f"X-Original-To: {i.rcpt}" in headers_of(content(f)) for f in i.mails(i.maildir2)))
    claim("the queue is empty", i.wait_queue_empty())


def own(i):
    for text in ("", "# nothing\n\n , \n", i.env["RCPT"] + "\n", i.rcpt.upper() + "\n", "\\" + i.env["RCPT"], f"{i.env['RCPT']}+x"):
        clear(i)
        put(i, text)
        to = i.rcpt.replace("@", "+x@") if text.endswith("+x") else i.rcpt
        i.send(to)
        claim(f"{text!r}: into the own Maildir, once", len(i.wait_mails(1)) == 1 and i.wait_queue_empty() and len(i.mails()) == 1, tail(i))


def extension(i):
    clear(i)
    put(i, "plain@there.example\n")
    put(i, "list@there.example\n", name=".forward+list")
    for detail, want in (("+List", "list@there.example"), ("+other", "plain@there.example"), ("", "plain@there.example")):
        there.messages.clear()
        i.send(i.rcpt.replace("@", detail + "@"))
        claim(f"user{detail}: {want}", [m.rcpts for m in there.wait(1)] == [[want]], tail(i))


def waits(i, what, why, undo):
    """It stays in the queue with the reason, and after the repair it is delivered."""
    n = len(i.log_lines(" deferred "))
    reply = i.send(msg=message(what))
    claim(f"{what}: accepted and deferred", reply.startswith("250") and i.wait_log(" deferred ", n + 1), tail(i))
    told = i.postern("check", check=False).stdout
    claim(f"{what}: postern check says so", i.env["RCPT"] in told and (why in told or "the user may not read it" in told), told)
    line = (i.log_lines(" deferred ") or [""])[-1]
    claim(f"{what}: the log says what is wrong", "4.3.5" in line and why in line and i.log_lines(" forward-file "), line)
    undo()
    i.postern("queue", "flush")
    claim(f"{what}: once mended it arrives", len(i.wait_mails(1)) == 1 and i.wait_queue_empty(), tail(i))
    claim(f"{what}: nothing was sent", not there.messages)


def unsafe(i):
    path = f"{home(i, 'RCPT')}/.forward"
    target = f"{i.dir}/elsewhere"
    with open(target, "w", encoding="utf-8") as f:
        f.write("x@there.example\n")
    os.chmod(target, 0o644)
    cases = [("a symbolic link", "symbolic links are not followed", lambda: os.symlink(target, path)),
             ("a link to nowhere", "symbolic links are not followed", lambda: os.symlink("/nowhere", path)),
             ("a FIFO", "no regular file", lambda: (os.mkfifo(path), os.chmod(path, 0o666))),
             ("a directory", "no regular file", lambda: (os.mkdir(path), os.chmod(path, 0o755))),
             ("another's file", "belongs to another user", lambda: put(i, "x@there.example", uid=12345)),
             ("writable for the group", "chmod go-w", lambda: put(i, "x@there.example", mode=0o664)),
             ("writable for all", "chmod go-w", lambda: put(i, "x@there.example", mode=0o646)),
             ("not readable", "Permission denied", lambda: put(i, "x@there.example", mode=0o600, uid=0)),
             ("too long", "longer than 64 KiB", lambda: put(i, "#" * 65537)),
             ("a home that all may write", "chmod o-w", lambda: (put(i, "x@there.example"), os.chmod(home(i, "RCPT"), 0o777)))]
    for what, why, make in cases:
        clear(i)
        make()
        waits(i, what, why, lambda: (remove(path), os.chmod(home(i, "RCPT"), 0o700)))


def not_done(i):
    cases = [("a command", '"|/usr/bin/vacation me"', "commands are not run"), ("a file", "/tmp/x", "files are not written"),
             ("an included list", ":include:/tmp/list", "other files are not read"), ("no address", "a b c", "no address"),
             ("an open quote", 'x@there.example\n"|cat', "line 2"), ("too many", "".join(f"u{n}@there.example\n" for n in range(101)), "at most 100")]
    for what, text, why in cases:
        clear(i)
        put(i, "x@there.example\n" * (what == "a command") + text + "\n")
        waits(i, what, why, lambda: put(i, ""))


def loops(i):
    clear(i)
    put(i, i.rcpt2)
    put(i, i.rcpt, "RCPT2")
    n = len(i.log_lines(" bounced "))
    i.section("\n[relay home]\ndomains = home.example\nhost = 127.0.6.11:%d\n" % there.port)
    i.send(sender="al@home.example")
    got = there.wait(1)
    claim("a to b to a: one report to the sender", i.wait_queue_empty() and len(got) == 1 and got[0].rcpts == ["al@home.example"] and
          b"5.4.6" in got[0].data and b"mail loop" in got[0].data, (len(got), tail(i)))
    claim("nothing in the mailboxes", not i.mails() and not i.mails(i.maildir2))
    put(i, f"\\{i.env['RCPT']}, {i.rcpt2}")
    put(i, f"\\{i.env['RCPT2']}, {i.rcpt}", "RCPT2")
    there.messages.clear()
    i.send(sender="al@home.example")
    claim("who keep a copy have it, and no report is sent", len(i.wait_mails(1)) == 1 and i.wait_mails(1, i.maildir2) and i.wait_queue_empty() and
          not there.messages, tail(i))
    clear(i)
    with open(f"{i.dir}/aliases", "a", encoding="utf-8") as f:
        f.write(f"team: {i.env['RCPT']}, x@there.example\n")
    put(i, "team\n")
    i.send(sender="al@home.example")
    claim("by an alias back to oneself: a report", i.wait_queue_empty() and any(m.rcpts == ["al@home.example"] for m in there.wait(1)), tail(i))


def refused(i):
    clear(i)
    put(i, "nobody-here\nx@there.example\n")
    i.send(sender="al@home.example")
    got = there.wait(2)
    claim("one target unknown: the other gets it", any(m.rcpts == ["x@there.example"] for m in got), tail(i))
    claim("and the sender hears of the unknown one", any(m.rcpts == ["al@home.example"] and b"nobody-here" in m.data for m in got), [m.rcpts for m in got])
    clear(i)
    put(i, "gone@there.example\n")
    i.send(sender="al@home.example")
    got = there.wait(1)
    claim("what the remote host refuses is told to the sender", len(got) == 1 and got[0].rcpts == ["al@home.example"] and b"gone@there.example" in got[0].data, tail(i))
    clear(i)
    put(i, "gone@there.example\n")
    i.send(sender="")
    claim("but never for a report itself", i.wait_queue_empty() and not there.messages, tail(i))


def asked(i):
    """RFC 3461: what the sender asked for goes on with it."""
    clear(i)
    put(i, "x@there.example\n")
    s = Smtp(i.where)
    s.hello()
    s.cmd("MAIL FROM:<al@home.example> RET=HDRS ENVID=e1")
    s.cmd(f"RCPT TO:<{i.rcpt}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;orig@home.example")
    s.data(message())
    got = there.wait(1)
    lines = "\n".join(got[0].session.commands if got else [])
    claim("one target: the next host gets NOTIFY, ORCPT, RET and ENVID", all(w in lines for w in ("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;orig@home.example", "RET=HDRS", "ENVID=e1")), lines or tail(i))
    claim("and the report is its", i.wait_queue_empty() and len(there.messages) == 1, tail(i))
    clear(i)
    put(i, "x@there.example\ny@there.example\n")
    s.cmd("MAIL FROM:<al@home.example>")
    s.cmd(f"RCPT TO:<{i.rcpt}> NOTIFY=SUCCESS,FAILURE")
    s.data(message())
    until(lambda: len(there.messages) >= 2 and not i.full_queue_files())
    reports = [m for m in there.messages if m.rcpts == ["al@home.example"]]
    claim("several: the sender is told of the expansion, once", i.wait_queue_empty() and len(reports) == 1 and b"Action: expanded" in reports[0].data, tail(i))
    clear(i)
    put(i, "x@there.example\n")
    s.cmd("MAIL FROM:<al@home.example> BODY=BINARYMIME")
    s.cmd(f"RCPT TO:<{i.rcpt}>")
    data = b"Subject: bytes\r\n\r\n" + bytes(range(256)) * 300 + b"\r.\r\n\n.\r\n"
    s.send(b"BDAT %d LAST\r\n" % len(data) + data)
    claim("a binary message is taken", s.reply().startswith("250"))
    got = there.wait(1)
    claim("and goes on byte by byte", len(got) == 1 and got[0].data.endswith(data), (len(data), got and got[0].data[-100:], tail(i)))
    clear(i)
    put(i, f"\\{i.env['RCPT']}, x@there.example\n")
    body = "".join(f"{n} {'x' * 60}\n" for n in range(50000))
    s.cmd("MAIL FROM:<al@home.example>")
    s.cmd(f"RCPT TO:<{i.rcpt}>")
    s.data(message("long", body))
    got = there.wait(1)
    claim("a long message goes on whole, and is kept whole", len(got) == 1 and got[0].data.endswith(b"\r\n\r\n" + body.replace("\n", "\r\n").encode()) and
          len(i.wait_mails(1)) == 1 and content(i.mails()[0]).endswith(body.encode()), tail(i))
    clear(i)
    put(i, "x@there.example\n")
    s.cmd("MAIL FROM:<al@home.example> SMTPUTF8")
    s.cmd(f"RCPT TO:<{i.rcpt}>")
    s.data(message("Grüße"))
    got = there.wait(1)
    claim("SMTPUTF8 goes on", got and any("MAIL" in c and "SMTPUTF8" in c for c in got[0].session.commands), tail(i))
    s.close()


def switched_off(i):
    clear(i)
    i.restart("dot_forward = no")
    put(i, "x@there.example\n")
    i.send()
    claim("dot_forward = no: the file is not looked at", len(i.wait_mails(1)) == 1 and not there.messages, tail(i))
    i.restart("dot_forward = yes")


def freeze(pids, sig=signal.SIGSTOP):
    for p in pids:
        os.kill(p, sig)
    return pids


def uid(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            return int(re.search(r"Uid:\s+(\d+)", f.read())[1])
    except OSError:
        return 0


def to_greeting(i, subject):
    """Brings a message to where the user half waits for smtpd's greeting. What stands still: smtpd's processes."""
    agents = freeze(i.pids("local-delivery"))
    reply = i.send(msg=message(subject))
    server = freeze(i.pids("smtpd"))
    freeze(agents, signal.SIGCONT)
    me = pwd.getpwnam(i.env["RCPT"]).pw_uid
    claim(f"{subject}: the user half waits for smtpd", reply.startswith("250") and
          until(lambda: any(uid(p) == me for p in i.pids("local-delivery"))) and until(lambda: any(subject.encode() in content(f) for f in i.mails())),
          (reply, i.pids("local-delivery")))
    return server


def sent(subject):
    return sum(f"Subject: {subject}\r\n".encode() in m.data for m in there.messages)


def ends_with(i, subject, times):
    ended = i.wait_queue_empty(15) or (i.postern("queue", "flush") and i.wait_queue_empty(60))
    until(lambda: sent(subject) >= times)
    copies = sum(f"Subject: {subject}\n".encode() in content(f) for f in i.mails())
    claim(f"{subject}: sent on {'once' if times == 1 else 'twice'}, the own copy once", ended and sent(subject) == times and copies == 1,
          (sent(subject), copies, i.queue_files(), tail(i)))


def steps(i):
    """docs/QUEUE.md 6b: kill -9 at each step."""
    clear(i)
    i.expect_deaths = True
    put(i, f"\\{i.env['RCPT']}, x@there.example")
    me = pwd.getpwnam(i.env["RCPT"]).pw_uid
    for n, victim in enumerate(("local-delivery", "queue-mgr", "smtpd")):
        server = to_greeting(i, f"step 2.{n}")
        i.kill(victim)
        freeze(server if victim != "smtpd" else [], signal.SIGCONT)
        until(lambda: i.smtp().greeting.startswith("220"))
        ends_with(i, f"step 2.{n}", 1)
    for n, victim in enumerate(("local-delivery", "queue-mgr", "queue-mgr")):
        subject = f"step {3 + n // 2}.{n}"
        server = to_greeting(i, subject)
        parents = freeze([p for p in i.pids("local-delivery") if uid(p) != me])
        freeze(server, signal.SIGCONT)
        claim(f"{subject}: smtpd has said 250, its agent has not heard it", until(lambda: sent(subject) == 1), tail(i))
        if n == 2:  # the answer lies in the socket of a queue-mgr that will not read it
            stopped = freeze(i.pids("queue-mgr"))
            freeze(parents, signal.SIGCONT)
            time.sleep(0.5)
            freeze(stopped, signal.SIGKILL)
        else:
            i.kill(victim)
            freeze(parents if victim == "queue-mgr" else [], signal.SIGCONT)
        ends_with(i, subject, 2 if victim == "local-delivery" else 1)


def kills(i):
    clear(i)
    put(i, f"\\{i.env['RCPT']}, x@there.example")
    total = 0
    for service in ("smtpd", "local-delivery", "queue-mgr", "resolve"):
        for _ in range(2):
            total += 1
            reply = i.send(msg=message(f"kill {total}"))
            total -= not reply.startswith("250")
            i.kill(service, signal.SIGKILL)
            until(lambda: i.smtp().greeting.startswith("220"))
    claim("after kill -9 of each daemon all is delivered", i.wait_queue_empty(60) or (i.postern("queue", "flush") and i.wait_queue_empty(60)), (i.queue_files(), tail(i)))
    claim("the own copies are there, each once", len(i.mails()) == total, (len(i.mails()), total))
    subjects = {re.search(rb"Subject: (.*)\r", m.data)[1] for m in there.messages}
    claim("and each was sent on", len(subjects) == total, (len(subjects), total))


def all_of_it(i):
    if not ROOT:
        return skip("~/.forward", "needs users of its own, hence root")
    for part in (switched_off, prepare, away, several, own, extension, unsafe, not_done, loops, refused, asked, steps, kills):
        part(i)


run(all_of_it, sets=("resolve_cache = 0s", "retry_min = 2s"))
