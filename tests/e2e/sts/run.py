"""MTA-STS: policies are fetched over HTTPS as RFC 8461 wants it, remembered, and not forgotten when somebody wishes it so."""
import datetime
import email
import gzip
import http.server
import json
import os
import re
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from postern import claim, content, run, skip, until
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
        self.pages, self.seen, self.posted = {}, [], []
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

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.posted.append((self.path, self.headers["Content-Type"], body))
                self.send_response(201)
                self.send_header("Content-Length", "0")
                self.end_headers()

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
    z += '_smtp._tls.good TXT "v=TLSRPTv1; rua=mailto:postmaster@mail.example,https://mta-sts.good.example/report"\n'
    z += '_smtp._tls.moved TXT "v=TLSRPTv1; rua=https://mta-sts.gone.example/, ftp://x"\n'
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


def counting(i):
    """As remote-delivery tells it, one line for each connection; a bad day two days ago is reported now."""
    def fact(domain, policy, result, mx=""):
        b = struct.pack("<HHQQ", 0x72, 1, policy, result)
        for text in (domain, mx, "", "192.0.2.1", "192.0.2.2", "", "it\nfailed" if result else ""):
            b += struct.pack("<I", len(text)) + text.encode()
        return b
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(f"{i.dir}/sock/tls-policy.remote-delivery")
        for _ in range(5):
            s.send(fact("good.example", 1, 0))
        s.send(fact("good.example", 1, 3, "mx.good.example"))
        s.send(fact("moved.example", 0, 1, "mx.moved.example"))
        s.send(fact("plain.example", 0, 0))
        i.postern("reload")
    state = f"{i.dir}/state/tls-policy"
    today = f"{state}/facts-{datetime.datetime.now(datetime.timezone.utc):%Y%m%d}"
    claim("the day's facts are saved when the daemon ends", until(lambda: os.path.exists(today)), os.listdir(state))
    rows = open(today).read() if os.path.exists(today) else ""
    claim("successes are counted", re.search(r"^5\tgood.example\tsts\tversion: STSv1\x1f", rows, re.M), rows)
    claim("failures have their host and reason", re.search(r"^1\tgood.example\tsts\t.*\tcertificate-expired\t192.0.2.1\tmx.good.example\t\t192.0.2.2\tit failed$",
                                                        rows, re.M), rows)
    old = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=2)
    path = f"{state}/facts-{old:%Y%m%d}"
    with open(path, "w") as f:
        f.write(rows)
    os.chown(path, os.stat(state).st_uid, os.stat(state).st_gid)
    i.kill("tls-policy")
    claim("the report is logged", i.wait_log("tls-report domain=good.example to="), i.log_lines("tls-policy"))
    claim("one that cannot be sent is, too", i.wait_log("tls-report-failed level=warn domain=moved.example reason="), i.log_lines("tls-policy"))
    claim("who wants none gets none", not i.log_lines("tls-report.* domain=plain.example"), i.log_lines("tls-report"))
    claim("the day is done", until(lambda: not os.path.exists(path)), os.listdir(state))
    claim("it came by HTTPS", len(web.posted) == 1 and web.posted[0][:2] == ("/report", "application/tlsrpt+gzip"), web.posted)
    check_report(json.loads(gzip.decompress(web.posted[0][2])), old)
    mails = i.wait_mails(1)
    claim("and by mail", len(mails) == 1, i.log_lines("accepted|refused|reject"))
    m = email.message_from_bytes(content(mails[0]))
    claim("as RFC 8460 5.3 wants it", m.get_content_type() == "multipart/report" and m.get_param("report-type") == "tlsrpt" and
          m["TLS-Report-Domain"] == "good.example" and m["TLS-Report-Submitter"] == "mail.example" and m["TLS-Required"] == "No",
          m.as_string()[:800])
    part = m.get_payload()[1]
    claim("its attachment has the right type and name", part.get_content_type() == "application/tlsrpt+gzip" and
          re.fullmatch(r"mail\.example!good\.example!\d+!\d+\.json\.gz", part.get_filename() or ""), part.get_filename())
    check_report(json.loads(gzip.decompress(part.get_payload(decode=True))), old)


def check_report(r, day):
    p = r["policies"][0]
    claim("the report has day, counts and policy", r["date-range"]["start-datetime"] == f"{day:%Y-%m-%d}T00:00:00Z" and
          len(r["policies"]) == 1 and p["policy"]["policy-type"] == "sts" and p["policy"]["policy-domain"] == "good.example" and
          p["policy"]["mx-host"] == ["mx.good.example", "*.good.example"] and
          p["summary"] == {"total-successful-session-count": 5, "total-failure-session-count": 1} and
          p["failure-details"][0]["result-type"] == "certificate-expired", r)


def rights(i):
    """The process that talks to web servers has its own uid and nothing open but its channel."""
    leader = i.pids("tls-policy")
    children = [p for p in leader if int(open(f"/proc/{p}/stat").read().rsplit(") ", 1)[1].split()[1]) in leader]
    claim("the daemon has two helpers", len(children) == 2, leader)
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
        run(fetching, remembering, damage, counting, rights,
            sets=["tls_reports = yes", "hostname = mail.example", f"dns_servers = 127.0.0.1@{zones.port}", f"tls_ca_file = {d}/ca.crt", "dns_timeout = 5s"])
    finally:
        zones.close()
        web.close()
        subprocess.run(["rm", "-rf", d])
