"""The sendmail command as programs call it, mailq and newaliases, and what happens while the system is down."""
import os
import subprocess

from postern import claim, content, headers_of, run, until


def newest(i, before, maildir=None):
    """The mail that came since `before` (a list of files); names of queue files do not sort by arrival."""
    i.wait_mails(len(before) + 1, maildir)
    found = [f for f in i.mails(maildir) if f not in before]
    return content(found[0]) if found else b""


def submit(i):
    n = i.mails()
    r = i.sendmail("-i", i.env["RCPT"], data="Subject: plain\n\nfrom a cron job\n.\nafter the dot\n")
    text = newest(i, n)
    claim("sendmail -i user: exit 0", r.returncode == 0, r.stderr)
    claim("a lone dot is text with -i", text.endswith(b"from a cron job\n.\nafter the dot\n"), text)
    head = "\n".join(headers_of(text))
    for name in ("From:", "Date:", "Message-ID:"):
        claim(f"{name} is added when missing", f"\n{name}" in head, head)
    n = i.mails()
    r = i.sendmail(i.env["RCPT"], data="Subject: dot\n\nbefore\n.\nafter\n")
    claim("without -i a lone dot ends the message", newest(i, n).endswith(b"\nbefore\n"), r.stderr)


def from_and_name(i):
    n = i.mails()
    r = i.sendmail("-f", "bounces@client.example", "-F", "A Name", "-oi", i.rcpt, data="Subject: f\n\nx\n")
    head = headers_of(newest(i, n))
    claim("-f sets the envelope sender", head[0] == "Return-Path: <bounces@client.example>", (head, r.stderr))
    claim("-F sets the name", any(h.startswith("From:") and "A Name" in h for h in head), head)


def delivery_reports(i):
    i.block()
    i.sendmail("-f", i.rcpt2, "-N", "success, delay", "-R", "hdrs", "-V", "my id", i.rcpt, data="Subject: dsn\n\nx\n")
    files = i.full_queue_files()
    text = content(files[0]) if files else b""
    claim("-N is stored for the recipient", b" notify=SUCCESS,DELAY\n" in text, text[:500])
    claim("-R and -V are stored for the message", b"X-Postern: ret=HDRS envid=my+20id\n" in text, text[:500])
    n = i.mails(i.maildir2)
    i.unblock()
    i.postern("queue", "flush")
    report = newest(i, n, i.maildir2)
    claim("the sender is told of the delivery, with his id", b"Action: delivered" in report and b"Original-Envelope-Id: my id" in report, report[:3000])


def recipients_from_header(i):
    n1, n2 = i.mails(), i.mails(i.maildir2)
    r = i.sendmail("-t", data=f"To: One <{i.rcpt}>\nBcc: {i.rcpt2}\nSubject: t\nFrom: x@client.example\n\nbody\n")
    a, b = newest(i, n1), newest(i, n2, i.maildir2)
    claim("-t takes recipients from the header", r.returncode == 0 and a and b, r.stderr)
    claim("Bcc is removed", b"\nbcc:" not in a.lower() and b"\nbcc:" not in b.lower(), a)
    r = i.sendmail("-t", data="Subject: none\n\nbody\n")
    claim("-t without recipients: EX_USAGE or EX_DATAERR, and says so", r.returncode in (64, 65) and r.stderr, (r.returncode, r.stderr))


def closed_descriptors(i):
    shell = lambda end: subprocess.run(["sh", "-c", f'exec "$0" -i "$1" {end}', i.env["SENDMAIL"], f"nosuch@{i.domain}"],
                                       input="Subject: x\n\nx\n", text=True, capture_output=True, timeout=30)
    r = shell("<&-")
    claim("a closed standard input is an error, not an empty message", r.returncode == 75 and "read" in r.stderr, (r.returncode, r.stderr))
    r = shell("2>&-")
    claim("with a closed stderr the exit code is the same", r.returncode == 67 and not r.stdout, (r.returncode, r.stdout))


