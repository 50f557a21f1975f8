"""Who is this recipient: aliases, details, virtual mailboxes, postmaster, and no open relay."""
import os
import subprocess

from postern import ROOT, claim, content, headers_of, run, until


def write(path, text):
    with open(path + ".new", "w") as f:
        f.write(text)
    os.rename(path + ".new", path)


def refused_and_accepted(i):
    s = i.smtp()
    s.hello()
    s.cmd("MAIL FROM:<sender@client.example>")
    d = i.domain
    for rcpt, want in ((f"nosuch@{d}", "550 5.1.1"), (f"x@{i.env['RELAY_DOMAIN']}", "550 5.7.1"), (f"root+x@{d}", "250"),
                       (f"postmaster@{d}", "250 2.1.5"), (f"both@{d}", "250 2.1.5"), (f"{i.env['RCPT'].upper()}@{d}", "250 2.1.5"),
                       (f"bin@{d}", "550 5.1.1"), (f'"../{i.env["RCPT"]}"@{d}', "550 5.1.1"), (f"{i.env['RCPT']}/../x@{d}", "501 5.1.3"),
                       (f'"|id"@{d}', "550 5.1.1"), (f'"-oX"@{d}', "550 5.1.1"), (f'"a;b`id`$(id)"@{d}', "550 5.1.1")):
        reply = s.cmd(f"RCPT TO:<{rcpt}>")
        claim(f"RCPT {rcpt}: {want}", reply.startswith(want), reply)
    s.close()
    claim("a refusal names the address and helps", len(i.log_lines(r" rejected .*nosuch@")) >= 1, i.log()[-500:])


def alias_with_two_targets(i):
    n1, n2 = len(i.mails()), len(i.mails(i.maildir2))
    reply = i.send(f"both@{i.domain}")
    a, b = i.wait_mails(n1 + 1), i.wait_mails(n2 + 1, i.maildir2)
    claim("an alias reaches both its targets", reply.startswith("250") and len(a) == n1 + 1 and len(b) == n2 + 1, reply)
    head = headers_of(content(b[-1]))
    claim("X-Original-To names the alias", f"X-Original-To: both@{i.domain}" in head, head[:6])


def one_target_one_copy(i):
    n = len(i.mails())
    i.send([f"postmaster@{i.domain}", i.rcpt, f"root@{i.domain}"])
    i.wait_queue_empty()
    claim("three names of one user: one copy", len(i.wait_mails(n + 1)) == n + 1, len(i.mails()) - n)


def detail(i):
    n = len(i.mails())
    i.send(f"{i.env['RCPT']}+lists@{i.domain}")
    claim("user+detail reaches the user", len(i.wait_mails(n + 1)) == n + 1)


def changes_are_seen(i):
    base = content(f"{i.dir}/aliases").decode()
    write(f"{i.dir}/aliases", base + f"new: {i.env['RCPT']}\nloop1: loop2\nloop2: loop1\nself: self, {i.env['RCPT']}\n"
          f"pipe: \"|/bin/cat\"\nfile: /tmp/x\nlist: :include:/etc/hosts\naway: someone@{i.env['RELAY_DOMAIN']}\n")
    ok = until(lambda: i.send(f"new@{i.domain}").startswith("250"), 5)
    claim("a changed alias file is seen without a restart", ok)
    reply = i.send(f"loop1@{i.domain}")
    claim("an alias loop is caught", reply.startswith(("550 5", "554 5", "451 4", "450 4")), reply)
    for name in ("pipe", "file", "list"):
        reply = i.send(f"{name}@{i.domain}")
        claim(f"alias with {name}: accepted, never lost", reply.startswith("250"), reply)
    claim("and deferred with the reason", i.wait_log(r" deferred .*(command|\|)", 1) and i.wait_log(r" deferred .*include", 1), i.log()[-1500:])
    out = i.postern("check")
    claim("`postern check` warns of them", "include" in out.stdout + out.stderr, out.stdout + out.stderr)
    reply = i.send(f"away@{i.domain}")
    claim("an alias to another host is accepted", reply.startswith("250"), reply)
    claim("and kept with the reason", i.wait_log(rf" deferred .*{i.env['RELAY_DOMAIN']}", 1), i.log()[-800:])
    write(f"{i.dir}/aliases", base + "broken line without colon\n")
    reply = until(lambda: i.log_lines("table|alias") and i.send(i.rcpt), 5)
    claim("a broken alias file keeps its last good content", reply and reply.startswith("250"), reply)
    write(f"{i.dir}/aliases", base)


def compiled_aliases(i):
    write(f"{i.dir}/al2", f"compiled: {i.env['RCPT']}\npostmaster: {i.env['RCPT']}\n")
    out = i.postern("map", "compile", "--aliases", f"{i.dir}/al2", f"{i.dir}/al2.db")
    claim("postern map compile", out.returncode == 0, out.stderr)
    out = i.postern("map", "query", f"bdb:{i.dir}/al2", "compiled")
    claim("postern map query", i.env["RCPT"] in out.stdout, out.stdout + out.stderr)
    i.restart(f"aliases = bdb:{i.dir}/al2")
    n = len(i.mails())
    reply = i.send(f"compiled@{i.domain}")
    claim("bdb: aliases work", reply.startswith("250") and len(i.wait_mails(n + 1)) == n + 1, reply)
    write(f"{i.dir}/al2", f"compiled: {i.env['RCPT']}\nlater: {i.env['RCPT']}\n")
    i.postern("map", "compile", "--aliases", f"{i.dir}/al2", f"{i.dir}/al2.db")
    claim("a recompiled table is seen without a restart", until(lambda: i.send(f"later@{i.domain}").startswith("250"), 5))


def virtual_mailboxes(i):
    if ROOT:
        uid = os.stat(f"{i.dir}/home/{i.env['RCPT']}").st_uid
        os.chown(f"{i.dir}/mail", uid, -1)
        os.chmod(f"{i.dir}/mail", 0o755)
        write(f"{i.dir}/virtual", f"cleo@virtual.example cleo {uid}:65534\nbad@virtual.example ../../etc {uid}:65534\n")
    else:
        write(f"{i.dir}/virtual", content(f"{i.dir}/virtual").decode() + "cleo@virtual.example cleo\nbad@virtual.example ../../etc\n")
    i.restart(f"domains = {i.domain}, localhost, virtual.example")
    reply = i.send("cleo@virtual.example")
    found = i.wait_mails(1, f"{i.dir}/mail/cleo")
    claim("a virtual mailbox gets its mail", reply.startswith("250") and len(found) == 1, reply + i.log()[-500:])
    reply = i.send("bad@virtual.example")
    claim("a path that leaves virtual_base is never followed", not os.path.exists("/etc/new") and not os.path.exists(f"{i.dir}/etc"), reply)


def relay_for_trusted(i):
    i.restart("trusted_networks = 127.0.0.0/8")
    reply = i.send(f"x@{i.env['RELAY_DOMAIN']}")
    claim("a trusted client may send elsewhere", reply.startswith("250"), reply)
    claim("kept while no resolver answers, with that reason", i.wait_log(rf" deferred .*{i.env['RELAY_DOMAIN']}.*dsn=4.4.3.*resolver", 1), i.log()[-800:])


run(refused_and_accepted, alias_with_two_targets, one_target_one_copy, detail, changes_are_seen, compiled_aliases, virtual_mailboxes, relay_for_trusted)
