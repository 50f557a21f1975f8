"""VERP: each recipient's copy has a sender of its own, and reports go there."""
import re

from postern import claim, content, message, run, until
from sink import Sink

there = Sink("127.0.7.1", answer=lambda s, v, line: "550 5.1.1 nobody" if v == "RCPT" and "gone" in line else None)

his = Sink("127.0.7.2")


def last(i, n=12):
    return "\n".join(i.log().splitlines()[-n:])


def prepare(i):
    with open(f"{i.dir}/aliases", "a", encoding="utf-8") as f:
        f.write(f"list-owner: {i.env['RCPT']}\n")
    i.section(f"\n[relay there]\ndomains = there.example\nhost = 127.0.7.1:{there.port}\n"
              f"[relay his]\ndomains = there.example\nsenders = route@{i.domain}\nhost = 127.0.7.2:{his.port}\n")
    i.owner = f"list-owner@{i.domain}"


def strangers(i):
    c = i.smtp()
    claim("strangers are not offered XVERP", "XVERP" not in c.hello())
    reply = c.cmd("MAIL FROM:<a@client.example> XVERP")
    claim("and get 555", reply.startswith("555"), reply)
    c.close()


def copies(i):
    s = i.sendmail("-XV", "-f", i.owner, "a@there.example", "b@there.example", i.rcpt2, data=message("to the list"))
    got = there.wait(2)
    claim("sendmail -XV sends", s.returncode == 0, s.stderr)
    claim("each recipient there has a sender of its own", sorted((m.sender, m.rcpts) for m in got) ==
          [(f"list-owner+{u}=there.example@{i.domain}", [f"{u}@there.example"]) for u in "ab"], [(m.sender, m.rcpts) for m in got])
    want = f"Return-Path: <list-owner+{i.rcpt2.replace('@', '=')}@{i.domain}>".encode()
    claim("and the one here", until(lambda: any(want in content(f) for f in i.mails(i.maildir2))), last(i))
    i.sendmail("-XV-=", "-f", i.owner, "a@there.example", data=message("other delimiters"))
    claim("delimiters can be chosen", len(there.wait(3)) == 3 and there.messages[-1].sender == f"list-owner-a=there.example@{i.domain}", there.messages[-1].sender)
    i.sendmail("-XV", "-f", f"route@{i.domain}", "a@there.example", data=message("his route"))
    claim("a route for the sender is taken for what he becomes, too", len(his.wait(1)) == 1 and his.messages[0].sender == f"route+a=there.example@{i.domain}",
          (last(i), [m.sender for m in his.messages]))
    s = i.sendmail("-XVxy", "-f", i.owner, "a@there.example", data=message("no delimiters"))
    claim("others are refused", s.returncode == 64, s)


def reports(i):
    before = len(i.mails())
    i.sendmail("-XV", "-f", i.owner, "gone1@there.example", "gone2@there.example", data=message("undeliverable"))
    mails = i.wait_mails(before + 2)
    to = sorted(re.search(rb"^X-Original-To: (.*)$", content(f), re.M)[1].decode() for f in mails if b"multipart/report" in content(f))
    claim("a report for each, to the address that names the recipient", to == [f"list-owner+gone{n}=there.example@{i.domain}" for n in (1, 2)], (to, last(i)))
    claim("and nothing is left", i.wait_queue_empty(), i.queue())


run(prepare, strangers, copies, reports, sets=["retry_min = 1s", "retry_max = 1s"])
