"""TLS towards other hosts: welcome everywhere, proved where DNS or the route asks for it, and never given up where it is demanded."""
import http.server
import os
import ssl
import threading

from postern import claim, message, run, skip
from sink import Certs, Sink, Zones, free_port

port = free_port()
certs = Certs()
WEB = "127.0.2.250"  # HTTPS is port 443, which is root's
STS = os.geteuid() == 0
CAPS = ("PIPELINING", "8BITMIME", "SIZE 20000000", "STARTTLS")


class Host:
    """A domain with one mail exchanger: NAME.ZONE, mx.NAME.ZONE, an address of its own."""
    count = 1

    def __init__(self, name, zone="example", tls="ca", dns=None, caps=CAPS, tlsa=None, days="30", answer=None, sts=None):
        Host.count += 1
        self.domain, self.name, self.zone, self.tlsa = f"{name}.{zone}", name, zone, tlsa
        self.address = f"127.0.2.{Host.count}"
        context = certs.make(name, dns or f"mx.{name}.{zone}", tls == "ca", days) if tls else None
        self.sni, self.sts = None, sts  # sts: mode and pattern of a policy
        if context:
            context.sni_callback = self.asked
        self.sink = Sink(self.address, port, caps=caps if tls else [c for c in caps if c != "STARTTLS"], tls=context, answer=answer)

    def records(self):
        lines = []
        if self.sts:
            lines = [f'_mta-sts.{self.name} TXT "v=STSv1; id=1;"', f"mta-sts.{self.name} A {WEB}"]
        lines += [f"{self.name} MX 10 mx.{self.name}", f"mx.{self.name} A {self.address}"]
        lines += [f"_{port}._tcp.mx.{self.name} TLSA {r}" for r in self.tlsa or ()]
        return lines

    def asked(self, _sock, name, _context):
        self.sni = name

    def got(self):
        return self.sink.messages


class Silence:
    """In place of a context: says nothing to a handshake."""

    def wrap_socket(self, conn, server_side):
        while conn.recv(4096):
            pass
        raise OSError


hosts = {h.name: h for h in (
    Host("may", "clear", tls="self"),
    Host("plain", "clear", tls=None),
    Host("broken", "clear", tls="self"),
    Host("mute", "clear", tls="self"),
    Host("refusing", "clear", tls="self", answer=lambda s, verb, line: "454 4.7.0 not now" if verb == "STARTTLS" else None),
    Host("verified", "clear"),
    Host("selfmade", "clear", tls="self"),
    Host("misnamed", "clear", dns="other.clear"),
    Host("old", "clear", days="-1"),
    Host("bare", "clear", tls=None),
    Host("nodane", "clear"),
    Host("dane", tls="self", dns="some.name"),
    Host("daneta", tls="ca"),
    Host("daneother", tls="ca", dns="else.example"),
    Host("danewrong", tls="self"),
    Host("daneplain", tls=None, tlsa=["3 1 1 " + "ab" * 32]),
    Host("daneodd", tls="self", tlsa=["1 1 1 " + "ab" * 32]),
    Host("danebogus", tls="self", tlsa=["3 1 1 " + "cd" * 32]),
    Host("strict", tls="self", caps=CAPS + ("REQUIRETLS",)),
    Host("lax", tls="self"),
    Host("stsgood", "clear", sts=("enforce", "*.stsgood.clear"), caps=CAPS + ("REQUIRETLS",)),
    Host("stsself", "clear", tls="self", sts=("enforce", "mx.stsself.clear")),
    Host("stsother", "clear", sts=("enforce", "other.stsother.clear")),
    Host("stsplain", "clear", tls=None, sts=("enforce", "mx.stsplain.clear")),
    Host("ststrial", "clear", tls="self", sts=("testing", "mx.ststrial.clear")),
    Host("unproved", "clear", caps=CAPS + ("REQUIRETLS",)),
    Host("below", "clear"),
    Host("itself", "clear", dns="itself.clear"),
    Host("signed", dns="mx.signed.example"),
)}
lmtp = Sink("127.0.2.200", port, caps=CAPS, lmtp=True, tls=certs.make("lmtp", "lmtp.clear"),
            answer=lambda s, verb, line: "452 4.2.2 full" if verb == "END" and line.startswith("b@") else None)