def refusals(i):
    r = i.sendmail(f"nosuch@{i.domain}", data="Subject: x\n\nx\n")
    claim("unknown recipient: EX_NOUSER 67, with the reason", r.returncode == 67 and "nosuch" in r.stderr, (r.returncode, r.stderr))
    n = i.mails()
    r = i.sendmail(i.rcpt, f"nosuch@{i.domain}", data="Subject: partly\n\nx\n")
    claim("one of two refused: the other still gets it", newest(i, n).endswith(b"\nx\n") and "nosuch" in r.stderr, (r.returncode, r.stderr))
    r = i.sendmail(data="x\n")
    claim("no recipients: EX_USAGE 64", r.returncode == 64 and r.stderr, (r.returncode, r.stderr))
    r = i.sendmail("-Z", data="x\n")
    claim("an unknown option is named", r.returncode == 64 and "Z" in r.stderr, r.stderr)
    evil = "a@client.example\nRCPT TO:<x@y>"
    r = i.sendmail("-f", evil, i.rcpt, data="Subject: x\n\nx\n")
    claim("a newline in an address is refused", r.returncode != 0, r.stderr)


def big_and_binary(i):
    n = i.mails()
    body = b"Subject: big\nFrom: a@client.example\n\n" + (b"z" * 70 + b"\n") * 60000 + "ünïcode".encode() + b" no newline at the end"
    r = i.sendmail("-i", i.rcpt, data=body)
    claim("4 MB with 8-bit text", r.returncode == 0 and newest(i, n).rstrip(b"\n").endswith(body.rstrip(b"\n")[-5000:]), r.stderr)
    n = i.mails()
    i.sendmail("-i", i.rcpt, data=b"Subject: crlf\r\nFrom: a@client.example\r\n\r\nline\r\n")
    claim("CRLF input becomes lines", newest(i, n).endswith(b"\n\nline\n"))


def other_modes(i):
    n = i.mails()
    talk = f"EHLO x.example\r\nMAIL FROM:<s@client.example>\r\nRCPT TO:<{i.rcpt}>\r\nDATA\r\nSubject: bs\r\n\r\nhi\r\n.\r\nQUIT\r\n"
    r = i.sendmail("-bs", data=talk)
    claim("-bs speaks SMTP on stdin and stdout", r.stdout.startswith("220") and "221" in r.stdout and newest(i, n), r.stdout)
    r = i.sendmail("-bp")
    claim("-bp is mailq", r.returncode == 0 and "empty" in r.stdout.lower(), r.stdout + r.stderr)
    r = subprocess.run([f"{i.dir}/bin/mailq"], capture_output=True, text=True)
    claim("mailq", r.returncode == 0 and "empty" in r.stdout.lower(), r.stdout + r.stderr)
    r = subprocess.run([f"{i.dir}/bin/newaliases"], capture_output=True, text=True)
    claim("newaliases", r.returncode == 0, r.stdout + r.stderr)
    r = i.sendmail("-q")
    claim("-q flushes", r.returncode == 0, r.stderr)


def while_down(i):
    i.down()
    home = f"{i.dir}/deadhome"
    os.mkdir(home)
    r = i.sendmail("-i", i.rcpt, data="Subject: saved\n\nkeep me\n", env={**os.environ, "HOME": home})
    dead = [os.path.join(p, f) for p in (home, os.path.expanduser("~")) for f in os.listdir(p) if f == "dead.letter"]
    claim("while the system is down: exit 75 and it says so", r.returncode == 75 and r.stderr, (r.returncode, r.stderr))
    claim("the message is in dead.letter", any(b"keep me" in content(d) for d in dead), dead)
    for d in dead:
        os.unlink(d)
    # A sender that starts while the system comes up waits for it.
    p = subprocess.Popen([i.env["SENDMAIL"], "-i", i.rcpt], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p.stdin.write("Subject: waited\n\npatience\n")
    p.stdin.close()
    n = i.mails()
    i.up()
    claim("a sender that came early waits until it is up", p.wait(30) == 0 and newest(i, n), p.stderr.read())


run(submit, from_and_name, delivery_reports, recipients_from_header, closed_descriptors, refusals, big_and_binary, other_modes, while_down)
