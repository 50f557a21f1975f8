"""TLS: from the first start with a certificate of its own to files that change while sessions go on; real clients; nothing of what
was said in the clear survives."""
import hashlib
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import time

from postern import Smtp, claim, content, headers_of, message, run, skip, until


def call(*args, **kw):
    return subprocess.run(args, capture_output=True, text=True, timeout=60, **kw)


# --- certificates of our own, by the openssl command --------------------------------------------------------------------------------
def make_cert(path, name, *, rsa=False, days="30"):
    """A self-signed certificate for `name` in path.crt, its key in path.key. days "-1": it has expired."""
    kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    r = call("openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-keyout", f"{path}.key", "-out", f"{path}.crt",
             "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-days", days)
    if r.returncode:
        raise RuntimeError(r.stderr)
    os.chmod(f"{path}.key", 0o600)


def expired_cert(path, name):
    """`openssl req` makes no certificate of the past, `openssl x509` does."""
    make_cert(path, name)
    r = call("openssl", "x509", "-in", f"{path}.crt", "-signkey", f"{path}.key", "-days", "-1", "-out", f"{path}.crt",
             "-extfile", "/dev/stdin", input=f"subjectAltName=DNS:{name}\n")
    if r.returncode:
        raise RuntimeError(r.stderr)


def print_of(path):
    pem = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", open(path).read(), re.S)[0]
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def install(i, frm, to):
    """As certbot and others do it: each file whole, one after the other."""
    for end in ("crt", "key"):
        shutil.copy2(f"{i.dir}/{frm}.{end}", f"{i.dir}/{to}.new")
        os.rename(f"{i.dir}/{to}.new", f"{i.dir}/{to}.{end}")


def shown(i, name=None, context=None):
    """Fingerprint of the certificate that a new client gets."""
    s = i.smtp()
    s.hello()
    s.starttls(name=name, context=context)
    der = s.sock.getpeercert(binary_form=True)
    s.cmd("QUIT")
    s.close()
    return hashlib.sha256(der).hexdigest()


def lax(maximum=None, ciphers=None):
    c = ssl.create_default_context()
    c.check_hostname = False
    c.verify_mode = ssl.CERT_NONE
    if maximum:
        c.maximum_version = maximum
    if ciphers:
        c.set_ciphers(ciphers)
    return c


# --- scenarios ----------------------------------------------------------------------------------------------------------------------
def first_start(i):
    own = f"{i.dir}/state/tls-self-signed.pem"
    claim("a first start makes a certificate", os.path.exists(own) and i.log_lines("certificate-made"))
    claim("that only its owner can read", os.stat(own).st_mode & 0o777 == 0o600)
    s = i.smtp()
    claim("STARTTLS is offered", "STARTTLS" in s.hello())
    claim("STARTTLS takes no argument: 501", s.cmd("STARTTLS now").startswith("501 5.5.4"))
    s.cmd("MAIL FROM:<a@client.example>")
    claim("within a message: 503", s.cmd("STARTTLS").startswith("503 5.5.1"))
    s.cmd("RSET")
    claim("220 2.0.0, and the handshake", s.starttls(name="mail.example").startswith("220 2.0.0"))
    claim("of TLS 1.3", s.sock.version() == "TLSv1.3")
    claim("what was said before is forgotten", s.cmd("MAIL FROM:<a@client.example>").startswith("503 5.5.1"))
    hello = s.hello()
    claim("STARTTLS is not offered again", "STARTTLS" not in hello and hello.startswith("250"), hello)
    claim("nor taken: 503", s.cmd("STARTTLS").startswith("503 5.5.1"))
    s.envelope(i.rcpt)
    claim("a message is taken", s.data(message(subject="encrypted", body="x" * 70 + "\n" + "long line of text\n" * 100000)).startswith("250"))
    s.cmd("QUIT")
    s.close()
    got = i.wait_mails(1)
    claim("and delivered", len(got) == 1)
    received = next((h for h in headers_of(content(got[0])) if h.startswith("Received:")), "")
    claim("Received says ESMTPS, version and cipher", "with ESMTPS (version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384)" in received, received)
    claim("so does the log", i.wait_log(r"accepted .*proto=ESMTPS tls=TLSv1.3 cipher=TLS_AES_256"))
    inode = os.stat(own).st_ino
    i.restart()
    claim("a second start keeps the certificate", os.stat(own).st_ino == inode and "STARTTLS" in i.smtp().hello())


def told(i):
    out = i.postern("check")
    claim("`postern check` warns of a self-signed certificate", out.returncode == 0 and "warning: tls_certificates is empty" in out.stdout, out.stdout)