hosts["dane"].tlsa = ["3 1 1 " + certs.tlsa("dane")]
hosts["strict"].tlsa = ["3 1 1 " + certs.tlsa("strict")]
hosts["lax"].tlsa = ["3 1 1 " + certs.tlsa("lax")]
hosts["daneta"].tlsa = ["2 1 1 " + certs.tlsa("ca")]
hosts["daneother"].tlsa = ["2 1 1 " + certs.tlsa("ca")]
hosts["danewrong"].tlsa = ["3 1 1 " + certs.tlsa("dane")]
broken = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # without a certificate no handshake comes to an end
hosts["broken"].sink.tls = broken
hosts["mute"].sink.tls = Silence()

SECTIONS = "".join(f"""
[relay {name}]
domains = {name}.clear
host = [mx.{name}.clear]
tls = {wish}
""" for name, wish in (("verified", "verify"), ("selfmade", "verify"), ("misnamed", "verify"), ("old", "verify"), ("bare", "require"), ("nodane", "dane"))) + """
[relay lmtp]
domains = in.lmtp.clear
host = lmtp:[lmtp.clear]
tls = verify

[relay mx]
domains = below.clear, itself.clear, forged.clear, other.example
tls = verify
"""


def send(i, name):
    reply = i.send(f"al@{hosts[name].domain}")
    claim(f"a message for {name} is accepted", reply.startswith("250"), reply)


def arrives(i, name, how):
    send(i, name)
    ok = len(hosts[name].sink.wait(1, 10)) == 1
    claim(f"{name}: it arrives", ok, "\n".join(i.log().splitlines()[-8:]))
    claim(f"{name}: {how}", i.wait_log(rf" sent relay=mx.{name}.*tls={how}"), "\n".join(i.log().splitlines()[-8:]))


def waits(i, name, dsn, why):
    send(i, name)
    claim(f"{name}: deferred, {dsn} {why}", i.wait_log(rf" deferred to=al@{name}.* dsn={dsn} .*{why}", secs=10), "\n".join(i.log().splitlines()[-8:]))
    claim(f"{name}: nothing was sent", not hosts[name].got())


def welcome(i):
    arrives(i, "may", r"TLSv1.3:[A-Z0-9_]*:unverified")
    claim("its name is asked for", hosts["may"].sni == "mx.may.clear", hosts["may"].sni)
    arrives(i, "plain", "no")
    arrives(i, "broken", "no")
    claim("on a second connection, for the first had failed", len(hosts["broken"].sink.sessions) == 2)
    arrives(i, "mute", "no")
    claim("a handshake without an answer is given up after tls_timeout", len(hosts["mute"].sink.sessions) == 2)
    arrives(i, "refusing", "no")
    claim("on the same connection", len(hosts["refusing"].sink.sessions) == 1)


def demanded(i):
    arrives(i, "verified", r"TLSv1.3:[A-Z0-9_]*:verified")
    waits(i, "selfmade", "4.7.5", "certificate is not good")
    waits(i, "misnamed", "4.7.5", "ostname mismatch")
    waits(i, "old", "4.7.5", "expired")
    waits(i, "bare", "4.7.4", "does not offer STARTTLS")
    waits(i, "nodane", "4.7.5", "no validated TLSA")


def dane(i):
    arrives(i, "dane", r"TLSv1.3:[A-Z0-9_]*:dane")
    for domain, host in (("danealias", "dane"), ("daneout", "may")):
        before = len(hosts[host].got())
        i.send(f"al@{domain}.example")
        claim(f"{domain}: it arrives", len(hosts[host].sink.wait(before + 1, 10)) > before, "\n".join(i.log().splitlines()[-6:]))
        claim(f"{domain}: proved by DANE through an alias", i.wait_log(rf" sent relay=\S*{domain}\S* tls=\S*:dane"), "\n".join(i.log().splitlines()[-6:]))
    i.send("al@danelost.example")
    claim("danelost: an alias out of the signed zone has TLSA records of its own", i.wait_log(r" deferred to=al@danelost.* dsn=4.7.5", secs=10),
          "\n".join(i.log().splitlines()[-6:]))
    arrives(i, "daneta", r"TLSv1.3:[A-Z0-9_]*:dane")
    waits(i, "daneother", "4.7.5", "ostname mismatch")
    waits(i, "danewrong", "4.7.5", "certificate is not good")
    waits(i, "daneplain", "4.7.4", "does not offer STARTTLS")
    arrives(i, "daneodd", r"TLSv1.3:[A-Z0-9_]*:unverified")
    waits(i, "danebogus", "4.7.5", "signatures are not valid")


