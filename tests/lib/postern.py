"""What the end-to-end tests share: a private instance, an SMTP client that hides nothing, claims that are counted.

A scenario is a program in tests/e2e/NAME/run.py. Each claim() prints `ok` or `FAIL` with its text; the runner counts them. Nothing
here waits longer than it must: every wait is for an event, with a deadline.
"""
import glob
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOT = os.geteuid() == 0
WAIT = float(os.environ.get("POSTERN_TEST_WAIT", "20"))
failed = 0


def claim(text, holds, detail=""):
    """One thing that must be true. `detail` is shown when it is not."""
    global failed
    if holds:
        print(f"ok {text}", flush=True)
    else:
        failed += 1
        print(f"FAIL {text}" + (f": {detail}" if detail != "" else ""), flush=True)
    return bool(holds)


def skip(text, why):
    print(f"skipped {text}: {why}", flush=True)


def until(what, secs=None):
    """Calls what() until it is true or time is up; returns its last value."""
    end = time.monotonic() + (secs or WAIT)
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.01)


class Smtp:
    """A raw SMTP connection: bytes out as given, whole replies in."""

    def __init__(self, where, greet=True, timeout=15):
        if isinstance(where, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(where)
        else:
            self.sock = socket.create_connection(where, timeout)
        self.sock.settimeout(timeout)
        self.buf = b""
        self.greeting = self.reply() if greet else None

    def line(self):
        while b"\n" not in self.buf:
            try:
                more = self.sock.recv(65536)
            except (ConnectionError, socket.timeout) as e:
                return f"<{type(e).__name__}>"
            if not more:
                return ""
            self.buf += more
        line, self.buf = self.buf.split(b"\n", 1)
        return line.decode("utf-8", "replace").rstrip("\r")

    def reply(self):
        """The lines of one reply, joined by newlines; "" when the server closed."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if len(line) < 4 or line[3] != "-":
                return "\n".join(lines)

    def send(self, data):
        try:
            self.sock.sendall(data if isinstance(data, bytes) else data.encode())
        except ConnectionError:
            pass

    def cmd(self, line):
        self.send(line.encode() + b"\r\n" if isinstance(line, str) else line + b"\r\n")
        return self.reply()

    def hello(self):
        return self.cmd("EHLO client.example")

    def envelope(self, rcpts, sender="sender@client.example"):
        self.cmd(f"MAIL FROM:<{sender}>")
        return [self.cmd(f"RCPT TO:<{r}>") for r in ([rcpts] if isinstance(rcpts, str) else rcpts)]

    def data(self, message):
        """DATA with dots doubled; the message as LF text becomes CRLF. Returns the last reply."""
        first = self.cmd("DATA")
        if not first.startswith("354"):
            return first
        self.send(dotted(message))
        return self.reply()

    def secure(self, context=None, name=None, session=None):
        """The handshake; the certificate is not verified unless the context says so."""
        if context is None:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname=name, session=session)
        return self.sock

    def starttls(self, **kw):
        reply = self.cmd("STARTTLS")
        if reply.startswith("220"):
            self.secure(**kw)
        return reply

    def close(self):
        self.sock.close()

    @staticmethod
    def free_port():
        with socket.create_server(("127.0.0.1", 0)) as s:
            return s.getsockname()[1]


def dotted(message):
    raw = message if isinstance(message, bytes) else message.encode()
    raw = re.sub(rb"(?m)^\.", b"..", raw).replace(b"\n", b"\r\n")
    return raw + (b".\r\n" if raw.endswith(b"\r\n") or not raw else b"\r\n.\r\n")


def message(subject="a test", body="hello\n", **headers):
    head = {"From": "Sender <sender@client.example>", "To": "you@mail.example", "Date": "Mon, 23 Nov 2026 12:00:00 +0000",
            "Message-ID": f"<{time.monotonic_ns()}.{os.getpid()}@client.example>", "Subject": subject, **headers}
    return "".join(f"{k}: {v}\n" for k, v in head.items()) + "\n" + body


class Instance:
    environ = None  # of tests/instance; None: ours

    def __init__(self, *sets, up=True, base=None):
        self.dir = tempfile.mkdtemp(prefix="pt-", dir=base or ("/var/tmp" if ROOT else None))
        os.chmod(self.dir, 0o755)
        self.sets = list(sets)
        if up:
            self.up()

    def _run(self, act, *more, check=True):
        r = subprocess.run([f"{TOP}/tests/instance", act, "--dir", self.dir, *more], capture_output=True, text=True, env=self.environ)
        if check and r.returncode:
            raise RuntimeError(f"tests/instance {act}: {r.stderr}{r.stdout}")
        return r

    def up(self, *sets):
        args = [w for s in [*self.sets, *sets] for w in ("--set", s)]
        self.sets = []
        self._run("up", *args)
        self.read_env()

    def read_env(self):
        self.env = dict(re.findall(r"export (\w+)='(.*)'", self._run("env").stdout))
        e = self.env
        self.where = (e["SMTP_HOST"], int(e["SMTP_PORT"]))
        self.domain, self.log_path, self.queue_dir = e["DOMAIN"], e["LOG"], e["QUEUE_DIR"]
        self.user, self.password = e["AUTH_USER"], e["AUTH_PASS"]
        self.submission, self.submissions = (e["SMTP_HOST"], int(e["SUBMISSION_PORT"])), (e["SMTP_HOST"], int(e["SMTPS_PORT"]))
        self.rcpt, self.rcpt2 = f"{e['RCPT']}@{self.domain}", f"{e['RCPT2']}@{self.domain}"
        self.maildir, self.maildir2 = e["MAILDIR"], e["MAILDIR2"]
        self.pid = int(e["MASTER_PID"])

    def down(self):
        self._run("down")

    def restart(self, *sets):
        self._run("restart", *[w for s in sets for w in ("--set", s)])
        self.read_env()

    def section(self, text):
        """Adds sections to the configuration."""
        with open(f"{self.dir}/settings", "a", encoding="utf-8") as f:
            f.write(text)
        self.restart()

    def purge(self):
        self._run("purge", check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    # --- talking -----------------------------------------------------------------------------------------------------------
    def smtp(self, **kw):
        return Smtp(self.where, **kw)

    def send(self, rcpts=None, msg=None, sender="sender@client.example"):
        """One message over one connection; the reply to its end (or the first refusal)."""
        s = self.smtp()
        try:
            s.hello()
            for r in s.envelope(rcpts or self.rcpt, sender):
                if not r.startswith("250"):
                    return r
            return s.data(msg if msg is not None else message())
        finally:
            s.cmd("QUIT")
            s.close()

    def postern(self, *args, **kw):
        return subprocess.run([f"{self.dir}/bin/postern", *args], capture_output=True, text=True, timeout=60, **kw)

    def sendmail(self, *args, data="", **kw):
        return subprocess.run([self.env["SENDMAIL"], *args], input=data, capture_output=True, text=isinstance(data, str), timeout=60, **kw)

    def port(self, name):
        """Where a listener is: "SUBMISSION", "SMTPS"."""
        return (self.env["SMTP_HOST"], int(self.env[f"{name}_PORT"]))

    # --- looking -----------------------------------------------------------------------------------------------------------
    def mails(self, maildir=None):
        found = glob.glob(f"{glob.escape(maildir or self.maildir)}/new/*")
        return sorted(found, key=lambda f: (os.stat(f).st_mtime_ns, f))  # names do not sort by arrival: files are lent ahead

    def wait_mails(self, n, maildir=None, secs=None):
        until(lambda: len(self.mails(maildir)) >= n, secs)
        return self.mails(maildir)

    def queue_files(self):
        return [f for f in glob.glob(f"{self.queue_dir}/[0-9a-f]/*/*") if os.path.isfile(f)] + glob.glob(f"{self.queue_dir}/hold/*")

    def full_queue_files(self):
        def size(f):
            try:
                return os.path.getsize(f)
            except OSError:
                return 0
        return [f for f in self.queue_files() if size(f) > 0]

    def wait_queue_empty(self, secs=None):
        return until(lambda: not self.full_queue_files(), secs)

    def log(self):
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def log_lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, n=1, secs=None):
        return until(lambda: len(self.log_lines(pattern)) >= n, secs)

    def master_out(self):
        with open(f"{self.dir}/log/master.out", errors="replace") as f:
            return f.read()

    def pids(self, service):
        """Processes of one service, the leader first, from /proc: children of our master and theirs."""
        parents, names = {}, {}
        for p in os.listdir("/proc"):
            if p.isdigit():
                try:
                    stat = open(f"/proc/{p}/stat").read()
                    args = open(f"/proc/{p}/cmdline", "rb").read().split(b"\0")
                except OSError:
                    continue
                parents[int(p)] = int(stat.rsplit(")", 1)[1].split()[1])
                names[int(p)] = os.path.basename(args[0]).decode() if args else ""
        leaders = [p for p, parent in parents.items() if parent == self.pid and names[p] == f"postern-{service}"]
        more, found = leaders, list(leaders)
        while more:
            more = [p for p, parent in parents.items() if parent in more]
            found += more
        return found

    def kill(self, service, sig=signal.SIGKILL):
        """Ends every process of a service at once."""
        pids = self.pids(service)
        for p in pids:
            try:
                os.kill(p, sig)
            except ProcessLookupError:
                pass
        return pids

    def block(self, maildir=None):
        """Makes a mailbox unusable for now: a file stands where the Maildir was."""
        m = maildir or self.maildir
        if os.path.isdir(m):
            os.rename(m, m + ".away")
        os.makedirs(os.path.dirname(m), exist_ok=True)
        with open(m, "w"):
            pass

    def unblock(self, maildir=None):
        m = maildir or self.maildir
        os.unlink(m)
        if os.path.isdir(m + ".away"):
            os.rename(m + ".away", m)

    def queue(self, *filters):
        """The queue as `postern queue list --json` tells it."""
        out = self.postern("queue", "list", "--json", *filters)
        return [json.loads(line) for line in out.stdout.splitlines() if line.strip().startswith("{")] if out.returncode == 0 else [{"error": out.stderr}]

    def sanitizer_reports(self):
        """What the daemons' sanitizers said, from the first report on; "" is good."""
        out = self.master_out()
        first = re.search(r"ERROR: \w+Sanitizer|runtime error: |Sanitizer has encountered a fatal error", out)
        return out[first.start():] if first else ""


def content(path):
    with open(path, "rb") as f:
        return f.read()


def body_of(delivered):
    """What the client sent: below our own header lines, which end with the Received line (and verdict headers)."""
    return delivered.split(b"\n\n", 1)[1] if b"\n\n" in delivered else b""


def headers_of(delivered):
    head = delivered.split(b"\n\n", 1)[0].decode("utf-8", "replace")
    return re.sub(r"\n[ \t]+", " ", head).split("\n")


def run(*scenarios, sets=(), base=None):
    """Runs each scenario function against one instance, in order; ends the process with the right status."""
    inst = None
    try:
        inst = Instance(*sets, base=base)
        for s in scenarios:
            try:
                s(inst)
            except Exception:  # a broken scenario is a failure, not a silence
                claim(f"{s.__name__} runs to its end", False, traceback.format_exc())
        finish(inst)
    finally:
        if inst:
            if failed:
                print(f"-- log of {inst.dir}:\n" + "\n".join(inst.log().splitlines()[-40:]))
                print(inst.master_out()[-2000:])
            inst.purge()
    sys.exit(1 if failed else 0)


def finish(inst):
    """What must hold at the end of every scenario."""
    inst.down()
    reports = inst.sanitizer_reports()
    claim("no sanitizer report", not reports, reports[:6000])
    bad = [line for line in inst.log_lines(r" (worker[-_]died|service[-_]died|bug|sandbox[-_]violation) ") if not getattr(inst, "expect_deaths", False)]
    claim("no daemon died", not bad, "\n".join(bad))
