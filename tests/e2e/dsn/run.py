"""RFC 3461: what a client asks of DSN over SMTP is what its reports say, field by field."""
import email
import email.policy
import os
import signal
import time

from postern import Smtp, claim, content, message, run, until
from sink import Sink


def reports(i, maildir, subject):
    found = []
    for f in i.mails(maildir):
        m = email.message_from_bytes(content(f), policy=email.policy.default)
        if m.get_content_type() == "multipart/report" and subject in m.as_string():
            found.append(m)
    return found


def fields(report):
    """The part for programs: its message fields, and those of each recipient."""
    part = list(report.iter_parts())[1]
    blocks = [dict(b.items()) for b in part.get_payload()]
    return blocks[0], blocks[1:]


def ask(i, subject, rcpts, mail="", sender=None, body="the body\n", local=False, **headers):
    """One message; rcpts are (address, parameters). The replies that are no 250."""
    s = Smtp(i.dir + "/sock/smtpd.submit") if local else i.smtp()
    s.hello()
    replies = [s.cmd(f"MAIL FROM:<{i.rcpt2 if sender is None else sender}> {mail}".rstrip())]
    replies += [s.cmd(f"RCPT TO:<{a}> {p}".rstrip()) for a, p in rcpts]
    replies.append(s.data(message(subject, body=body, **headers)))
    s.cmd("QUIT")
    s.close()
    return [r for r in replies if not r.startswith("250")]


def announced(i):
    s = i.smtp()
    claim("EHLO offers DSN", "DSN" in s.hello().split("\n")[-1] or any(line[4:] == "DSN" for line in s.hello().split("\n")))
    s.close()


def success(i):
    bad = ask(i, "tell me", [(i.rcpt, f"NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Some+2BOne@{i.domain}")], "RET=HDRS ENVID=QQ+2B314159")
    claim("a message with all of DSN is accepted", not bad, bad)
    claim("it is delivered", until(lambda: any(b"tell me" in content(f) for f in i.mails())), i.log()[-1500:])
    got = until(lambda: reports(i, i.maildir2, "tell me"))
    if not claim("its sender gets a report of success", got, i.log()[-2000:]):
        return
    m = got[0]
    head, rcpts = fields(m)
    claim("from the null sender, by no program to be answered", m["Return-Path"] == "<>" and m["Auto-Submitted"] == "auto-replied", m.items())
    claim("report-type and parts fit", m.get_param("report-type") == "delivery-status" and [p.get_content_type() for p in m.iter_parts()] ==
          ["text/plain", "message/delivery-status", "text/rfc822-headers"], [p.get_content_type() for p in m.iter_parts()])
    claim("Original-Envelope-Id is ENVID", head.get("Original-Envelope-Id") == "QQ+314159", head)
    claim("Reporting-MTA, Arrival-Date", head.get("Reporting-MTA", "").startswith("dns; ") and "Arrival-Date" in head, head)
    claim("one recipient", len(rcpts) == 1, rcpts)
    r = rcpts[0]
    claim("Action: delivered, Status 2", r.get("Action") == "delivered" and r.get("Status", "").startswith("2."), r)
    claim("Original-Recipient is ORCPT", r.get("Original-Recipient") == f"rfc822; Some+One@{i.domain}", r)
    claim("Final-Recipient", r.get("Final-Recipient") == f"rfc822; {i.rcpt}", r)
    claim("Last-Attempt-Date, Final-Log-ID; no diagnostics", "Last-Attempt-Date" in r and "Final-Log-ID" in r and "Diagnostic-Code" not in r, r)
    claim("the mailbox's path is not told", i.maildir not in m.as_string(), m.as_string())
    claim("nothing is left in the queue", i.wait_queue_empty(), i.full_queue_files())


def one_for_two(i):
    ask(i, "two of them", [(i.rcpt, "NOTIFY=SUCCESS"), (i.rcpt2, "NOTIFY=SUCCESS")])
    got = until(lambda: reports(i, i.maildir2, "two of them"))
    claim("one report tells of both recipients", got and sorted(r["Final-Recipient"] for r in fields(got[0])[1]) ==
          sorted([f"rfc822; {i.rcpt}", f"rfc822; {i.rcpt2}"]), got and got[0].as_string())
    claim("and it is the only one", i.wait_queue_empty() and len(reports(i, i.maildir2, "two of them")) == 1)


