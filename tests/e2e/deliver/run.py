"""One message from a real SMTP client into a Maildir: every process in its final place."""
import os
import re
import smtplib
import stat

from postern import ROOT, Instance, claim, content, headers_of, message, run, skip, until


def first_message(i):
    msg = message("first", "Hello,\n\nworld.\n")
    with smtplib.SMTP(*i.where) as s:
        s.sendmail("alice@client.example", [i.rcpt], msg.replace("\n", "\r\n"))
    found = i.wait_mails(1)
    claim("smtplib's message arrives", len(found) == 1, i.log()[-2000:])
    text = content(found[0])
    head = headers_of(text)
    claim("Return-Path first", head[0] == "Return-Path: <alice@client.example>", head[0])
    claim("Delivered-To second", head[1] == f"Delivered-To: {i.rcpt}", head[1])
    received = next((h for h in head if h.startswith("Received:")), "")
    claim("Received as in RFC 5321 4.4, with the commit record", re.match(
        r"Received: from \S+ \(\[127\.0\.0\.1\]\) by mail\.example \(Postern\) with ESMTP id \w+ "
        r"\(s=\d{10} c=[0-9a-f]{8} t=[a-z]\)( for <\S+>)?; \w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}$", received), received)
    claim("what the client sent is there byte for byte", text.endswith(msg.encode()), text)
    claim("the queue is empty again", i.wait_queue_empty(), i.queue_files())
    s = os.stat(found[0])
    claim("mode 0600", stat.S_IMODE(s.st_mode) == 0o600, oct(s.st_mode))
    if ROOT:
        owner = os.stat(os.path.dirname(i.dir + "/home/" + i.env["RCPT"] + "/x")).st_uid
        claim("owned by the user", s.st_uid == owner and s.st_gid != 0, s)
        claim("the Maildir is the user's and private", stat.S_IMODE(os.stat(i.maildir).st_mode) == 0o700)
    claim("the log tells its life", until(lambda: i.log_lines(" accepted from=") and i.log_lines(" delivered ")), i.log())


def rename_is_taken(_):
    """On one file system that keeps its promises; tmpfs is there everywhere (ext4 without a journal gets the copy)."""
    if not os.access("/dev/shm", os.W_OK):
        return skip("delivery by rename", "no /dev/shm")
    i = Instance(base="/dev/shm")
    try:
        i.send(msg=message("makes the Maildir, by copy"))
        i.wait_mails(1)
        i.block()
        i.send(msg=message("renamed"))
        i.send(f"postmaster@{i.domain}", message("renamed for an alias"))
        claim("deferred first", i.wait_log(" deferred ", 2))
        inodes = {os.stat(f).st_ino for f in i.full_queue_files()}
        i.unblock()
        i.postern("queue", "flush")
        found = i.wait_mails(3)
        claim("one local recipient: the queue file itself is renamed into the Maildir, for an alias too",
              len(inodes) == 2 and inodes <= {os.stat(f).st_ino for f in found}, i.log()[-800:])
        alias = next((headers_of(content(f)) for f in found if b"Subject: renamed for an alias" in content(f)), [])
        claim("with X-Original-To and the final address", alias[1:3] == [f"X-Original-To: postmaster@{i.domain}", f"Delivered-To: {i.rcpt}"], alias)
        i.send(msg=message("at once"))
        claim("at the first attempt too", len(i.wait_mails(4)) == 4 and i.wait_log(" delivered .*(how=rename|renamed=1)", 3), i.log()[-800:])
        i.send([i.rcpt, i.rcpt2])
        claim("two recipients: copies", i.wait_mails(1, i.maildir2) and i.wait_log(" delivered .*(how=copy|renamed=0)", 2), i.log_lines(" delivered "))
        claim("the queue is empty", i.wait_queue_empty())
    finally:
        i.purge()


def several_recipients_get_their_own(i):
    n1, n2 = len(i.mails()), len(i.mails(i.maildir2))
    reply = i.send([i.rcpt, i.rcpt2])
    claim("two recipients accepted", reply.startswith("250"), reply)
    a, b = i.wait_mails(n1 + 1), i.wait_mails(n2 + 1, i.maildir2)
    claim("both get it", len(a) == n1 + 1 and len(b) == n2 + 1, i.log()[-1500:])
    head = headers_of(content(b[-1]))
    claim("each copy names its own recipient only", f"Delivered-To: {i.rcpt2}" in head and i.env["RCPT"] + "@" not in "\n".join(head[:4]), head[:6])
    claim("no envelope line of ours leaks", not any(h.startswith(("Postern-To", "X-Postern:")) for h in head), head)
    claim("the queue is empty again", i.wait_queue_empty(), i.queue_files())


def forty_at_once(i):
    n = len(i.mails())
    clients = [i.smtp() for _ in range(40)]
    for c in clients:
        c.hello()
        c.envelope(i.rcpt)
    replies = [c.data(message(f"number {k}")) for k, c in enumerate(clients)]
    for c in clients:
        c.close()
    claim("40 clients at once are all served", all(r.startswith("250") for r in replies), replies)
    claim("and all 40 arrive", len(i.wait_mails(n + 40)) == n + 40, len(i.mails()) - n)


run(first_message, rename_is_taken, several_recipients_get_their_own, forty_at_once)
