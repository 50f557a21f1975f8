"""AUTH that is bound to its channel: SCRAM-SHA-256-PLUS with each type of binding, a man in the middle who hides it, EXTERNAL by client
certificate and by the uid of a local program."""
import hashlib
import os
import shutil
import ssl
import subprocess

from postern import Smtp, claim, run, skip
from sasl import b64, exporter, plain, scram, scram_plus

WRONG = "not-the-password"


def client_context(version=None, cert=None):
    c = ssl.create_default_context()
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if version:
        c.minimum_version = c.maximum_version = version
    if cert:
        c.load_cert_chain(f"{cert}.crt", f"{cert}.key")
    return c


def secured(i, version=None, cert=None):
    s = Smtp(i.submission)
    s.hello()
    s.starttls(context=client_context(version, cert))
    return s, s.hello()


def implicit(i):
    s = Smtp(i.submissions, greet=False)
    s.secure(client_context())
    s.greeting = s.reply()
    return s, s.hello()


def end_point(s):
    return hashlib.sha256(s.sock.getpeercert(binary_form=True)).digest()  # the instance's certificate is signed with SHA-256


def bindings(i):
    for name, (s, offered) in (("STARTTLS", secured(i)), ("implicit TLS", implicit(i))):
        claim(f"-PLUS is offered under {name}", "SCRAM-SHA-256-PLUS" in offered and s.sock.version() == "TLSv1.3", offered)
        data = exporter(s.sock)
        if not data:
            skip("tls-exporter", "this Python shows no way to it")
            continue
        answer, proved = scram_plus(s, i.user, i.password, "tls-exporter", data)
        claim(f"tls-exporter binds {name}", answer.startswith("235") and proved, answer)
    s, _ = secured(i)
    data = exporter(s.sock) or bytes(32)
    answer, _ = scram_plus(s, i.user, WRONG, "tls-exporter", data)
    claim("bound, but a wrong password", answer.startswith("535"), answer)
    other, _ = secured(i)
    answer, _ = scram_plus(other, i.user, i.password, "tls-exporter", data)
    claim("the binding of another channel", answer.startswith("535"), answer)
    s, _ = secured(i)
    answer, proved = scram_plus(s, i.user, i.password, "tls-server-end-point", end_point(s))
    claim("tls-server-end-point", answer.startswith("235") and proved, answer)
    s, _ = secured(i)
    answer, _ = scram_plus(s, i.user, i.password, "tls-unique", bytes(12))
    claim("tls-unique does not exist in TLS 1.3", answer.startswith("501"), answer)
    answer, _ = scram_plus(s, i.user, i.password, "tls-fancy", bytes(12))
    claim("nor does any other type", answer.startswith("501"), answer)


def bindings_12(i):
    tls12 = ssl.TLSVersion.TLSv1_2
    for kind, data in (("tls-unique", lambda s: s.sock.get_channel_binding("tls-unique")), ("tls-exporter", lambda s: exporter(s.sock)),
                       ("tls-server-end-point", end_point)):
        s, offered = secured(i, tls12)
        if not data(s):
            skip(kind, "not to be had")
            continue
        answer, proved = scram_plus(s, i.user, i.password, kind, data(s))
        claim(f"{kind} under TLS 1.2", answer.startswith("235") and proved, (answer, offered))
    s, _ = secured(i, tls12)
    answer, _ = scram_plus(s, i.user, i.password, "tls-unique", bytes(12))
    claim("tls-unique of another channel", answer.startswith("535"), answer)


def downgrade(i):
    s, _ = secured(i)
    answer, _ = scram(s, i.user, i.password, b"y,,")
    claim("a client that could bind but was not shown -PLUS has met a man in the middle", answer.startswith("535"), answer)
    answer, proved = scram(s, i.user, i.password)
    claim("one that cannot bind gets in", answer.startswith("235") and proved, answer)
    s = Smtp(i.submission)
    offered = s.hello()
    claim("-PLUS is not offered without TLS", "SCRAM-SHA-256-PLUS" not in offered and "SCRAM-SHA-256" in offered, offered)
    answer, proved = scram(s, i.user, i.password, b"y,,")
    claim("where a client that could bind gets in", answer.startswith("235") and proved, answer)
    answer = Smtp(i.submission)
    answer.hello()
    claim("-PLUS there is unknown", scram_plus(answer, i.user, i.password, "tls-exporter", bytes(32))[0].startswith("504"))


