"""What attackers have done to mail servers, done to this one: relaying tricks, names that are commands or paths, records within
values, more of everything than anybody needs. Each time the next client is served as ever."""
import os
import re
import time

from postern import Smtp, claim, content, message, run, until

FAR = "victim@elsewhere.example"


def said(i, sender, rcpt, hello="EHLO client.example"):
    """The replies to MAIL and RCPT."""
    s = i.smtp()
    s.cmd(hello)
    replies = [s.cmd(f"MAIL FROM:{sender}"), s.cmd(f"RCPT TO:{rcpt}")]
    s.cmd("QUIT")
    s.close()
    return replies


def relaying(i):
    """The tricks of the open-relay testers of thirty years."""
    host, user = i.domain, i.env["RCPT"]
    far = FAR.replace("@", "%")
    recipients = [f"<{FAR}>", f'<"{FAR}">', f"<{far}>", f"<{far}@{host}>", f'<"{FAR}"@{host}>', f"<{FAR}@{host}>", f"<@{host}:{FAR}>",
                  f"<@[127.0.0.1]:{FAR}>", f"<@{host},@localhost:{FAR}>", f"<elsewhere.example!victim@{host}>", "<elsewhere.example!victim>",
                  f"<{host}!elsewhere.example!victim>", f"<{far}@[127.0.0.1]>", f"<{FAR}@[127.0.0.1]>", f"<{user}%elsewhere.example@{host}>",
                  f"<victim@elsewhere.example.>", f"<victim@{host}.elsewhere.example>", f"<victim@elsewhere.example%{host}>", f"{FAR}",
                  f"<victim@elsewhere.example\t>", f"<victim@ELSEWHERE.EXAMPLE>", f"<victim@elsewhere%2eexample>", f"<victim@[198.51.100.1]>",
                  "<victim@[IPv6:2001:db8::1]>", f"<{user}+{far}@{host}.>", f"<{FAR}> <{user}@{host}>", f"<{FAR},{user}@{host}>"]
    senders = ["<spam@client.example>", "<>", f"<{user}@{host}>", "<spam@localhost>", "<spam@[127.0.0.1]>", f"<{FAR}>", f"<root@{host}>"]
    open_to = [(a, b) for a in senders for b in recipients if said(i, a, b)[1].startswith("2") and "+" not in b]
    claim(f"{len(senders) * len(recipients)} ways to ask for relaying: none works", not open_to, open_to)
    for hello in (f"EHLO {host}", "EHLO localhost", "EHLO [127.0.0.1]", f"HELO {host}"):
        reply = said(i, "<spam@client.example>", f"<{FAR}>", hello)[1]
        claim(f"nor as {hello}", reply.startswith("550 5.7.1"), reply)


def names(i):
    """Local parts that are a shell's, a path, an option: no user has them, and nothing happens."""
    host, user = i.domain, i.env["RCPT"]
    before = set(os.listdir("/tmp"))
    bad = ['"|/bin/sh -c id>/tmp/pwned"', '"; touch /tmp/pwned;"', "`id`", "$(id)", "$HOME", "-oX/tmp/pwned", "-froot", "../../../../etc/passwd",
           "/etc/passwd", '"/var/mail/x"', "..", ".", '".."', '"."', '""', '" "', "a/b", "~root", ":include:/etc/passwd", '":include:/etc/passwd"',
           '"|id"', "x" * 65, '"a\\\nb"', '"a\\\0b"', "%s%n%n", '"\\""', "{}", "*", "?", "user|x", "'", "&id"]
    replies = [(b, said(i, "<a@client.example>", f"<{b}@{host}>")[1]) for b in bad]
    claim("names that are commands, paths or options are nobody's", all(r.startswith("5") for _, r in replies),
          [r for r in replies if not r[1].startswith("5")])
    claim("and as senders they do no harm", all(i.send(sender=b + "@client.example")[:1] in "25" for b in bad if "\n" not in b and "\0" not in b))
    i.wait_queue_empty()
    n = len(i.mails())
    details = ["../../x", "/etc", "..", "a/b", ".", "cur", "tmp", "a b".replace(" ", "_"), "-rf"]
    taken = sum(i.send(f"{user}+{d}@{host}").startswith("250") for d in details)
    claim("details that are paths reach the mailbox and nothing beside it", taken > 0 and len(i.wait_mails(n + taken)) == n + taken,
          (taken, len(i.mails()) - n))
    claim("nothing was run, nothing made", not {f for f in set(os.listdir("/tmp")) - before if "pwned" in f})