def expanded(i):
    ask(i, "to all", [(f"both@{i.domain}", f"NOTIFY=SUCCESS ORCPT=rfc822;Both@{i.domain}")])
    got = until(lambda: reports(i, i.maildir2, "to all"))
    rcpts = fields(got[0])[1] if got else []
    claim("an address with several behind it is reported as expanded, its members are not", [r["Action"] for r in rcpts] == ["expanded"] and
          rcpts[0]["Original-Recipient"] == f"rfc822; Both@{i.domain}", got and got[0].as_string())
    claim("all members have it, and there is one report", i.wait_queue_empty() and any(b"to all" in content(f) for f in i.mails())
          and len(reports(i, i.maildir2, "to all")) == 1)


def nobody_asked(i):
    n = len(i.log_lines(" success-reported "))
    ask(i, "usual", [(i.rcpt, "")])
    ask(i, "null", [(i.rcpt, "NOTIFY=SUCCESS,FAILURE")], sender="")
    ask(i, "never", [(i.rcpt, "NOTIFY=NEVER")])
    claim("all three are delivered", until(lambda: all(any(w in content(f) for f in i.mails()) for w in (b"usual", b"null", b"never"))))
    claim("without NOTIFY, for NEVER and for the null sender no success is told",
          i.wait_queue_empty() and len(i.log_lines(" success-reported ")) == n, i.log()[-1500:])


def language(i):
    ask(i, "auf deutsch", [(i.rcpt, "NOTIFY=SUCCESS")], **{"Accept-Language": "de-AT, en"})
    got = until(lambda: reports(i, i.maildir2, "auf deutsch"))
    text = list(got[0].iter_parts())[0] if got else None
    claim("the report speaks the language of the message", got and text["Content-Language"] == "de" and "Postfach" in text.get_content(), i.log()[-1000:])


def failures(i):
    i.restart("queue_lifetime = 2s", "retry_min = 1s", "retry_max = 1s", "delay_warning = 0")
    i.block()
    ask(i, "no headers", [(i.rcpt, "NOTIFY=FAILURE")], "RET=HDRS ENVID=F1", body="SECRET\n")
    ask(i, "keep quiet", [(i.rcpt, "NOTIFY=NEVER")])
    ask(i, "only good news", [(i.rcpt, "NOTIFY=SUCCESS")])
    ask(i, "all of it", [(i.rcpt, "NOTIFY=FAILURE,DELAY")], "RET=FULL", body="long line of text\n" * 5000)
    got = until(lambda: reports(i, i.maildir2, "no headers"), 40)
    if claim("a failure that was asked for is told", got, i.log()[-1500:]):
        head, rcpts = fields(got[0])
        claim("Action: failed, with its reason", rcpts[0]["Action"] == "failed" and "Diagnostic-Code" in rcpts[0] and head["Original-Envelope-Id"] == "F1", rcpts)
        claim("RET=HDRS: no text comes back", "SECRET" not in got[0].as_string())
    got = until(lambda: reports(i, i.maildir2, "all of it"), 40)
    claim("RET=FULL: all of a long message comes back", got and got[0].as_string().count("long line of text") == 5000, i.log()[-1500:])
    claim("NEVER and NOTIFY=SUCCESS: no report, the log has it", i.wait_queue_empty(40) and len(i.log_lines(" not-reported ")) == 2
          and not reports(i, i.maildir2, "keep quiet") and not reports(i, i.maildir2, "only good news"), i.log()[-1500:])


