"""What cannot be delivered comes back: RFC 3464 reports, delay warnings, never a bounce of a bounce."""
import email
import email.policy
import os

from postern import ROOT, claim, content, message, run, until


def report(i, maildir, subject_part):
    def find():
        for f in i.mails(maildir):
            m = email.message_from_bytes(content(f), policy=email.policy.default)
            if m.get_content_type() == "multipart/report" and subject_part in str(m):
                return m
    return until(find)


def expired(i):
    i.block()
    reply = i.send(sender=i.rcpt2, msg=message("will expire", body="the body\n"))
    claim("accepted", reply.startswith("250"), reply)
    m = report(i, i.maildir2, "will expire")
    if not claim("after queue_lifetime the sender gets a report", m is not None, i.log()[-1500:]):
        return
    claim("from MAILER-DAEMON, to the sender, auto-submitted", "mailer-daemon" in m["From"].lower() and i.rcpt2 in m["To"] and m["Auto-Submitted"], m.items())
    claim("with the null sender", m["Return-Path"] == "<>", m["Return-Path"])
    parts = list(m.iter_parts())
    claim("multipart/report: text, delivery-status, the message", m.get_param("report-type") == "delivery-status" and [p.get_content_type() for p in parts] ==
          ["text/plain", "message/delivery-status", "message/rfc822"], [p.get_content_type() for p in parts])
    status = parts[1].as_string()
    for line in ("Reporting-MTA: dns; mail.example", "Action: failed", f"Final-Recipient: rfc822; {i.rcpt}", "Status: "):
        claim(f"delivery-status has {line}", line.lower() in status.lower(), status)
    claim("the text names recipient and reason", i.rcpt in parts[0].get_content(), parts[0].get_content())
    claim("the message comes back whole", "the body" in parts[2].as_string())
    claim("nothing is left in the queue", i.wait_queue_empty(), i.full_queue_files())


def only_headers_of_long_ones(i):
    i.send(sender=i.rcpt2, msg=message("long one", body="SECRET BODY\n" * 6000))
    m = report(i, i.maildir2, "long one")
    claim("of a long message the header comes back", m is not None and [p.get_content_type() for p in m.iter_parts()][2] == "text/rfc822-headers"
          and "SECRET BODY" not in m.as_string(), m and m.as_string()[:3000])


def no_bounce_of_a_bounce(i):
    i.block(i.maildir2)
    n = len(i.log_lines(" bounced "))
    reply = i.send(sender="", msg=message("null sender"))
    claim("a message with the null sender is accepted", reply.startswith("250"), reply)
    claim("when it expires nothing is sent", i.wait_queue_empty() and len(i.log_lines(" bounced ")) == n, i.log()[-1000:])
    i.send(sender=i.rcpt2, msg=message("both are blocked"))
    claim("a bounce that cannot be delivered ends there, with a log line", i.wait_queue_empty(40) and i.log_lines(r"expired|double"), i.log()[-1500:])
    i.unblock(i.maildir2)


def delay_warning(i):
    i.restart("queue_lifetime = 1h", "delay_warning = 2s", "retry_min = 1s", "retry_max = 1s")
    i.send(sender=i.rcpt2, msg=message("is late"))
    m = report(i, i.maildir2, "is late")
    claim("after delay_warning the sender is told once", m is not None and "action: delayed" in m.as_string().lower(), i.log()[-1500:])
    n = len(i.mails(i.maildir2))
    i.wait_log(" deferred .*", len(i.log_lines(" deferred ")) + 3)
    claim("and only once", len(i.mails(i.maildir2)) == n)
    i.unblock()
    i.postern("queue", "flush")
    claim("the message itself still arrives", until(lambda: any(b"is late" in content(f) for f in i.mails())))


def double_bounce(i):
    i.restart("queue_lifetime = 2s", "bounce_lifetime = 2s", "double_bounce_postmaster = yes", "delay_warning = 0")
    i.block(i.maildir2)
    i.send(i.rcpt2, sender=f"{i.env['RCPT2']}@{i.domain}", msg=message("double trouble"))
    m = report(i, i.maildir, "double trouble")
    claim("double_bounce_postmaster = yes: the postmaster is told", m is not None, i.log()[-1500:])
    i.unblock(i.maildir2)


def strangers_on_hold(i):
    i.restart("bounce_strangers = hold", "queue_lifetime = 2s")
    i.block()
    i.send(sender="stranger@client.example", msg=message("from a stranger"))
    claim("bounce_strangers = hold: it is held, not returned", until(lambda: [m["status"] for m in i.queue()] == ["hold"]), i.queue())
    i.unblock()


def vanished_user(i):
    """A user who vanished after the 250 is a permanent failure."""
    if ROOT:
        import subprocess
        i.restart("bounce_strangers = send", "queue_lifetime = 1h", "retry_min = 1s", "retry_max = 1s", "resolve_cache = 0s")
        i.block()
        i.send(sender=i.rcpt2, msg=message("user is leaving"))
        i.wait_log(" deferred .*", len(i.log_lines(" deferred ")) + 1)
        line = subprocess.run(["getent", "passwd", i.env["RCPT"]], capture_output=True, text=True).stdout.split(":")
        subprocess.run(["userdel", i.env["RCPT"]], check=True)
        i.postern("queue", "flush")
        m = report(i, i.maildir2, "user is leaving")
        claim("a user who vanished: failed with 5.1.1 and returned", m is not None and "5.1.1" in m.as_string(), i.log()[-1500:])
        subprocess.run(["useradd", "-M", "-N", "-g", "nogroup", "-u", line[2], "-d", line[5], line[0]], check=True)
        i.unblock()


run(expired, only_headers_of_long_ones, no_bounce_of_a_bounce, delay_warning, double_bounce, strangers_on_hold, vanished_user,
    sets=("queue_lifetime = 2s", "bounce_lifetime = 2s", "retry_min = 1s", "retry_max = 1s", "delay_warning = 0"))
