"""Who may do what: rules with every action and every kind of table, changed while running; failures; and no open relay."""
import os
import signal
import socket
import time

from postern import claim, content, headers_of, run, until

FAR = "x@elsewhere.example"


def write(path, text):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path + ".new", 0o644)
    os.rename(path + ".new", path)


def rules(i, text):
    """The configuration's rules are these from now on."""
    path = f"{i.dir}/settings"
    old = content(path).decode()
    write(path, old.split("# rules\n")[0] + "# rules\n" + text)
    i.restart()


def said(i, rcpt, sender="sender@client.example"):
    """The replies to greeting, EHLO, MAIL and RCPT, up to the first refusal."""
    s = i.smtp()
    replies = [s.greeting]
    for line in ("EHLO client.example", f"MAIL FROM:<{sender}>", f"RCPT TO:<{rcpt}>"):
        if replies[-1][:1] != "2":
            break
        replies.append(s.cmd(line))
    s.close()
    return replies


def greeted(i, address):
    """What a client at this loopback address is told first."""
    with socket.create_connection(i.where, 15, (address, 0)) as s:
        return s.makefile().readline().strip()


def last(i, *args):
    return said(i, *args)[-1]


def each_action(i):
    rules(i, f"""
[rule mark]
sender = tagged@client.example
action = tag X-Origin: outside
[rule mark-two]
sender = tagged@client.example
action = tag seen
[rule wait]
sender = held@client.example
action = hold looks odd
[rule turn]
recipient = gone@{i.domain}
action = redirect {i.rcpt2}
[rule friends]
sender = friend@client.example
action = accept
[rule partner]
client = 127.0.0.0/8
sender = partner@client.example
action = relay
[rule blocked]
sender = .example, !sender@client.example, !tagged@client.example, !held@client.example
action = reject 553 5.1.8 Not from there
[rule later]
recipient = {i.rcpt2}
action = tempfail 451 4.7.5 Not now
""")
    claim("what no rule is about is as ever", i.send().startswith("250"))
    reply = last(i, i.rcpt, "spam@bad.example")
    claim("reject says what it is told, at MAIL", reply == "553 5.1.8 Not from there", reply)
    claim("and is logged with the rule", i.wait_log(r" rejected .*rule=blocked"), i.log()[-400:])
    claim("accept ends the list", last(i, i.rcpt, "friend@client.example").startswith("250"))
    reply = last(i, i.rcpt2)
    claim("tempfail at RCPT", reply == "451 4.7.5 Not now", reply)
    reply = last(i, FAR, "friend@client.example")
    claim("accept does not let anybody relay", reply.startswith("550 5.7.1"), reply)
    claim("relay does", last(i, FAR, "partner@client.example").startswith("250"))
    i.wait_queue_empty()
    n = len(i.mails())
    i.send(sender="tagged@client.example")
    head = headers_of(content(i.wait_mails(n + 1)[-1]))
    claim("tag adds its header lines", "X-Origin: outside" in head and "X-Postern-Tag: seen" in head, head)
    n = len(i.mails(i.maildir2))
    claim("a redirected recipient is taken", i.send(f"gone@{i.domain}").startswith("250"))
    claim("and another gets the mail", len(i.wait_mails(n + 1, i.maildir2)) == n + 1)
    n = len(i.mails())
    reply = i.send(sender="held@client.example")
    held = until(lambda: [m for m in i.queue() if "held@client.example" in str(m)])
    claim("hold keeps the message", reply.startswith("250") and held and len(i.mails()) == n, f"{reply} {i.queue()}")
    claim("and logs why", i.wait_log(r" rule .*rule=wait action=hold .*text=\"looks odd\""), i.log()[-600:])
    i.postern("queue", "release", "--all")
    out = i.postern("queue", "release", held[0]["id"]) if held else None
    claim("until it is released", len(i.wait_mails(n + 1)) == n + 1, out)