def checked(i):
    """What `postern check` says about one pair, in a configuration that nobody runs."""
    conf = f"{i.dir}/check.conf"
    soon = f"{i.dir}/soon"
    make_cert(soon, "mail.example", days="5")
    cases = (("live.crt:live.key", 0, "self-signed"), ("b.crt:b.key", 0, "no certificate names this host, mail.example"),
             ("old.crt:old.key", 78, "error: the certificate has expired"), ("a.crt:b.key", 78, "does not belong to the certificate"),
             ("soon.crt:soon.key", 0, "the certificate expires in"), ("gone.crt:a.key", 78, "No such file"), ("a.crt", 78, "can be read by others"))
    text = "".join(line for line in open(i.env["POSTERN_CONF"]) if not line.startswith("tls_certificates"))
    os.chmod(f"{i.dir}/a.crt", 0o644)
    for pair, code, want in cases:
        with open(conf, "w") as f:
            f.write("tls_certificates = " + ":".join(f"{i.dir}/{p}" for p in pair.split(":")) + "\n" + text)
        out = i.postern("-c", conf, "check")
        claim(f"check {pair}: {want}", out.returncode == code and want in out.stdout, f"{out.returncode} {out.stdout} {out.stderr}")


def clients(i):
    host, port = i.where
    r = call("openssl", "s_client", "-starttls", "smtp", "-connect", f"{host}:{port}", "-quiet", input="EHLO a.example\r\nQUIT\r\n")
    claim("openssl s_client", "250-PIPELINING" in r.stdout, r.stdout + r.stderr)
    before = len(i.mails())
    r = call("swaks", "--server", f"{host}:{port}", "--tls", "--to", i.rcpt, "--from", "a@client.example", "--header", "Subject: swaks")
    claim("swaks --tls", r.returncode == 0 and "TLS started" in r.stdout, r.stdout[-1500:] + r.stderr)
    with open(f"{i.dir}/curl.eml", "w") as f:
        f.write(message(subject="curl"))
    r = call("curl", "-sS", "--ssl-reqd", "-k", "--crlf", "--url", f"smtp://{host}:{port}", "--mail-from", "a@client.example", "--mail-rcpt", i.rcpt,
             "-T", f"{i.dir}/curl.eml")
    claim("curl --ssl-reqd", r.returncode == 0, r.stderr)
    c = smtplib.SMTP(host, port, timeout=20)
    c.starttls(context=lax())
    c.sendmail("a@client.example", [i.rcpt], message(subject="smtplib"))
    c.quit()
    finger = print_of(f"{i.dir}/state/tls-self-signed.pem")
    finger = ":".join(re.findall("..", finger))
    r = call("msmtp", "--file=/dev/null", f"--host={host}", f"--port={port}", "--tls=on", f"--tls-fingerprint={finger}", "--from=a@client.example",
             i.rcpt, input=message(subject="msmtp"))
    claim("msmtp", r.returncode == 0, r.stderr)
    claim("what they sent has arrived", len(i.wait_mails(before + 4)) == before + 4)
    if shutil.which("gnutls-cli"):
        r = call("gnutls-cli", "--insecure", "--starttls-proto=smtp", f"--port={port}", host, input="QUIT\r\n")
        claim("gnutls-cli", "Handshake was completed" in r.stdout, r.stdout[-800:])
    else:
        skip("gnutls-cli", "not installed")


def submission(i):
    for name in ("SUBMISSION", "SMTPS"):
        s = Smtp(i.port(name), greet=name == "SUBMISSION")
        if name == "SMTPS":
            s.secure()
            claim("465 greets under TLS", s.reply().startswith("220"))
        claim(f"{name}: EHLO", s.hello().startswith("250"))
        claim(f"{name}: MAIL without an account: 530 5.7.0", s.cmd("MAIL FROM:<a@client.example>") == "530 5.7.0 Authentication required")
        s.cmd("QUIT")
        s.close()
    s = Smtp(i.port("SMTPS"), greet=False)
    s.send("EHLO plain.example\r\n")
    said = s.line()
    claim("465 says nothing in the clear", said.startswith("<") or "250" not in said and "220" not in said, said)
    s.close()
    claim("and logs why", i.wait_log(r"tls-failed .*client=127.0.0.1"))