def delays(i):
    i.restart("queue_lifetime = 1h", "delay_warning = 2s")
    ask(i, "late without asking", [(i.rcpt, "NOTIFY=FAILURE")])
    ask(i, "late and asking", [(i.rcpt, "NOTIFY=DELAY ORCPT=rfc822;x@y.example")])
    got = until(lambda: reports(i, i.maildir2, "late and asking"))
    rcpts = fields(got[0])[1] if got else [{}]
    claim("a delay is told to who asked", rcpts[0].get("Action") == "delayed" and "Will-Retry-Until" in rcpts[0]
          and rcpts[0]["Original-Recipient"] == "rfc822; x@y.example", i.log()[-1500:])
    n = len(i.log_lines(" deferred "))
    i.wait_log(" deferred ", n + 4)
    claim("and not to who did not", not reports(i, i.maildir2, "late without"))
    i.unblock()
    i.postern("queue", "flush")
    claim("both arrive", until(lambda: sum(b"Subject: late" in content(f) for f in i.mails()) == 2), i.log()[-1000:])


def a_crash_repeats_no_delivery(i):
    i.restart("bounce_workers_max = 1", "retry_min = 1s", "retry_max = 1s")
    i.expect_deaths = True
    pids = i.pids("bounce")
    for p in pids:  # nobody writes the report
        os.kill(p, signal.SIGSTOP)
    ask(i, "crash in between", [(i.rcpt, "NOTIFY=SUCCESS")])
    until(lambda: any(b"crash in between" in content(f) for f in i.mails()))
    owed = until(lambda: any(b"Postern-To: d " in content(f)[:2000] for f in i.full_queue_files()))
    claim("while the report is owed the queue file says so", owed, [content(f)[:300] for f in i.full_queue_files()])
    i.kill("queue-mgr")
    for p in pids:
        os.kill(p, signal.SIGCONT)
    claim("after kill -9 of queue-mgr the report still comes", until(lambda: reports(i, i.maildir2, "crash in between"), 40), i.log()[-2000:])
    claim("and the message is there once", i.wait_queue_empty(40) and sum(b"crash in between" in content(f) for f in i.mails()) == 1)


def future_release(i):
    begin = time.time()
    bad = ask(i, "not yet", [(i.rcpt, "")], "HOLDFOR=4", local=True)
    claim("HOLDFOR is accepted from a local program", not bad, bad)
    listed = until(lambda: [m for m in i.queue() if "FUTURERELEASE" in m.get("reason", "")])
    claim("the listing says that it waits, and until when", listed and begin + 3 <= listed[0]["due"] <= begin + 6, i.queue())
    i.postern("queue", "flush")
    arrived = until(lambda: any(b"not yet" in content(f) for f in i.mails()))
    claim("it arrives then, and no sooner, flushed or not", arrived and time.time() - begin > 3, time.time() - begin)


def deliver_by(i):
    i.restart("queue_lifetime = 1h", "retry_min = 1s", "retry_max = 1s", "delay_warning = 0", "bounce_workers_max = 2")
    i.block()
    bad = ask(i, "by three", [(i.rcpt, "")], "BY=2;R") + ask(i, "tell me by then", [(i.rcpt, "")], "BY=2;N")
    claim("DELIVERBY is accepted", not bad, bad)
    got = until(lambda: reports(i, i.maildir2, "by three"))
    rcpts = fields(got[0])[1] if got else [{}]
    claim("mode R: returned with 5.4.7 when the time is over", rcpts[0].get("Status") == "5.4.7" and rcpts[0].get("Action") == "failed", i.log()[-1500:])
    got = until(lambda: reports(i, i.maildir2, "tell me by then"))
    claim("mode N: told of the delay, and tried on", got and fields(got[0])[1][0]["Action"] == "delayed" and len(i.queue()) == 1, i.log()[-1500:])
    i.unblock()
    i.postern("queue", "flush")
    claim("it arrives", i.wait_queue_empty())


