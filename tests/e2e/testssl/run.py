"""testssl.sh finds nothing above LOW on 25 and 465, with a certificate of a CA that it is told to trust."""
import json
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from postern import claim, run, skip

TESTSSL = shutil.which("testssl") or shutil.which("testssl.sh")
CHECKS = ["-p", "-s", "-f", "-P", "-S", "-U"]  # all but the browsers that it plays
CA_S = {"cert_revocation"}  # our CA has neither CRL nor OCSP: the CA's affair
NAME = "mail.example"
ABOVE_LOW = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")


def openssl(*args, **kw):
    r = subprocess.run(["openssl", *args], capture_output=True, text=True, timeout=60, **kw)
    if r.returncode:
        raise RuntimeError(r.stderr)


def make_certificate():
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", f"{d}/ca.key", "-out", f"{d}/ca.crt", "-subj", "/CN=test CA", "-days", "200")
    openssl("req", *key, "-keyout", f"{d}/mail.key", "-out", f"{d}/mail.csr", "-subj", f"/CN={NAME}")
    openssl("x509", "-req", "-in", f"{d}/mail.csr", "-CA", f"{d}/ca.crt", "-CAkey", f"{d}/ca.key", "-CAcreateserial", "-days", "80", "-out",
            f"{d}/mail.crt", "-extfile", "/dev/stdin",
            input=f"subjectAltName=DNS:{NAME}\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n")
    os.chmod(f"{d}/mail.key", 0o600)


def examine(i, name, *more):
    host, port = i.where if name == "25" else i.port("SMTPS")
    out = f"{i.dir}/testssl-{name}.json"
    r = subprocess.run([TESTSSL, "--quiet", "--color", "0", "--warnings", "off", "--add-ca", f"{d}/ca.crt", "--ip", host, *CHECKS, *more, "--jsonfile", out, f"{NAME}:{port}"],
                       cwd=i.dir, capture_output=True, text=True, timeout=280)
    findings = json.load(open(out)) if os.path.exists(out) else []
    claim(f"{name}: it ran to its end", len(findings) > 50, r.stdout[-2000:] + r.stderr[-500:])
    claim(f"{name}: it saw TLS 1.3", any(f["id"] == "TLS1_3" and f["severity"] == "OK" for f in findings))
    bad = [f"{f['id']} {f['severity']}: {f['finding']}" for f in findings if f["severity"] in ABOVE_LOW and f["id"] not in CA_S]
    claim(f"{name}: nothing above LOW", not bad, "\n".join(bad))


def both_ports(i):
    """At once: testssl.sh waits more than it works."""
    with ThreadPoolExecutor() as pool:
        for examined in [pool.submit(examine, i, "25", "-t", "smtp"), pool.submit(examine, i, "465")]:
            examined.result()


if TESTSSL:
    d = tempfile.mkdtemp(prefix="pt-testssl-", dir="/var/tmp")
    try:
        make_certificate()
        run(both_ports, sets=("client_tls_rate = 0", "client_connection_rate = 0", f"tls_certificates = {d}/mail.crt:{d}/mail.key"))
    finally:
        shutil.rmtree(d)
else:
    skip("testssl.sh", "not installed (Debian package testssl.sh)")