def strict_mail(i, name):
    c = i.smtp()
    c.hello()
    c.starttls()
    c.hello()
    replies = [c.cmd("MAIL FROM:<sender@client.example> REQUIRETLS"), c.cmd(f"RCPT TO:<al@{hosts[name].domain}>"), c.data(message())]
    c.close()
    claim(f"{name}: REQUIRETLS is taken", all(r.startswith("250") for r in replies), replies)


def requiretls(i):
    strict_mail(i, "strict")
    claim("strict: it arrives", len(hosts["strict"].sink.wait(1, 10)) == 1, "\n".join(i.log().splitlines()[-8:]))
    claim("with the same demand", any(" REQUIRETLS" in c for c in hosts["strict"].sink.sessions[0].commands), hosts["strict"].sink.sessions[0].commands)
    for name, why in (("lax", "does not know REQUIRETLS"), ("unproved", "neither DNSSEC nor MTA-STS"), ("daneodd", "certificate")):
        before = len(hosts[name].got())
        strict_mail(i, name)
        claim(f"{name}: returned, 5.7.30: {why}", i.wait_log(rf" failed to=al@{name}.* dsn=5.7.30 .*{why}", secs=10), "\n".join(i.log().splitlines()[-8:]))
        claim(f"{name}: nothing was sent", len(hosts[name].got()) == before)


class Policies(http.server.BaseHTTPRequestHandler):
    """A host for all policies, with a certificate for each name."""

    def do_GET(self):
        mode, pattern = hosts[self.headers["Host"].split(".")[1]].sts
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(f"version: STSv1\r\nmode: {mode}\r\nmx: {pattern}\r\nmax_age: 86400\r\n".encode())

    def log_message(self, *args):
        pass


def serve_policies():
    contexts = {f"mta-sts.{h.domain}": certs.make(f"web-{h.name}", f"mta-sts.{h.domain}") for h in hosts.values() if h.sts}
    first = next(iter(contexts.values()))
    first.sni_callback = lambda s, name, _: setattr(s, "context", contexts.get(name, first))
    server = http.server.ThreadingHTTPServer((WEB, 443), Policies)
    server.socket = first.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


def tls_required_no(i):
    """RFC 8689 5: a sender to whom arrival is worth more than secrecy. The next message is not sent along."""
    text = "TLS-Required: No\nSubject: your TLSA record is wrong\n\nx\n"
    i.send("postmaster@daneplain.example", msg=text)
    claim("TLS-Required: No arrives where DANE would have it wait", len(hosts["daneplain"].sink.wait(1, 10)) == 1, "\n".join(i.log().splitlines()[-6:]))
    i.send("al@daneplain.example")
    claim("a message without it waits, though the connection was still open", i.wait_log(r" deferred to=al@daneplain.* dsn=4.7.4", n=2, secs=10) and
          len(hosts["daneplain"].got()) == 1, "\n".join(i.log().splitlines()[-6:]))
    i.send("al@bare.clear", msg=text)
    claim("what our own route demands holds all the same", i.wait_log(r" deferred to=al@bare.* dsn=4.7.4", n=2, secs=10) and not hosts["bare"].got(),
          "\n".join(i.log().splitlines()[-6:]))