def remote(i):
    """Recipients at hosts that know DSN, and that do not."""
    busy = "452 4.2.2 mailbox full"
    replies = lambda s, v, line: "550 5.1.1 nobody" if v == "RCPT" and "<gone@" in line else busy if v == "RCPT" and "<full@" in line else None
    old, new = Sink("127.0.8.1", answer=replies), Sink("127.0.8.2", caps=("PIPELINING", "8BITMIME", "DSN", "SMTPUTF8"), answer=replies)
    i.restart("delay_warning = 1s", "trusted_networks = 127.0.0.0/8", "queue_lifetime = 1h", "retry_min = 1s", "retry_max = 1s")
    i.section(f"\n[relay old]\ndomains = old.example\nhost = 127.0.8.1:{old.port}\n[relay new]\ndomains = new.example\nhost = 127.0.8.2:{new.port}\n"
              "[relay away]\ndomains = away.example\nhost = 127.0.8.3:1\n")
    ask(i, "both kinds", [("a@old.example", "NOTIFY=SUCCESS ORCPT=rfc822;A@old.example"), ("a@new.example", "NOTIFY=SUCCESS ORCPT=rfc822;a@new.example")],
        "RET=HDRS ENVID=R1")
    got = until(lambda: reports(i, i.maildir2, "both kinds"))
    rcpts = fields(got[0])[1] if got else [{}]
    claim("a host without DSN: its recipient is reported as relayed, to that host; of the other its host tells", len(rcpts) == 1 and rcpts[0]["Action"] == "relayed"
          and rcpts[0]["Final-Recipient"] == "rfc822; a@old.example" and rcpts[0]["Remote-MTA"] == "dns; [127.0.8.1]", i.log()[-1500:])
    claim("what it answered is no failure", rcpts[0].get("Status") == "2.0.0" and rcpts[0].get("Diagnostic-Code", "").startswith("smtp; 250 "), rcpts)
    said = " ".join(new.sessions[0].commands) if new.sessions else ""
    claim("the one with DSN was given all of it", "RET=HDRS ENVID=R1" in said and "NOTIFY=SUCCESS ORCPT=rfc822;a@new.example" in said, said)
    ask(i, "refused there", [("gone@old.example", "NOTIFY=FAILURE ORCPT=rfc822;Gone@old.example"), ("gone@new.example", "NOTIFY=NEVER"), ("b@old.example", "")],
        "RET=HDRS ENVID=R2", body="SECRET\n")
    got = until(lambda: reports(i, i.maildir2, "refused there"))
    head, rcpts = fields(got[0]) if got else ({}, [{}])
    claim("a refusal is told with the host's words, name and status", len(rcpts) == 1 and rcpts[0].get("Action") == "failed" and rcpts[0].get("Status") == "5.1.1"
          and rcpts[0].get("Diagnostic-Code", "").startswith("smtp; 550 5.1.1 nobody") and rcpts[0].get("Remote-MTA") == "dns; [127.0.8.1]", rcpts)
    claim("with ENVID and ORCPT, without the text", head.get("Original-Envelope-Id") == "R2" and rcpts[0].get("Original-Recipient") == "rfc822; Gone@old.example"
          and "SECRET" not in got[0].as_string())
    claim("the other recipient has it; for NEVER there is no report", i.wait_queue_empty() and len(reports(i, i.maildir2, "refused there")) == 1, i.queue())
    ask(i, "not yet there", [("full@old.example", "NOTIFY=DELAY")])
    ask(i, "no such host", [("a@away.example", "NOTIFY=DELAY")])
    got = until(lambda: reports(i, i.maildir2, "not yet there"))
    rcpts = fields(got[0])[1] if got else [{}]
    claim("a delay is told with the host's words", rcpts[0].get("Action") == "delayed" and rcpts[0].get("Status") == "4.2.2" and "Will-Retry-Until" in rcpts[0]
          and rcpts[0].get("Diagnostic-Code", "").startswith("smtp; 452 4.2.2 mailbox full"), i.log()[-1500:])
    got = until(lambda: reports(i, i.maildir2, "no such host"))
    rcpts = fields(got[0])[1] if got else [{}]
    claim("what we say of a host that does not answer is not called its words", rcpts[0].get("Diagnostic-Code", "").startswith("x-postern; "), rcpts)
    for sender in ("w@old.example", i.rcpt2):
        s = i.smtp()
        s.hello()
        s.starttls()
        s.hello()
        claim("REQUIRETLS is taken", s.cmd(f"MAIL FROM:<{sender}> REQUIRETLS").startswith("250") and s.cmd("RCPT TO:<c@old.example>").startswith("250")
              and s.data(message("for no eyes")).startswith("250"))
        s.close()
    got = until(lambda: reports(i, i.maildir2, "for no eyes"))
    claim("what cannot go protected (RFC 8689) is told to a sender here", got and fields(got[0])[1][0]["Action"] == "delayed", i.log()[-1500:])
    claim("a report about it is not sent to another host unprotected either", i.wait_log(r" deferred to=w@old.example .*cannot be verified")
          and not any(b"for no eyes" in m.data for m in old.messages), i.log()[-1500:])


