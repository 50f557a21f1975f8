"""MTA-STS: policies are fetched over HTTPS as RFC 8461 wants it, remembered, and not forgotten when somebody wishes it so."""
import datetime
import http.server
import os
import re
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from postern import claim, run, skip, until
from sink import Zones

WEB = "127.0.0.77"  # HTTPS is port 443 by definition: root's, on an address of our own
POLICY = "version: STSv1\r\nmode: {mode}\r\nmx: mx.{domain}\r\nmx: *.{domain}\r\nmax_age: {age}\r\n"
MODES = ("none", "testing", "enforce")


# --- certificates and a web server ---------------------------------------------------------------------------------------------------
def openssl(*args, **kw):
    r = subprocess.run(["openssl", *args], capture_output=True, text=True, timeout=60, **kw)
    if r.returncode:
        raise RuntimeError(r.stderr)


def make_ca(d):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{d}/ca.key", "-out",
            f"{d}/ca.crt", "-subj", "/CN=test CA", "-days", "30")
    os.chmod(f"{d}/ca.crt", 0o644)


def make_cert(d, name, *sans):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{d}/{name}.key", "-out",
            f"{d}/{name}.csr", "-subj", f"/CN={name}")
    openssl("x509", "-req", "-in", f"{d}/{name}.csr", "-CA", f"{d}/ca.crt", "-CAkey", f"{d}/ca.key", "-CAcreateserial", "-days", "30",
            "-out", f"{d}/{name}.crt", "-extfile", "/dev/stdin", input="subjectAltName=" + ",".join(f"DNS:{s}" for s in sans))