def injection(i):
    for text in ("STARTTLS\r\nRSET\r\n", "STARTTLS\r\nMAIL FROM:<evil@client.example>\r\nRCPT TO:<x@y.example>\r\n", "STARTTLS\r\n\x16\x03\x01"):
        n = len(i.log_lines("starttls-injection"))
        s = i.smtp()
        s.hello()
        s.send(text)
        reply = s.reply()
        claim(f"{text!r} ends the connection", reply.startswith("421 4.7.0") and s.line() in ("", "<ConnectionResetError>"), reply)
        claim("and is logged", i.wait_log("starttls-injection", n + 1))
        s.close()
    s = i.smtp()
    s.hello()
    claim("plain text after 220 is no handshake", s.cmd("STARTTLS").startswith("220"))
    s.send("EHLO a.example\r\nMAIL FROM:<a@client.example>\r\n")
    said = s.line()
    claim("nothing of it is answered", "250" not in said, said)
    s.close()
    claim("tls-failed is logged with OpenSSL's reason", i.wait_log(r'tls-failed .*reason="TLS handshake: '))


def slow(i):
    i.restart("tls_timeout = 2s")
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 300
    for name in ("SMTP", "SMTPS"):
        s = Smtp(i.port(name), greet=name == "SMTP")
        if name == "SMTP":
            s.hello()
            s.cmd("STARTTLS")
        start = time.monotonic()
        for k, byte in enumerate(hello):
            try:
                s.sock.sendall(bytes([byte]))
                s.sock.settimeout(0.2)
                if not s.sock.recv(100):
                    break
            except socket.timeout:
                pass
            except ConnectionError:
                break
        took = time.monotonic() - start
        claim(f"{name}: a handshake byte by byte ends after tls_timeout", 1.5 < took < 6, took)
        s.close()
    claim("both are logged", i.wait_log(r'tls-failed .*timed out', 2))
    i.restart("tls_timeout = 30s")


def tickets(i):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        c = lax(version)
        a = i.smtp()
        a.hello()
        a.starttls(context=c)
        a.hello()
        session = a.sock.session
        a.cmd("QUIT")
        a.close()
        for where, greet, want in ((i.where, True, version == ssl.TLSVersion.TLSv1_3), (i.port("SUBMISSION"), True, False), (i.port("SMTPS"), False, False)):
            b = Smtp(where, greet=greet)
            if greet:
                b.hello()
                b.starttls(context=c, session=session)
            else:
                b.secure(context=c, session=session)
                b.reply()
            claim(f"{version.name}: a ticket {'is' if want else 'is not'} resumed on port {where[1]}", b.sock.session_reused == want)
            b.cmd("QUIT")
            b.close()


