"""The admin's hands on the queue: list, show, hold, release, requeue, delete, flush, filters, JSON."""
import re

from postern import claim, content, message, run, until


def one_deferred(i):
    i.block()
    reply = i.send(msg=message("deferred one"))
    claim("a message for an unusable mailbox is accepted", reply.startswith("250"), reply)
    claim("and deferred with the true reason", i.wait_log(r" deferred .*(directory|Maildir)"), i.log()[-800:])
    q = until(lambda: [m for m in i.queue() if m.get("status") == "deferred"])
    claim("postern queue list --json shows it", len(q) == 1 and q[0]["sender"] == "sender@client.example", i.queue())
    claim("with recipient and reason", i.rcpt in str(q[0]) and q[0].get("reason"), q)
    out = i.postern("queue", "list")
    claim("the table names id, sender, recipient", q[0]["id"] in out.stdout and "sender@client.example" in out.stdout and i.rcpt in out.stdout, out.stdout)
    claim("no colour in a pipe", "\x1b" not in out.stdout)
    return q[0]["id"]


def acts(i):
    qid = one_deferred(i)
    out = i.postern("queue", "show", qid)
    claim("show: envelope and headers", "deferred one" in out.stdout and i.rcpt in out.stdout, out.stdout + out.stderr)
    out = i.postern("queue", "show", "--body", qid)
    claim("show --body: the text too", "\nhello\n" in out.stdout, out.stdout)
    out = i.postern("queue", "hold", qid)
    claim("hold", out.returncode == 0 and [m["status"] for m in i.queue()] == ["hold"], out.stderr + str(i.queue()))
    i.restart()
    claim("held over a restart", until(lambda: [m["status"] for m in i.queue()] == ["hold"]), i.queue())
    i.unblock()
    i.postern("queue", "flush")
    claim("flush does not touch what is held", [m["status"] for m in i.queue()] == ["hold"] and not i.mails())
    out = i.postern("queue", "release", qid)
    claim("release delivers it", out.returncode == 0 and len(i.wait_mails(1)) == 1, out.stderr)
    claim("the queue is empty", until(lambda: i.queue() == []), i.queue())


def flush_and_requeue(i):
    i.block()
    n = len(i.log_lines(" deferred "))
    i.send(msg=message("again"))
    until(lambda: len(i.log_lines(" deferred ")) > n)
    qid = until(lambda: i.queue())[0]["id"]
    i.postern("queue", "flush", qid)
    claim("flush tries at once", i.wait_log(rf"{qid} deferred ", 2), i.log()[-500:])
    i.unblock()
    out = i.postern("queue", "requeue", qid)
    claim("requeue tries at once, and it arrives", out.returncode == 0 and until(lambda: any(b"again" in content(f) for f in i.mails())), out.stderr)


def filters_and_delete(i):
    i.block()
    i.block(i.maildir2)
    for sender, rcpt in (("a@one.example", i.rcpt), ("b@one.example", i.rcpt2), ("c@two.example", i.rcpt)):
        i.send(rcpt, sender=sender)
    until(lambda: len([m for m in i.queue() if m.get("status") == "deferred"]) == 3)
    claim("three are queued", len(i.queue()) == 3, i.queue())
    claim("filter by sender", len(i.queue("--sender", "*@one.example")) == 2, i.queue("--sender", "*@one.example"))
    claim("filter by recipient", len(i.queue("--recipient", i.rcpt2)) == 1)
    claim("filter by domain", len(i.queue("--domain", i.domain)) == 3 and i.queue("--domain", "other.example") == [])
    claim("filter by age", i.queue("--older", "1h") == [] and len(i.queue("--younger", "1h")) == 3)
    claim("filter by status", len(i.queue("--status", "deferred")) == 3 and i.queue("--status", "hold") == [])
    out = i.postern("queue", "delete")
    claim("delete without a filter is refused", out.returncode != 0 and len(i.queue()) == 3, out.stdout)
    out = i.postern("queue", "delete", "--sender", "*@one.example")
    claim("delete by filter", out.returncode == 0 and [m["sender"] for m in i.queue()] == ["c@two.example"], i.queue())
    out = i.postern("queue", "delete", "nosuchid00000000")
    claim("an unknown id is an error that says so", out.returncode != 0 and "nosuchid" in out.stderr, out.stderr)
    mailq = i.postern("queue").stdout
    claim("`postern queue` alone lists", "c@two.example" in mailq, mailq)
    out = i.postern("queue", "delete", "--all")
    claim("delete --all", out.returncode == 0 and i.queue() == [], i.queue())
    claim("deleted files are gone", i.wait_queue_empty(), i.full_queue_files())
    i.unblock()
    i.unblock(i.maildir2)


def back_off(i):
    i.restart("retry_min = 1s", "retry_max = 2s")
    i.block()
    i.send(msg=message("retries"))
    i.wait_log(" deferred ", len(i.log_lines(" deferred ")) + 3)
    tries = [m["tries"] for m in i.queue()]
    claim("it is tried again by itself", tries and tries[0] >= 2, i.queue())
    i.restart()
    claim("the count of attempts survives a restart", until(lambda: i.queue() and i.queue()[0]["tries"] >= 2), i.queue())
    i.unblock()
    claim("and arrives when the trouble is over", until(lambda: any(b"retries" in content(f) for f in i.mails())))


run(acts, flush_and_requeue, filters_and_delete, back_off)
