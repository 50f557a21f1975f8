"""Servers for tests of delivery to other hosts: a mail server that does what it is told, and a DNS server with zones of ours."""
import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from postern import until

CLOSE = object()     # an answer: close the connection
HANG = object()      # say nothing, keep it open
ENDLESS = object()   # a reply that never ends
FLOOD = object()     # a line that never ends


def free_port(host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


class Session:
    def __init__(self, peer):
        self.peer, self.commands, self.tls, self.started = peer, [], None, time.monotonic()
        self.sender, self.rcpts, self.tries = None, [], 0


class Message:
    def __init__(self, session, data):
        self.session, self.sender, self.rcpts, self.data = session, session.sender, list(session.rcpts), data


class Sink:
    """answer(session, verb, line) returns a reply ("250 ok", several lines with \\n), one of the words above, or None for the usual."""

    def __init__(self, host="127.0.0.1", port=0, caps=("PIPELINING", "8BITMIME", "SIZE 20000000"), answer=None, lmtp=False, tls=None,
                 unix=None, slow=0):
        self.caps, self.answer, self.lmtp, self.tls, self.slow = list(caps), answer, lmtp, tls, slow
        self.messages, self.sessions, self.lock = [], [], threading.Lock()
        self.live = self.peak = 0  # connections at once, now and at most
        if unix:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(unix)
            os.chmod(unix, 0o666)
        else:
            self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind((host, port))
            self.port = self.sock.getsockname()[1]
        self.sock.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.sock.close()

    def wait(self, n, secs=None):
        until(lambda: len(self.messages) >= n, secs)
        return self.messages

    def _accept(self):
        while True:
            try:
                conn, peer = self.sock.accept()
            except OSError:
                return
            s = Session(peer)
            self.sessions.append(s)
            threading.Thread(target=self._serve, args=(conn, s), daemon=True).start()

    def _say(self, conn, text):
        if text is CLOSE:
            return False
        if text is HANG:
            try:
                while conn.recv(4096):
                    pass
            except OSError:
                pass
            return False
        if text is ENDLESS or text is FLOOD:
            try:
                while True:
                    conn.sendall(b"250-and so on\r\n" * 100 if text is ENDLESS else b"x" * 65536)
            except OSError:
                return False
        lines = text.split("\n")
        conn.sendall("".join(f"{line[:3]}{'-' if i < len(lines) - 1 else ' '}{line[4:]}\r\n" for i, line in enumerate(lines)).encode("utf-8", "surrogateescape"))
        return not text.startswith("421")

    def _usual(self, s, verb, line):
        if verb == "GREETING":
            return "220 sink.example ESMTP"
        if verb in ("EHLO", "LHLO"):
            caps = [c for c in self.caps if not (c == "STARTTLS" and s.tls)]
            return "\n".join(["250 sink.example"] + [f"250 {c}" for c in caps])
        if verb == "HELO":
            return "250 sink.example"
        if verb == "MAIL":
            s.sender, s.rcpts = re.search(r"<(.*?)>", line)[1], []
            return "250 2.1.0 ok"
        if verb == "RCPT":
            return "250 2.1.5 ok"
        if verb == "DATA":
            return "354 go on" if s.rcpts else "503 5.5.1 no recipients"
        if verb == "RSET":
            s.sender, s.rcpts = None, []
            return "250 2.0.0 ok"
        if verb == "STARTTLS":
            return "220 go ahead"
        if verb == "QUIT":
            return "221 bye"
        if verb == "END":
            return f"250 2.0.0 ok {len(self.messages)}"
        return "502 5.5.1 what?"

    def _reply(self, s, verb, line):
        text = self.answer(s, verb, line) if self.answer else None
        usual = self._usual(s, verb, line)
        text = usual if text is None else text
        if verb == "RCPT" and isinstance(text, str) and text.startswith("250"):
            s.rcpts.append(re.search(r"<(.*?)>", line)[1])
        return text

    def _serve(self, conn, s):
        with self.lock:
            self.live += 1
            self.peak = max(self.peak, self.live)
        try:
            self._talk(conn, s)
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.live -= 1
            conn.close()

    def _talk(self, conn, s):
        if not self._say(conn, self._reply(s, "GREETING", "")):
            return
        f = conn.makefile("rb")
        while True:
            raw = f.readline()
            if not raw:
                return
            line = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
            verb = line.split(" ")[0].upper()
            s.commands.append(line)
            text = self._reply(s, verb, line)
            if verb == "BDAT":
                if not self._bdat(conn, f, s, line):
                    return
                continue
            if not self._say(conn, text):
                return
            if verb == "QUIT":
                return
            if verb == "STARTTLS" and text.startswith("220"):
                conn = self.tls.wrap_socket(conn, server_side=True)
                s.tls = conn.version()
                f = conn.makefile("rb")
            if verb == "DATA" and text.startswith("354") and not self._data(conn, f, s):
                return

    def _data(self, conn, f, s):
        data = []
        while True:
            if self.slow:
                time.sleep(self.slow)
            line = f.readline()
            if not line:
                return False
            if line == b".\r\n":
                break
            data.append(line)
        return self._end(conn, s, b"".join(line[1:] if line.startswith(b".") else line for line in data))

    def _bdat(self, conn, f, s, line):
        words = line.split()
        data = f.read(int(words[1]))
        if len(data) < int(words[1]):
            return False
        s.chunks = getattr(s, "chunks", b"") + data
        if words[2:] != ["LAST"]:
            return self._say(conn, "250 2.0.0 ok")
        data, s.chunks = s.chunks, b""
        return self._end(conn, s, data)

    def _end(self, conn, s, data):
        replies = []
        for r in s.rcpts if self.lmtp else [None]:
            replies.append(self._reply(s, "END", r or ""))
        if any(isinstance(r, str) and r.startswith("250") for r in replies):
            with self.lock:
                self.messages.append(Message(s, data))
        for r in replies:
            if not self._say(conn, r):
                return False
        return True


class Zones:
    """nsd with the zone `example.`, or those of a dict by name; records are lines of a zone file. A port of its own on 127.0.0.1.
    `signed`: these zones are signed, and `anchor` is the file with the key of the first. spoil(text) changes a signed zone's file."""

    def __init__(self, records, signed=(), spoil=None):
        zones = records if isinstance(records, dict) else {"example": records}
        self.dir = tempfile.mkdtemp(prefix="pt-dns-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        for zone, text in zones.items():
            with open(f"{self.dir}/{zone}.zone", "w") as f:
                f.write(f"$TTL 60\n$ORIGIN {zone}.\n@ SOA ns.{zone}. root.{zone}. 1 60 60 60 1\n@ NS ns.{zone}.\nns A 127.0.0.1\n" + text + "\n")
        for zone in signed:
            self.sign(zone, spoil)
        with open(f"{self.dir}/nsd.conf", "w") as f:
            f.write(f"""server:
  ip-address: 127.0.0.1@{self.port}
  port: {self.port}
  zonesdir: "{self.dir}"
  zonelistfile: "{self.dir}/zone.list"
  xfrdfile: "{self.dir}/xfrd.state"
  pidfile: "{self.dir}/nsd.pid"
  username: ""
  server-count: 1
remote-control:
  control-enable: no
""" + "".join(f"zone:\n  name: {zone}\n  zonefile: {zone}.zone{'.signed' if zone in signed else ''}\n" for zone in zones))
        self.zone = next(iter(zones))
        self.log = open(f"{self.dir}/log", "w")
        self.proc = subprocess.Popen([shutil.which("nsd") or "/usr/sbin/nsd", "-d", "-c", f"{self.dir}/nsd.conf"], stdout=self.log, stderr=self.log)
        until(self.answers)

    def sign(self, zone, spoil):
        key = subprocess.run(["ldns-keygen", "-k", "-a", "ECDSAP256SHA256", zone], cwd=self.dir, check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["ldns-signzone", f"{zone}.zone", key], cwd=self.dir, check=True)
        if not hasattr(self, "anchor"):
            self.anchor = f"{self.dir}/{key}.key"
        if spoil:
            with open(f"{self.dir}/{zone}.zone.signed", "r+") as f:
                text = spoil(f.read())
                f.seek(0)
                f.truncate()
                f.write(text)

    def answers(self):
        q = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x02ns" + bytes([len(self.zone)]) + self.zone.encode() + b"\x00\x00\x01\x00\x01"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            try:
                s.sendto(q, ("127.0.0.1", self.port))
                return s.recv(512)[:2] == b"\x12\x34"
            except OSError:
                return False

    def close(self):
        self.proc.terminate()
        self.proc.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


class Certs:
    """A CA, and certificates: context(name, ...) is what a sink serves, tlsa(...) the data of a TLSA record for it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="pt-ca-")
        os.chmod(self.dir, 0o755)
        self.ca = f"{self.dir}/ca.crt"
        self._openssl("req", "-x509", *self._new("ca"), "-subj", "/CN=a CA of tests", "-days", "30", "-addext", "basicConstraints=critical,CA:TRUE", "-out", self.ca)

    def _openssl(self, *args, **kw):
        r = subprocess.run(["openssl", *args], capture_output=True, **kw)
        if r.returncode:
            raise RuntimeError(r.stderr.decode())
        return r.stdout

    def _new(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{self.dir}/{name}.key"]

    def make(self, name, dns, signed=True, days="30"):
        """signed: by the CA, which then follows in the file; else by itself."""
        at = f"{self.dir}/{name}"
        self._openssl("req", "-new", *self._new(name), "-subj", f"/CN={dns}", "-out", f"{at}.csr")
        by = ["-CA", self.ca, "-CAkey", f"{self.dir}/ca.key", "-CAcreateserial"] if signed else ["-signkey", f"{at}.key"]
        self._openssl("x509", "-req", "-in", f"{at}.csr", *by, "-days", days, "-out", f"{at}.crt", "-extfile", "/dev/stdin", input=f"subjectAltName=DNS:{dns}\n".encode())
        if signed:
            with open(f"{at}.crt", "a") as f, open(self.ca) as ca:
                f.write(ca.read())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{at}.crt", f"{at}.key")
        return context

    def tlsa(self, name):
        """Selector 1, matching type 1: SHA-256 of the key."""
        der = self._openssl("pkey", "-pubin", "-outform", "DER", input=self._openssl("x509", "-in", f"{self.dir}/{name}.crt", "-noout", "-pubkey"))
        return hashlib.sha256(der).hexdigest()

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