def mta_sts(i):
    arrives(i, "stsgood", r"TLSv1.3:[A-Z0-9_]*:verified")
    waits(i, "stsself", "4.7.5", "certificate is not good")
    waits(i, "stsother", "4.7.5", "does not name this host")
    waits(i, "stsplain", "4.7.4", "does not offer STARTTLS")
    arrives(i, "ststrial", r"TLSv1.3:[A-Z0-9_]*:unverified")
    claim("in testing mode the fault is noted", i.wait_log(r" tls relay=mx.ststrial\S* policy=sts .*result=failed-testing reason=.*self"), "\n".join(i.log().splitlines()[-6:]))
    before = len(hosts["stsgood"].got())
    strict_mail(i, "stsgood")
    claim("a policy proves whose host it is, for REQUIRETLS", len(hosts["stsgood"].sink.wait(before + 1, 10)) == before + 1, "\n".join(i.log().splitlines()[-6:]))


def mx_names(i):
    """tls = verify, and the host is what an MX record says."""
    arrives(i, "below", r"TLSv1.3:[A-Z0-9_]*:verified")
    arrives(i, "itself", r"TLSv1.3:[A-Z0-9_]*:verified")
    before = len(hosts["verified"].got())
    i.send("al@forged.clear")
    claim("whoever forges an MX record has a certificate for the name in it: that proves nothing",
          i.wait_log(r" deferred to=al@forged.clear .*dsn=4.7.5 .*not good for forged.clear", secs=10), "\n".join(i.log().splitlines()[-8:]))
    claim("and nothing is sent", len(hosts["verified"].got()) == before)
    i.send("al@other.example")
    claim("a signed one may name any host", len(hosts["signed"].sink.wait(1, 10)) == 1 and i.wait_log(r" sent relay=mx.signed.*:verified"),
          "\n".join(i.log().splitlines()[-8:]))


def lmtp_too(i):
    """LMTP over TCP, under TLS: one answer for each recipient."""
    c = i.smtp()
    c.hello()
    c.envelope([f"{u}@in.lmtp.clear" for u in "abc"])
    c.data(message())
    c.close()
    claim("LMTP: two get it under TLS", i.wait_log(r" delivered to=[ac]@in.lmtp.clear", n=2, secs=10) and len(lmtp.messages) == 1 and lmtp.messages[0].session.tls,
          "\n".join(i.log().splitlines()[-8:]))
    claim("the third waits", i.wait_log(r" deferred to=b@in.lmtp.clear .*dsn=4.2.2 .*full"), "\n".join(i.log().splitlines()[-8:]))
    claim("LHLO is said again behind STARTTLS", [c.split()[0] for c in lmtp.sessions[0].commands[:3]] == ["LHLO", "STARTTLS", "LHLO"], lmtp.sessions[0].commands)


def spoil(text):
    return "\n".join(line.replace("cd" * 32, "ce" * 32) if "TLSA" in line and "RRSIG" not in line else line for line in text.split("\n"))


ALIASES = f"""
danealias  MX 10 in.danealias
in.danealias CNAME mx.dane
daneout    MX 10 out.daneout
out.daneout CNAME mx.may.clear.
_{port}._tcp.out.daneout TLSA 3 1 1 {certs.tlsa("may")}
other      MX 10 mx.signed
danelost   MX 10 out.danelost
out.danelost CNAME mx.may.clear.
_{port}._tcp.out.danelost TLSA 3 1 1 {"ab" * 32}
"""


def zone(name):
    more = {"example": ALIASES, "clear": "\nforged MX 10 mx.verified\nlmtp A 127.0.2.200\n"}
    return "\n".join(line for h in hosts.values() if h.zone == name for line in h.records()) + more[name]


zones = Zones({"example": zone("example"), "clear": zone("clear")}, signed=("example",), spoil=spoil)


def sections(i):
    i.section(SECTIONS)


if STS:
    serve_policies()
else:
    skip("MTA-STS", "HTTPS is port 443, which is root's")
try:
    run(sections, welcome, demanded, mx_names, lmtp_too, dane, requiretls, tls_required_no, *([mta_sts] if STS else []),
        sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"dns_trust_anchor_file = {zones.anchor}", f"tls_ca_file = {certs.ca}",
              f"remote_port = {port}", "trusted_networks = 127.0.0.0/8", "dns_timeout = 5s", "tls_timeout = 2s"])
finally:
    zones.close()
    certs.close()