class Web:
    """What each host answers to GET: a function from the handler to nothing; what came is in `seen`."""

    def __init__(self, d, names):
        self.pages, self.seen = {}, []
        make_ca(d)
        contexts = {}
        for name in names:
            make_cert(d, name, name)
            contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            contexts[name].load_cert_chain(f"{d}/{name}.crt", f"{d}/{name}.key")
        first = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        first.load_cert_chain(f"{d}/{names[0]}.crt", f"{d}/{names[0]}.key")
        first.sni_callback = lambda s, name, _: setattr(s, "context", contexts.get(name, first))
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host = self.headers["Host"]
                web.seen.append((host, self.path))
                web.pages[host](self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer((WEB, 443), Handler)
        self.server.socket = first.wrap_socket(self.server.socket, server_side=True)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def page(text, code=200, kind="text/plain", location=None):
    def answer(h):
        h.send_response(code)
        h.send_header("Content-Type", kind)
        if location:
            h.send_header("Location", location)
        h.end_headers()
        h.wfile.write(text.encode())
    return answer


def policy(domain, mode="enforce", age=86400):
    return page(POLICY.format(domain=domain, mode=mode, age=age))


def endless(h):
    h.send_response(200)
    h.send_header("Content-Type", "text/plain")
    h.end_headers()
    try:
        while True:
            h.wfile.write(b"mx: a.example\r\n" * 1000)
    except OSError:
        pass


# --- as remote-delivery asks ---------------------------------------------------------------------------------------------------------
def ask(i, domain, timeout=30):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(timeout)
        s.connect(f"{i.dir}/sock/tls-policy.remote-delivery")
        name = domain.encode()
        s.send(struct.pack("<HHI", 0x70, 1, len(name)) + name)
        b = s.recv(70000)
    kind, _, mode, age = struct.unpack_from("<HHQQ", b)
    assert kind == 0x71, kind
    n, = struct.unpack_from("<I", b, 20)
    m, = struct.unpack_from("<I", b, 24 + n)
    return MODES[mode], age, b[24:24 + n].decode(), b[28 + n:28 + n + m].decode()


DOMAINS = {  # what its web server says, and what is to come of it
    "good": (policy("good.example"), "enforce"),
    "trial": (policy("trial.example", "testing"), "testing"),
    "off": (page("version: STSv1\nmode: none\nmax_age: 100\n"), "none"),
    "moved": (page("", 301, location="https://mta-sts.good.example/.well-known/mta-sts.txt"), "none"),
    "missing": (page("not here", 404), "none"),
    "html": (page(POLICY.format(domain="html.example", mode="enforce", age=1000), kind="text/html"), "none"),
    "broken": (page("version: STSv1\nmode: enforce\nmax_age: 1000\n"), "none"),
    "endless": (endless, "none"),
}
REASONS = {"moved": "answered 301", "missing": "answered 404", "html": "text/html", "broken": "names no mx", "endless": "",
           "wrongname": "", "noid": "no id", "silent": "", "mute": ""}


def zone():
    z = "mta-sts A %s\n" % WEB
    for d in DOMAINS:
        z += f'_mta-sts.{d} TXT "v=STSv1; id=20261124;"\nmta-sts.{d} A {WEB}\n'
    z += f'_mta-sts.wrongname TXT "v=STSv1; id=1;"\nmta-sts.wrongname A {WEB}\n'
    z += f'_mta-sts.noid TXT "v=STSv1;"\nmta-sts.noid A {WEB}\n'
    z += '_mta-sts.twice TXT "v=STSv1; id=1;"\n_mta-sts.twice TXT "v=STSv1; id=2;"\n'
    z += '_mta-sts.silent TXT "v=STSv1; id=1;"\nmta-sts.silent A 127.0.0.78\n'
    z += '_mta-sts.mute TXT "v=STSv1; id=1;"\n'
    z += "plain A 127.0.0.2\n"
    return z


def fetching(i):
    for d, (_, want) in DOMAINS.items():
        got = ask(i, f"{d}.example")
        claim(f"{d}: the mode is {want}", got[0] == want, got)
    claim("a policy comes with age, id and hosts", ask(i, "good.example") == ("enforce", 86400, "20261124", "mx.good.example *.good.example"),
          ask(i, "good.example"))
    for d in ("wrongname", "noid", "twice", "silent", "mute", "plain", "no-such-domain"):
        got = ask(i, f"{d}.example")
        claim(f"{d}: no policy", got[0] == "none", got)
    for d, why in REASONS.items():
        claim(f"{d}: the log says why", i.wait_log(rf"sts-failed domain={d}.example reason=.*{why}"), i.log_lines("sts-failed"))
    claim("no redirect is followed", not any(path != "/.well-known/mta-sts.txt" for _, path in web.seen), web.seen)
    claim("a domain without a record is asked nothing", not any("plain" in host or "twice" in host for host, _ in web.seen), web.seen)


def remembering(i):
    i.expect_deaths = True  # we kill it
    n = len(web.seen)
    claim("a known policy is not fetched again", ask(i, "good.example")[0] == "enforce" and len(web.seen) == n, web.seen[n:])
    claim("nor is a failure, at once", ask(i, "missing.example")[0] == "none" and len(web.seen) == n, web.seen[n:])
    web.pages["mta-sts.good.example"] = page("gone", 404)
    i.kill("tls-policy")
    claim("it outlives the daemon", until(lambda: asked(i, "good.example") == "enforce"), i.log_lines("tls-policy"))
    i.postern("reload")
    claim("and a reload", until(lambda: asked(i, "good.example") == "enforce"), i.log_lines("tls-policy"))
    claim("without a fetch", len(web.seen) == n, web.seen[n:])


def asked(i, domain):
    try:
        return ask(i, domain)[0]
    except (OSError, struct.error):
        return None


def damage(i):
    """A cache that is garbage is made anew; nothing hangs, nothing is believed that is not so."""
    i.kill("tls-policy")
    path = f"{i.dir}/state/tls-policy/mta-sts.db"
    with open(path, "r+b") as f:
        f.write(b"\xff" * 4096)
    web.pages["mta-sts.good.example"] = policy("good.example")
    claim("a damaged cache is made anew", until(lambda: asked(i, "good.example") == "enforce"), i.log_lines("tls-policy"))
    claim("and the log says so", i.wait_log("cache-lost"), i.log_lines("tls-policy"))


def rights(i):
    """The process that talks to web servers has its own uid and nothing open but its channel."""
    leader = i.pids("tls-policy")
    children = [p for p in leader if int(open(f"/proc/{p}/stat").read().rsplit(") ", 1)[1].split()[1]) in leader]
    claim("the daemon has one helper", len(children) == 1, leader)
    for p in children:
        status = open(f"/proc/{p}/status").read()
        claim("the helper has no capability", re.search(r"CapEff:\s*0+\n", status), status)
        claim("it is not root", not re.search(r"Uid:\s*0\s", status), status)
        claim("seccomp filters it", re.search(r"Seccomp:\s*2", status), status)
        fds = [os.readlink(f"/proc/{p}/fd/{n}") for n in os.listdir(f"/proc/{p}/fd")]
        claim("it holds no file and no listener", sum(f.startswith("socket:") for f in fds) <= 2 and
              not any(f.startswith("/") and not f.startswith("/dev/") and not f.endswith("/master.out") for f in fds), fds)


if os.getuid() != 0:
    skip("MTA-STS", "HTTPS is port 443, which is root's")
else:
    d = tempfile.mkdtemp(prefix="postern-sts-", dir="/var/tmp")
    os.chmod(d, 0o755)
    web = Web(d, [f"mta-sts.{n}.example" for n in DOMAINS] + ["mta-sts.noid.example"])
    web.pages = {f"mta-sts.{n}.example": answer for n, (answer, _) in DOMAINS.items()}
    zones = Zones(zone())
    try:
        run(fetching, remembering, damage, rights,
            sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"tls_ca_file = {d}/ca.crt", "dns_timeout = 5s"])
    finally:
        zones.close()
        web.close()
        subprocess.run(["rm", "-rf", d])