def over_the_wire(i):
    """Reports that remote-delivery takes to their sender, and lists with members elsewhere."""
    nobody = lambda s, v, line: "550 5.1.1 nobody" if v == "RCPT" and "<gone" in line else None
    i.postern("queue", "delete", "--all")
    far = Sink("127.0.8.4", caps=("PIPELINING", "8BITMIME", "DSN", "SMTPUTF8"), answer=nobody)
    plain = Sink("127.0.8.5", caps=("PIPELINING",))
    with open(f"{i.dir}/aliases", "a", encoding="utf-8") as f:
        f.write(f"mixed: {i.env['RCPT']}, member@far.example\n")
    i.section(f"\n[relay far]\ndomains = far.example\nhost = 127.0.8.4:{far.port}\n[relay plain]\ndomains = plain.example\nhost = 127.0.8.5:{plain.port}\n")

    def told(sink, subject):
        found = [m for m in list(sink.messages) if m.sender == "" and subject in m.data]
        return (found[0], email.message_from_bytes(found[0].data, policy=email.policy.default)) if found else None

    ask(i, "utf8 lost", [("gone-j\u00f6rg@far.example", "")], "SMTPUTF8", sender="w@far.example", **{"Accept-Language": "de"})
    got = until(lambda: told(far, b"utf8 lost"))
    if claim("a report about an address in UTF-8 goes over the wire", got, i.log()[-2000:]):
        m, r = got
        claim("as SMTPUTF8, from nobody, to its sender", m.rcpts == ["w@far.example"] and any("MAIL FROM:<>" in c and "SMTPUTF8" in c for c in m.session.commands), m.session.commands)
        parts = list(r.iter_parts())
        claim("RFC 6533: its part for programs is global", parts[1].get_content_type() == "message/global-delivery-status" and
              "Final-Recipient: utf-8; gone-j\u00f6rg@far.example".encode() in m.data, m.data.decode()[-2500:])
        claim("in the sender's language, also over the wire", parts[0]["Content-Language"] == "de", parts[0].items())
    ask(i, "plain lost", [("gone@far.example", "")], sender="w@plain.example", body="gr\u00fc\u00dfe\n")
    got = until(lambda: told(plain, b"plain lost"))
    if claim("a report to a host of 7 bits arrives there", got, i.log()[-2000:]):
        m, r = got
        claim("in 7 bits, in the form of RFC 3464", m.data.isascii() and list(r.iter_parts())[1].get_content_type() == "message/delivery-status", m.data[-2000:])
    ask(i, "mixed list", [(f"mixed@{i.domain}", "NOTIFY=SUCCESS,FAILURE")], sender="w@far.example")
    got = until(lambda: told(far, b"mixed list"))
    claim("a list with a member elsewhere is reported as expanded, once", got and [b["Action"] for b in fields(got[1])[1]] == ["expanded"], i.log()[-2000:])
    claim("the member elsewhere has it", until(lambda: [m for m in far.messages if m.rcpts == ["member@far.example"]]) and i.wait_queue_empty(), i.queue())
    said = [c for s in far.sessions for c in s.commands if "member@" in c]
    claim("and its host was not asked to tell of success again (RFC 3461 5.2.7)", said and not any("SUCCESS" in c for c in said), said)
    far.close()
    plain.close()


run(announced, success, one_for_two, expanded, nobody_asked, language, future_release, failures, delays, deliver_by, a_crash_repeats_no_delivery, remote,
    over_the_wire, sets=("retry_min = 1s", "retry_max = 1s"))