def gsasl(i):
    """GNU SASL over GnuTLS: nothing of ours, nor of OpenSSL's."""
    if not shutil.which("gsasl"):
        return skip("gsasl", "not installed")
    host, port = i.submission
    for mechanism in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"):
        r = subprocess.run(["gsasl", "--smtp", f"--connect={host}:{port}", "-m", mechanism, "-a", i.user, "-z", "", "-p", i.password,
                            "--starttls", "--x509-ca-file=", "--verbose"] + (["--no-cb"] if "PLUS" not in mechanism else []),
                           capture_output=True, text=True, timeout=30, input="QUIT\r\n")
        claim(f"gsasl with {mechanism}", "\n235 2.7.0" in r.stdout + r.stderr, (r.stdout[-1500:], r.stderr[-1500:]))


# --- EXTERNAL -----------------------------------------------------------------------------------------------------------------
def make_cert(path, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{path}.key",
                    "-out", f"{path}.crt", "-subj", f"/CN={name}", "-days", "30"], check=True, capture_output=True)
    with open(f"{path}.crt") as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


def external(i, cert, who=""):
    s, offered = secured(i, cert=cert)
    return s, offered, s.cmd("AUTH EXTERNAL " + (b64(who) if who else "="))


def certificates(i):
    mine, theirs = f"{i.dir}/mine", f"{i.dir}/theirs"
    prints = make_cert(mine, i.user), make_cert(theirs, i.user)  # what a certificate says of itself is nothing
    claim("without being asked for, none is shown", "EXTERNAL" not in secured(i, cert=mine)[1])
    i.restart("tls_client_certificates = ask")
    s, offered = secured(i)
    claim("EXTERNAL is not offered to who has none", "EXTERNAL" not in offered, offered)
    claim("and is unknown to it", s.cmd("AUTH EXTERNAL =").startswith("504"))
    _, offered, answer = external(i, mine)
    claim("it is offered for a certificate", "EXTERNAL" in offered, offered)
    claim("a certificate of nobody", answer.startswith("535"), answer)
    colons = ":".join(prints[0][n:n + 2] for n in range(0, 64, 2)).upper()
    r = i.postern("user", "certificate", "add", i.user, colons)
    claim("a fingerprint as openssl prints it is taken", r.returncode == 0, r)
    i.postern("user", "add", "other@x.example", input="other\n")
    r = i.postern("user", "certificate", "add", "other@x.example", prints[0])
    claim("it has one owner", r.returncode == 1 and i.user in r.stderr, r)
    s, _, answer = external(i, mine)
    claim("the certificate is who it is", answer.startswith("235"), answer)
    claim("and sends as itself", s.envelope(i.rcpt2, i.rcpt)[0].startswith("250"))
    claim("it may say so", external(i, mine, i.user)[2].startswith("235"))
    claim("and not that it is another", external(i, mine, "root")[2].startswith("535"))
    claim("one of the same name is not the same", external(i, theirs)[2].startswith("535"))
    i.postern("user", "disable", i.user)
    claim("a disabled user's certificate", external(i, mine)[2].startswith("535"))
    i.postern("user", "enable", i.user)
    i.postern("user", "certificate", "revoke", i.user, prints[0])
    claim("a revoked one", external(i, mine)[2].startswith("535"))


def local_programs(i):
    def at_socket(line):
        s = Smtp(f"{i.dir}/sock/smtpd.submit")
        offered = s.hello()
        return offered, s.cmd(line)
    offered, answer = at_socket("AUTH EXTERNAL =")
    claim("EXTERNAL for this machine's programs, and nothing else", "\n250-AUTH EXTERNAL\n" in offered, offered)
    claim("the uid is who it is", answer.startswith("235"), answer)
    name = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
    claim("by its name", at_socket("AUTH EXTERNAL " + b64(name))[1].startswith("235"))
    claim("nobody else", at_socket("AUTH EXTERNAL " + b64("somebody"))[1].startswith("535"))
    claim("no passwords there", at_socket(plain(i.user, i.password))[1].startswith("504"))
    i.postern("user", "disable", name)
    claim("who is disabled is so there, too", at_socket("AUTH EXTERNAL =")[1].startswith("535"))
    i.postern("user", "enable", name)


run(bindings, bindings_12, downgrade, gsasl, certificates, local_programs,
    sets=("errors_soft = 1000", "errors_max = 1000", "client_connection_rate = 0", "client_error_rate = 0", "client_tls_rate = 0",
          "auth_failure_delay = 0s", "auth_failures_max = 1000"))
