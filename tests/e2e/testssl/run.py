"""testssl.sh finds nothing above LOW on 25 and 465, but that nobody can trust a self-signed certificate of ten years."""
import json
import os
import shutil
import subprocess

from postern import claim, run, skip

TESTSSL = shutil.which("testssl") or shutil.which("testssl.sh")
CHECKS = ["-p", "-s", "-f", "-P", "-S", "-U"]  # all but the browsers that it plays
SELF_SIGNED = {"cert_trust", "cert_chain_of_trust", "cert_validityPeriod", "cert_revocation"}
ABOVE_LOW = ("MEDIUM", "HIGH", "CRITICAL", "FATAL")


def examine(i, name, *more):
    host, port = i.where if name == "25" else i.port("SMTPS")
    out = f"{i.dir}/testssl-{name}.json"
    r = subprocess.run([TESTSSL, "--quiet", "--color", "0", "--warnings", "off", *CHECKS, *more, "--jsonfile", out, f"{host}:{port}"],
                       cwd=i.dir, capture_output=True, text=True, timeout=280)
    findings = json.load(open(out)) if os.path.exists(out) else []
    claim(f"{name}: it ran to its end", len(findings) > 50, r.stdout[-2000:] + r.stderr[-500:])
    claim(f"{name}: it saw TLS 1.3", any(f["id"] == "TLS1_3" and f["severity"] == "OK" for f in findings))
    bad = [f"{f['id']} {f['severity']}: {f['finding']}" for f in findings if f["severity"] in ABOVE_LOW and f["id"] not in SELF_SIGNED]
    claim(f"{name}: nothing above LOW", not bad, "\n".join(bad))


def starttls(i):
    examine(i, "25", "-t", "smtp")


def implicit(i):
    examine(i, "465")


if TESTSSL:
    run(starttls, implicit, sets=("client_tls_rate = 0", "client_connection_rate = 0"))
else:
    skip("testssl.sh", "not installed (Debian package testssl.sh)")
