"""Real clients: swaks, curl, msmtp, s-nail and Python's smtplib each deliver a message."""
import shutil
import smtplib
import subprocess
from email.message import EmailMessage

from postern import claim, content, run, skip


def arrives(i, name, act, marker):
    n = len(i.mails())
    r = act()
    found = i.wait_mails(n + 1)
    claim(f"{name}: the message arrives", len(found) == n + 1 and any(marker in content(f) for f in found), (r, i.log()[-500:]))


def call(*args, data=None):
    r = subprocess.run(args, input=data, capture_output=True, text=True, timeout=30)
    return r.returncode, r.stdout[-800:], r.stderr[-800:]


def clients(i):
    host, port = i.where
    text = f"From: <c@client.example>\nTo: <{i.rcpt}>\nSubject: real client\nDate: Mon, 23 Nov 2026 12:00:00 +0000\nMessage-ID: <1@client.example>\n\n%s\n"
    tools = {
        "swaks": lambda: call("swaks", "--server", host, "--port", str(port), "--from", "c@client.example", "--to", i.rcpt, "--body", "by-swaks", "--pipeline"),
        "curl": lambda: call("curl", "-sS", f"smtp://{host}:{port}/client.example", "--mail-from", "c@client.example", "--mail-rcpt", i.rcpt, "-T", "-",
                             data=(text % "by-curl").replace("\n", "\r\n")),
        "msmtp": lambda: call("msmtp", f"--host={host}", f"--port={port}", "--tls=off", "--auth=off", "--from=c@client.example", i.rcpt, data=text % "by-msmtp"),
        "s-nail": lambda: call("s-nail", "-:/", "-Sv15-compat", f"-Smta=smtp://{host}:{port}", "-Ssmtp-auth=none", "-Ssmtp-config=-all,ehlo",
                               "-Shostname=client.example", "-r", "c@client.example", "-s", "real client", i.rcpt, data="by-s-nail\n"),
    }
    for name, act in tools.items():
        if shutil.which(name):
            arrives(i, name, act, f"by-{name}".encode())
        else:
            skip(name, "not installed")


def python_with_attachment(i):
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = "Alice <alice@client.example>", i.rcpt, "Grüße"
    m.set_content("see below, by-smtplib\n")
    m.add_attachment(bytes(range(256)) * 100, maintype="application", subtype="octet-stream", filename="data.bin")

    def act():
        with smtplib.SMTP(*i.where) as s:
            return s.send_message(m)
    arrives(i, "smtplib with an attachment", act, b"data.bin")


def utf8_addresses(i):
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = "jürgen@client.example", i.rcpt, "SMTPUTF8"
    m["Date"] = "Mon, 23 Nov 2026 12:00:00 +0000"
    m.set_content("by-utf8\n")

    def act():
        with smtplib.SMTP(*i.where) as s:
            return s.send_message(m)
    arrives(i, "smtplib with SMTPUTF8", act, "Return-Path: <jürgen@client.example>".encode())


run(clients, python_with_attachment, utf8_addresses)