def records(i):
    """Values that hold line ends, encoded or not, never become lines of the queue file or of a header."""
    values = ["RET=FULL ENVID=a+0ADelivered-To:+20x@y", "ENVID=+00", "ENVID=a+0D+0Ab", "AUTH=a@b+0A", "AUTH=+0A", "ENVID=a\tb", "ENVID=" + "x" * 101,
              "SIZE=1 SIZE=1", "BODY=8BITMIME\r", "SIZE=-1", "SIZE=99999999999999999999", "SMTPUTF8=1", "RET=FULL\vENVID=x"]
    for v in values:
        s = i.smtp()
        s.hello()
        reply = s.cmd(f"MAIL FROM:<a@client.example> {v}")
        claim(f"MAIL with {v[:30]!r} is refused or harmless", reply[:3] in ("501", "555", "500", "552", "250"), reply)
        if reply.startswith("250"):
            s.cmd(f"RCPT TO:<{i.rcpt}>")
            n = len(i.mails())
            s.data(message(subject="record"))
            text = content(i.wait_mails(n + 1)[-1])
            claim("and adds no line", text.count(b"Delivered-To:") <= 1 and b"\nDelivered-To: x@y" not in text, text[:400])
        s.close()
    for v in ("ORCPT=rfc822;a+0Ab", "ORCPT=rfc822;+00", "ORCPT=rfc822", "ORCPT=x;y;z+0D", "NOTIFY=NEVER,SUCCESS", "NOTIFY=", "ORCPT=rfc822;" + "x" * 600):
        s = i.smtp()
        s.hello()
        s.cmd("MAIL FROM:<a@client.example>")
        reply = s.cmd(f"RCPT TO:<{i.rcpt}> {v}")
        claim(f"RCPT with {v[:30]!r} is refused", reply.startswith("5"), reply)
        s.close()
    for name in ("a\tb", "a b", "a(b)", "a\x01b", "<a>", "a\"b", "a;b", "x" * 256, "(" * 200, "a\x7f", "\u00fc.example", "a\\b"):
        s = i.smtp()
        reply = s.cmd(f"EHLO {name}")
        if reply.startswith("250"):
            s.envelope(i.rcpt)
            n = len(i.mails())
            s.data(message(subject="helo"))
            head = content(i.wait_mails(n + 1)[-1]).split(b"\n\n")[0].decode("utf-8", "replace")
            first = re.search(r"^Received: from (.*)", head, re.M)[1]
            claim(f"EHLO {name[:20]!r} stays one word of Received", re.fullmatch(r"\S+ \(.*\[127\.0\.0\.1\]\)", first), first)
        else:
            claim(f"EHLO {name[:20]!r} is refused", reply.startswith("5"), reply)
        s.close()