def a_hold_outlives_the_queue_manager(i):
    """The note about a held message is lost with queue-mgr; the file says it too."""
    i.expect_deaths = True
    n = len(i.mails())
    s = i.smtp()
    s.hello()
    s.envelope(i.rcpt, "held@client.example")
    s.cmd("DATA")
    for p in i.pids("queue-mgr"):
        os.kill(p, signal.SIGSTOP)
    s.send("Subject: held\r\n\r\nx\r\n.\r\n")
    reply = s.reply()
    i.kill("queue-mgr")
    s.close()
    held = until(lambda: [m for m in i.queue() if "held@client.example" in str(m)])
    claim("a message that a rule holds is held after a crash too", reply.startswith("250") and held and "hold" in str(held[0]) and
          len(i.mails()) == n, f"{reply} {i.queue()}")
    i.postern("queue", "delete", held[0]["id"]) if held else None


def each_stage(i):
    rules(i, "[rule c]\nclient = 127.0.0.2\naction = reject Not you\n[rule d]\nclient = 127.0.0.3\naction = tempfail\n")
    r = [greeted(i, f"127.0.0.{n}") for n in (1, 2, 3)]
    claim("a client is refused in the greeting, for good or for now",
          r[0].startswith("220") and r[1] == "554 Not you" and r[2].startswith("421"), r)
    rules(i, "[rule h]\nhelo = client.example\naction = reject\n")
    r = said(i, i.rcpt)
    claim("a name is refused at EHLO", len(r) == 2 and r[1].startswith("550 "), r)
    rules(i, f"[rule p]\nrecipient = {i.domain}\naction = reject\n")
    claim("the postmaster is reached all the same", last(i, "postmaster").startswith("250") and last(i, i.rcpt).startswith("550 5.7.1"))
    out = i.sendmail(i.rcpt, data="Subject: x\n\nhello\n")
    claim("programs of this machine are not concerned", out.returncode == 0, out.stderr)


def each_table(i):
    d = f"{i.dir}/tables"
    os.makedirs(d, exist_ok=True)
    os.chmod(d, 0o755)
    write(f"{d}/nets", "127.0.0.0/8\n")
    write(f"{d}/patterns", "# nobody\n")
    write(f"{d}/senders", "nobody@x.example x\n")
    write(f"{d}/flat", "nobody@x.example x\n")
    i.postern("map", "compile", f"{d}/flat", f"{d}/flat.db")
    rules(i, f"""
[rule net]
client = !cidr:{d}/nets
action = reject net
[rule pattern]
sender = regexp:{d}/patterns
action = reject pattern
[rule text]
sender = text:{d}/senders
action = reject text
[rule bdb]
sender = bdb:{d}/flat
action = reject bdb
[rule here]
sender = inline:{{no@client.example=x}}
action = reject inline
""")
    claim("no table has the sender", last(i, i.rcpt).startswith("250"), said(i, i.rcpt))
    claim("inline:", "inline" in last(i, i.rcpt, "no@client.example"))
    write(f"{d}/flat", "client.example x\n")
    i.postern("map", "compile", f"{d}/flat", f"{d}/flat.db")
    claim("bdb: a compiled table is seen without a restart", until(lambda: "bdb" in last(i, i.rcpt), 5), said(i, i.rcpt))
    write(f"{d}/senders", "sender@client.example x\n")
    claim("text: a changed file too", until(lambda: "text" in last(i, i.rcpt), 5), said(i, i.rcpt))
    write(f"{d}/patterns", "/^SENDER@/\n")
    claim("regexp: the same", until(lambda: "pattern" in last(i, i.rcpt), 5), said(i, i.rcpt))
    write(f"{d}/nets", "10.0.0.0/8\n")
    claim("cidr: the same", until(lambda: "net" in last(i, i.rcpt), 5), said(i, i.rcpt))
    write(f"{d}/nets", "127.0.0.0/8\nnonsense\n")
    claim("a faulty file is logged with its line", until(lambda: last(i, i.rcpt) and i.log_lines(r" table-fault .*nets:2: nonsense"), 5),
          i.log()[-600:])
    claim("and its last good content serves on", "net" in last(i, i.rcpt))
    out = i.postern("map", "query", f"regexp:{d}/patterns", "sender@x.example").returncode
    claim("postern map queries such tables", out == 0 and "10.0.0.0/8" not in i.postern("map", "dump", f"cidr:{d}/nets").stdout)


