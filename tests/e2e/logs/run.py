"""The log: one event, one line; nobody can forge one; rotation; JSON; what happens without logd."""
import json
import os
import re
import socket

from postern import claim, content, message, run, until

LINE = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [a-z-]+\[\d+\] \S+ [a-z_-]+( |$)"


def form(i):
    s = i.smtp()
    s.cmd(b"EHLO x\x1b[31m\"evil=1 \xff\xfe")
    s.cmd("MAIL FROM:<a@client.example>")
    s.cmd('RCPT TO:<"x\\" accepted from=<forged> y"@' + i.domain + ">")
    s.cmd("RCPT TO:<nosuch@" + i.domain + "> accepted=1")
    s.close()
    i.send(msg=message("two\n accepted forged"))
    i.wait_log(" delivered ")
    odd = [line for line in i.log().splitlines() if not re.match(LINE, line)]
    claim("every line has the one form", not odd, odd[:5])
    raw = content(i.log_path)
    claim("no control bytes", all(b >= 0x20 or b == 10 for b in raw))
    ids = [line.split()[2].split("/")[-1] for line in i.log_lines(r"^\S+ \S+ \S+ accepted ")]
    claim("accepted and delivered share the queue id", ids and any(ids[0] in line for line in i.log_lines(" delivered ")), i.log())
    out = i.postern("log", "--id", ids[0])
    claim("postern log --id shows one message's life", out.returncode == 0 and "accepted" in out.stdout and "delivered" in out.stdout, out.stdout + out.stderr)


def rotation(i):
    os.rename(i.log_path, i.log_path + ".1")
    out = i.postern("log", "reopen")
    i.send()
    claim("postern log reopen: a new file is begun", out.returncode == 0 and until(lambda: i.log_lines(" accepted from=")), out.stderr + out.stdout)


def knocks(i):
    """Sockets that every user of the machine may connect to: who does it without end does not fill the log."""
    where = i.postern("config", "runtime_directory").stdout.split("=")[-1].strip()
    for name, kind, event in (("smtpd.submit", socket.SOCK_STREAM, " disconnected "), ("queue-mgr.control", socket.SOCK_SEQPACKET, " channel-dropped ")):
        for _ in range(60):
            with socket.socket(socket.AF_UNIX, kind) as s:
                s.connect(f"{where}/{name}")
                if kind == socket.SOCK_SEQPACKET:
                    s.send(b"what?")
                    s.recv(100)
        seen = i.wait_log(event, 10)
        i.send()
        i.wait_log(" delivered ", len(i.log_lines(" accepted ")))
        claim(f"60 empty calls to {name} are ten lines", seen and len(i.log_lines(event)) <= 10, i.log_lines(event))


def as_json(i):
    i.restart("log_format = json")
    i.send()
    until(lambda: '"delivered"' in i.log())
    lines = [line for line in i.log().splitlines() if line.startswith("{")]
    events = [json.loads(line) for line in lines]
    claim("log_format = json: one object per line", any(e.get("event") == "accepted" for e in events), lines[-3:])


def without_logd(i):
    i.expect_deaths = True
    i.restart("log_format = text")
    i.kill("logd")
    claim("mail goes on without logd", all(i.send().startswith("250") for _ in range(5)))
    claim("and the log comes back", until(lambda: i.send() and i.log_lines(" accepted from=")), i.log()[-300:])


run(form, rotation, knocks, as_json, without_logd)
