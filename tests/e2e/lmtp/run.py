"""LMTP (RFC 2033): another mail system hands mail over, on the Unix socket and on a TCP listener; each recipient has its own reply."""
import os
import smtplib
import subprocess

from postern import Smtp, body_of, claim, content, message, run


def lmtp_port(i):
    port = Smtp.free_port()
    i.section(f"[listener lmtp]\naddress = 127.0.0.1:{port}\nprotocol = lmtp\n")
    return port


def over(i, where, name):
    s = Smtp(where)
    claim(f"{name}: greeted as LMTP", " LMTP " in s.greeting, s.greeting)
    claim(f"{name}: EHLO is unknown", s.cmd("EHLO client.example").startswith("500 5.5.2"))
    claim(f"{name}: LHLO offers extensions", "PIPELINING" in s.cmd("LHLO client.example"))
    answers = s.envelope([i.rcpt, f"nosuch@{i.domain}", i.rcpt2, "far@elsewhere.example"])
    claim(f"{name}: recipients are answered", [a[:9] for a in answers] == ["250 2.1.5", "550 5.1.1", "250 2.1.5", "550 5.7.1"], answers)
    before = len(i.mails()), len(i.mails(i.maildir2))
    first, second = s.data(message(name, "by lmtp\n")), s.reply()
    claim(f"{name}: a reply for each that was taken", first.startswith("250 2.0.0") and second.startswith("250 2.0.0"), (first, second))
    claim(f"{name}: and no more", s.cmd("NOOP").startswith("250 2.0.0 Ok"))
    for box, n in ((i.maildir, before[0]), (i.maildir2, before[1])):
        mails = i.wait_mails(n + 1, box)
        claim(f"{name}: it arrives", len(mails) == n + 1 and body_of(content(mails[-1])) == b"by lmtp\n", mails)
    claim(f"{name}: Received says LMTP", b"with LMTP" in content(i.mails()[-1]))
    s.cmd("QUIT")


def by_socket(i):
    path = f"{i.dir}/sock/smtpd.lmtp"
    over(i, path, "socket")
    claim("the socket is for its group alone", os.stat(path).st_mode & 0o777 == 0o660)
    with smtplib.LMTP(path) as c:
        refused = c.sendmail("a@client.example", [i.rcpt, f"nosuch@{i.domain}"], message("smtplib"))
    n = len(i.mails())
    r = subprocess.run(["swaks", "--socket", path, "--protocol", "LMTP", "--from", "c@client.example", "--to", i.rcpt], capture_output=True, text=True, timeout=30)
    claim("swaks: LMTP", r.returncode == 0 and len(i.wait_mails(n + 1)) > n, r.stdout[-1500:])
    claim("python's LMTP client delivers and sees who was refused", list(refused) == [f"nosuch@{i.domain}"], refused)


def by_tcp(i):
    over(i, ("127.0.0.1", lmtp_port(i)), "tcp")
    claim("SMTP goes on beside it", i.send().startswith("250"))


run(by_socket, by_tcp)