def a_pattern_that_explodes(i):
    write(f"{i.dir}/tables/patterns", "/^(a+)+$/\n")
    rules(i, f"[rule p]\nsender = regexp:{i.dir}/tables/patterns\naction = reject\n")
    start = time.monotonic()
    reply = last(i, i.rcpt, "a" * 60 + "@client.example")
    took = time.monotonic() - start
    claim("a pattern that needs too much work is 451, soon", reply.startswith("451 4.3.0") and took < 2, f"{reply} {took}")
    claim("and named in the log", i.wait_log(r" table-fault .*patterns:1: a key needs too much work"), i.log()[-600:])
    claim("others are served", last(i, i.rcpt).startswith("250"), said(i, i.rcpt))


def nobody_answers(i):
    rules(i, f"[rule gone]\nsender = text:{i.dir}/tables/none\naction = accept\n")
    reply = last(i, i.rcpt)
    claim("a table that is not there: 451", reply.startswith("451 4.3.0"), reply)
    claim("with the rule in the log", i.wait_log(r" rejected .*rule=gone"), i.log()[-400:])
    rules(i, "[rule r]\nsender = inline:{x@y.example=z}\naction = reject\n")
    s = i.smtp()
    s.hello()
    stopped = i.pids("resolve")
    for p in stopped:
        os.kill(p, signal.SIGSTOP)
    s.sock.settimeout(60)
    start = time.monotonic()
    reply = s.cmd("MAIL FROM:<sender@client.example>")
    for p in stopped:
        os.kill(p, signal.SIGCONT)
    claim("a resolve that hangs: 451, in bounded time", reply.startswith("451 4.3.0"), f"{reply} after {time.monotonic() - start:.0f} s")
    s.close()
    claim("and well again afterwards", until(lambda: last(i, i.rcpt).startswith("250"), 10), said(i, i.rcpt))


def names_of_clients(i):
    by_name = ("[rule l]\nptr = localhost\nsender = local@client.example\naction = reject by name\n"
               "[rule u]\nptr = unknown\nsender = unknown@client.example\naction = reject no name\n")
    rules(i, by_name)
    claim("without reverse_dns every client is unknown", "no name" in last(i, i.rcpt, "unknown@client.example"))
    rules(i, "reverse_dns = yes\n" + by_name)
    claim("a name that leads back is known at RCPT", until(lambda: "by name" in last(i, i.rcpt, "local@client.example"), 5),
          said(i, i.rcpt, "local@client.example"))
    n = len(i.mails())
    i.send()
    head = [h for h in headers_of(content(i.wait_mails(n + 1)[-1])) if h.startswith("Received:")]
    claim("and stands in Received", "(localhost [127.0.0.1])" in head[0], head)
    stopped = i.pids("resolve")
    for p in stopped:
        os.kill(p, signal.SIGSTOP)
    start = time.monotonic()
    greeting = greeted(i, "127.0.0.9")
    took = time.monotonic() - start
    for p in stopped:
        os.kill(p, signal.SIGCONT)
    claim("the greeting never waits for a name", greeting.startswith("220") and took < 1, f"{greeting} {took}")
    claim("all is well afterwards", until(lambda: last(i, i.rcpt).startswith("250"), 10))
    rules(i, "reverse_dns = yes\nreverse_dns_timeout = 1s\n[rule away]\nptr = tempfail\naction = tempfail 450 4.7.25 Your name is not known yet\n"
             "[rule none]\nptr = unknown\nsender = unknown@client.example\naction = reject no name\n")
    stopped = i.pids("resolve")
    for p in stopped:
        os.kill(p, signal.SIGSTOP)
    reply = last(i, i.rcpt, "unknown@client.example")
    for p in stopped:
        os.kill(p, signal.SIGCONT)
    claim("a name that nobody tells in time is no missing name", reply == "450 4.7.25 Your name is not known yet", reply)
    claim("one that is told is no failure", until(lambda: last(i, i.rcpt).startswith("250"), 10), said(i, i.rcpt))