def too_much(i):
    """More of everything: bounded time, and the same processes still serve."""
    def timed(what, secs, act):
        t = time.monotonic()
        reply = act()
        took = time.monotonic() - t
        claim(f"{what}: an answer within {secs} s", reply[:1] in ("2", "4", "5") and took < secs, (reply[:100], took))
        claim("the next client is served", i.send(msg=message(subject="next")).startswith("250"))

    timed("a million header lines", 30, lambda: i.send(msg="a:\n" * 1000000 + "\nx\n"))
    timed("a header line of 5 MB", 30, lambda: i.send(msg="Subject: " + "x" * 5000000 + "\n\nx\n"))
    timed("a header folded 500,000 times", 30, lambda: i.send(msg="To: a" + ",\n b@c.example" * 500000 + "\n\nx\n"))
    timed("200,000 parts in each other", 60, lambda: i.send(msg="Content-Type: multipart/mixed; boundary=b\n\n" + "--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 100000))
    timed("deep comments", 30, lambda: i.send(msg=message(To="(" * 200000 + ")" * 200000)))
    timed("many addresses in From", 30, lambda: i.send(msg=message(From=",\n ".join(["a@b.example"] * 100000))))

    def bdats():
        s = i.smtp(timeout=60)
        s.hello()
        s.envelope(i.rcpt)
        text = message(subject="crumbs", body="x" * 5000 + "\n").replace("\n", "\r\n")
        s.send("".join(f"BDAT 1\r\n{c}" for c in text) + "BDAT 0 LAST\r\n")
        replies = [s.reply() for _ in range(len(text) + 1)]
        s.close()
        return replies[-1] if all(r.startswith("250") for r in replies) else next(r for r in replies if not r.startswith("250"))
    timed("a message in chunks of one byte", 30, bdats)

    def params():
        s = i.smtp()
        s.hello()
        reply = s.cmd("MAIL FROM:<a@client.example>" + " X=Y" * 400)
        s.close()
        return reply
    timed("parameters without number", 5, params)
    rss = max(int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{p}/status").read())[1]) for p in i.pids("smtpd"))
    claim("no server process needed more than 64 MiB", rss < 64 * 1024, f"{rss} KiB")


def fresh_state(i):
    """After each way to fail, a session is as good as a new one: one message in, with its own recipients alone."""
    ways = [["MAIL FROM:<>", "RSET"], ["MAIL FROM:<a@client.example>", f"RCPT TO:<{i.rcpt2}>", "RSET"], ["MAIL FROM:<a@client.example>", "DATA"],
            ["RCPT TO:<x@y>", "DATA"], ["MAIL FROM:<a@client.example>", f"RCPT TO:<{i.rcpt2}>", "BDAT 3\r\nabc", "RSET"],
            ["BDAT 6 LAST\r\nNOOP\r\n"], ["MAIL FROM:<a@client.example>", "RCPT TO:<nobody@nowhere.example>", "BDAT 6 LAST\r\nQUIT\r\n"],
            ["MAIL FROM:<a@client.example>", f"RCPT TO:<{i.rcpt2}>", "EHLO again.example"],
            ["MAIL FROM:<a@client.example>", f"RCPT TO:<{i.rcpt2}>", "BDAT 5\r\nabcde", "MAIL FROM:<b@client.example>", "RSET"],
            ["AUTH PLAIN", "STARTTLS now", "VRFY", "EXPN x", "XCLIENT ADDR=1.2.3.4", "LHLO x", "ETRN x", "TURN"]]
    i.wait_queue_empty()
    n, n2 = len(i.mails()), len(i.mails(i.maildir2))
    for k, way in enumerate(ways):
        s = i.smtp()
        s.hello()
        for line in way:
            s.send(line + ("" if line.startswith("BDAT") else "\r\n"))
            s.reply()
        s.cmd("RSET")
        replies = s.envelope(i.rcpt) + [s.data(message(subject=f"fresh {k}"))]
        claim(f"after {' / '.join(w[:12].strip() for w in way)}", replies[0].startswith("250") and "queued as" in replies[1], replies)
        s.close()
    got = (len(i.wait_mails(n + len(ways))) - n, len(i.mails(i.maildir2)) - n2)
    claim("each message went to its own recipient", got == (len(ways), 0), (got, len(ways)))


def secrets(i):
    """The audit log has each command, and never a password."""
    s = Smtp(i.submission)
    s.hello()
    for line in ("AUTH PLAIN c2VjcmV0c2VjcmV0", "auth login", "c2VjcmV0dXNlcg==", "c2VjcmV0cGFzcw==", "AUTH SCRAM-SHA-256 bixhPXNlY3JldA==",
                 "AUTH\tPLAIN c2VjcmV0dGFi", "AUTH PLAIN", "c2VjcmV0IHNlY3JldA== c2VjcmV0", "c2VjcmV0YWZ0ZXI="):
        s.cmd(line)
    s.close()
    claim("the audit log has them", until(lambda: len(i.log_lines(r" (audit|command) .*AUTH")) >= 3), i.log()[-800:])
    leaks = [line for line in i.log().splitlines() if re.search(r"c2VjcmV0|bixhPX|secret(pass|tab|after| )", line)]
    claim("without a secret", not leaks, leaks[:5])


run(relaying, names, records, too_much, fresh_state, secrets,
    sets=("audit = yes", "errors_soft = 1000", "errors_max = 1000", "client_connection_rate = 0", "client_message_rate = 0", "client_error_rate = 0", "data_timeout = 60s"))