def names(i):
    for path, name, rsa in (("a", "mail.example", False), ("a-rsa", "mail.example", True), ("b", "other.example", False), ("c", "mail.example", False)):
        make_cert(f"{i.dir}/{path}", name, rsa=rsa)
    expired_cert(f"{i.dir}/old", "mail.example")
    for end in ("crt", "key"):
        shutil.copy2(f"{i.dir}/a.{end}", f"{i.dir}/live.{end}")
    pairs = ", ".join(f"{i.dir}/{p}.crt:{i.dir}/{p}.key" for p in ("live", "a-rsa", "b"))
    i.restart(f"tls_certificates = {pairs}", "tls_reread = 1s")
    a, rsa, b = (print_of(f"{i.dir}/{p}.crt") for p in ("a", "a-rsa", "b"))
    claim("the first certificate without a name", shown(i) == a)
    claim("and for an unknown one", shown(i, "unknown.example") == a)
    claim("each name its own", shown(i, "other.example") == b and shown(i, "MAIL.example") == a)
    claim("RSA for those who know nothing else", shown(i, "mail.example", lax(ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256")) == rsa)
    claim("ECDSA beside it", shown(i, "mail.example", lax(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-GCM-SHA256")) == a)


def replaced(i):
    s = i.smtp()
    s.hello()
    s.starttls()
    s.hello()
    s.envelope(i.rcpt)
    mails, leader = len(i.mails()), i.pids("smtpd")[0]
    install(i, "c", "live")
    claim("new files on disk are seen", i.wait_log(r"renewed service=smtpd"))
    claim("by a new leader", until(lambda: i.pids("smtpd")[0] != leader or len(i.pids("smtpd")) > 1))
    claim("new clients get the new certificate", until(lambda: shown(i) == print_of(f"{i.dir}/c.crt")))
    claim("an open session goes on", s.data(message(subject="through a renewal")).startswith("250"))
    claim("to its end", s.cmd("QUIT").startswith("221"))
    s.close()
    claim("its message arrives", len(i.wait_mails(mails + 1)) == mails + 1)


def bad_pairs(i):
    good = print_of(f"{i.dir}/c.crt")
    failures = len(i.log_lines("renew-failed"))
    shutil.copy2(f"{i.dir}/b.key", f"{i.dir}/live.key")
    claim("a key that does not match is seen", i.wait_log(r"renew-failed .*does not belong to the certificate", failures + 1))
    claim("the old certificate stays", shown(i) == good)
    time.sleep(2.5)
    claim("it is logged once", len(i.log_lines("renew-failed")) == failures + 1)
    r = i.postern("reload")
    claim("`postern reload` refuses it and says why", r.returncode != 0 and "does not belong to the certificate" in r.stdout + r.stderr, r.stdout + r.stderr)
    claim("the old certificate stays then too", shown(i) == good)
    install(i, "old", "live")
    claim("one that has expired is refused", i.wait_log(r"renew-failed .*has expired"))
    r = i.postern("reload")
    claim("at a reload too", r.returncode != 0 and "has expired" in r.stdout + r.stderr, r.stdout + r.stderr)
    install(i, "c", "live")
    os.chmod(f"{i.dir}/live.key", 0o644)
    claim("a key that others can read is refused", i.wait_log(r"renew-failed .*can be read by others"))
    os.chmod(f"{i.dir}/live.key", 0o600)
    renewals = len(i.log_lines(r"renewed service=smtpd"))
    claim("and taken when it is mended", i.wait_log(r"renewed service=smtpd", max(renewals, 2)))
    claim("the reload goes through", i.postern("reload").returncode == 0 and shown(i) == good)


def bad_start(i):
    install(i, "old", "live")
    i.restart(f"tls_certificates = {i.dir}/live.crt:{i.dir}/live.key")
    claim("an expired certificate at the start encrypts all the same", shown(i) == print_of(f"{i.dir}/old.crt"))
    claim("with a warning", i.wait_log(r"certificate-dates .*has expired"))
    claim("and does not stand in the way of a reload", i.postern("reload").returncode == 0)
    shutil.copy2(f"{i.dir}/b.key", f"{i.dir}/live.key")
    i.restart()
    claim("a bad pair at the start is an error in the log", i.wait_log(r"certificate-bad level=error"))
    s = i.smtp()
    claim("STARTTLS is not offered", "STARTTLS" not in s.hello())
    claim("and answered with 454", s.cmd("STARTTLS").startswith("454 4.7.0"))
    s.envelope(i.rcpt)
    claim("mail is taken", s.data(message(subject="without TLS")).startswith("250"))
    s.close()
    s = Smtp(i.port("SMTPS"), greet=False)
    claim("465 closes", s.line() in ("", "<ConnectionResetError>"))
    s.close()
    install(i, "c", "live")
    claim("mended files are taken without a restart", until(lambda: "STARTTLS" in i.smtp().hello()))


def mail_reply(i):
    s = i.smtp()
    s.hello()
    reply = s.cmd("MAIL FROM:<a@client.example>")
    s.cmd("QUIT")
    s.close()
    return reply


def demands(i):
    i.restart("tls_level = modern")
    try:
        shown(i, context=lax(ssl.TLSVersion.TLSv1_2))
        claim("modern: TLS 1.2 is refused", False)
    except ssl.SSLError:
        claim("modern: TLS 1.2 is refused", True)
    claim("modern: TLS 1.3 is spoken", shown(i) == print_of(f"{i.dir}/c.crt"))
    conf = i.env["POSTERN_CONF"]
    text = open(conf).read()
    with open(conf, "w") as f:
        f.write(text.replace("[listener smtp]\n", "[listener smtp]\ntls = require\n").replace("[listener submission]\n", "[listener submission]\ntls = off\n"))
    claim("tls = require, tls = off: reload", i.postern("reload").returncode == 0)
    # a process of before may take one more client
    claim("MAIL without TLS: 530 5.7.0", until(lambda: mail_reply(i).startswith("530 5.7.0 Say STARTTLS")), mail_reply(i))
    s = i.smtp()
    s.hello()
    s.starttls()
    s.hello()
    claim("MAIL with TLS", s.cmd("MAIL FROM:<a@client.example>").startswith("250"))
    s.close()
    s = Smtp(i.port("SUBMISSION"))
    claim("off: not offered", "STARTTLS" not in s.hello())
    claim("off: 502", s.cmd("STARTTLS").startswith("502 5.5.1"))
    s.close()


run(first_start, told, clients, submission, injection, slow, tickets, names, replaced, bad_pairs, bad_start, checked, demands)