def open_relays_are_found(i):
    write(f"{i.dir}/tables/wide", "127.0.0.0/8\n64.0.0.0/2\n")
    path = f"{i.dir}/settings"
    good = content(path).decode()
    conf = i.env.get("CONF") or f"{i.dir}/postern.conf"
    base = content(conf).decode().split("[rule ")[0]
    for text, want in (("[rule r]\naction = relay\n", "[rule r]: strangers may relay"),
                       ("[rule r]\nsender = mail.example\naction = relay\n", "[rule r]: strangers may relay"),
                       ("[rule r]\naccount = !al\naction = relay\n", "[rule r]: strangers may relay"),
                       ("[rule r]\nclient = 0.0.0.0/1, 128.0.0.0/1\naction = relay\n", "[rule r]: strangers may relay"),
                       (f"[rule r]\nclient = cidr:{i.dir}/tables/wide\naction = relay\n", "64.0.0.0/2: everybody in it may relay by [rule r]"),
                       (f"[rule r]\nclient = cidr:{i.dir}/tables/none\naction = relay\n", "client = cidr:")):
        write(f"{i.dir}/open.conf", base + "\n" + text)
        out = i.postern("check", "-c", f"{i.dir}/open.conf")
        if out.returncode == 64:
            out = i.postern("-c", f"{i.dir}/open.conf", "check")
        claim(f"check finds {text.splitlines()[1]} {text.splitlines()[2] if 'action' not in text.splitlines()[1] else ''}",
              out.returncode == 78 and want in out.stdout, f"{out.returncode} {out.stdout} {out.stderr}")
    public, own = f"{i.dir}/public.pem", f"{i.dir}/own.pem"
    pem = "-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n"
    write(public, pem * 140)
    write(own, pem)
    rule = "[rule r]\ntls = verified\naction = relay\n"
    for ca, want, code in ((public, "holds 140 CAs", 78), (own, "relaying: who meets [rule r]", None), ("", "without tls_client_ca_file", None)):
        write(f"{i.dir}/open.conf", f"tls_client_ca_file = {ca}\n" + base + "\n" + rule)
        out = i.postern("-c", f"{i.dir}/open.conf", "check")
        claim(f"check of certificates by {os.path.basename(ca) or 'nobody'}: {want}", want in out.stdout and (code in (None, out.returncode)),
              f"{out.returncode} {out.stdout} {out.stderr}")
    write(f"{i.dir}/open.conf", "trusted_networks = 0.0.0.0/1, 128.0.0.0/1\n" + "\n".join(
        line for line in base.splitlines() if not line.startswith("trusted_networks")) + "\n")
    out = i.postern("-c", f"{i.dir}/open.conf", "check")
    claim("check finds everybody in halves", out.returncode == 78 and "trusted_networks: 0.0.0.0/1" in out.stdout, out.stdout + out.stderr)
    out = i.postern("-c", conf, "check")
    claim("and nothing of the kind in a good one", "strangers" not in out.stdout and "open relay" not in out.stdout, out.stdout + good[-300:])


run(each_action, a_hold_outlives_the_queue_manager, each_stage, each_table, a_pattern_that_explodes, nobody_answers, names_of_clients, open_relays_are_found)
