"""Networks that lose packets: a dead family costs next to nothing. In a network namespace of its own, so as root alone."""
import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

from postern import claim, message, run, skip, until

INSIDE = "POSTERN_TEST_NETNS"
if INSIDE not in os.environ:
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        skip("remote-net", "needs root and network namespaces")
        sys.exit(0)
    os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})

from sink import Certs, Sink, Zones, free_port  # noqa: E402  (its ports are the namespace's)

# One end of a cable: packets leave, and nobody at the other end is meant.
for args in ("link set lo up", "link add d0 type veth peer name d1", "link set d0 arp off", "addr add 192.0.2.1/32 dev lo", "-6 addr add 2001:db8::1/128 dev lo nodad", "link set d0 up", "link set d1 up",
             "route add 198.51.100.0/24 dev d0", "-6 route add 2001:db8:dead::/48 dev d0"):
    subprocess.run(["ip", *args.split()], check=True)

port = free_port()
v4 = Sink("192.0.2.1", port, caps=("PIPELINING", "AUTH PLAIN"))
v6 = Sink("2001:db8::1", port)
certs = Certs()
for n in (2, 3, 4):
    subprocess.run(["ip", "addr", "add", f"192.0.2.{n}/32", "dev", "lo"], check=True)


def welcomes(s, verb, line):
    return "235 2.7.0 welcome" if verb == "AUTH" else None


TLS = ("PIPELINING", "STARTTLS", "AUTH PLAIN LOGIN")
proved = Sink("192.0.2.2", port, caps=TLS, answer=welcomes, tls=certs.make("proved", "proved.example"))
posed = Sink("192.0.2.3", port, caps=TLS, answer=welcomes, tls=certs.make("posed", "posed.example", signed=False))
trusted = Sink("192.0.2.4", port, caps=TLS, answer=welcomes, tls=certs.make("trusted", "trusted.example", signed=False))

# A host behind a cable that can be cut: in a network namespace of its own, whose address goes away and comes back.
far = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE)
far.stdout.readline()
IN_FAR = ["nsenter", "-t", str(far.pid), "-n", "ip"]
for args in (f"link add e0 type veth peer name e1 netns {far.pid}", "addr add 203.0.113.1/24 dev e0", "link set e0 up"):
    subprocess.run(["ip", *args.split()], check=True)
for args in ("link set lo up", "addr add 203.0.113.2/24 dev e1", "link set e1 up"):
    subprocess.run([*IN_FAR, *args.split()], check=True)


def cable(act):
    subprocess.run([*IN_FAR, "addr", act, "203.0.113.2/24", "dev", "e1"], check=True)


class Cut:
    """An answer of the far host, at whose `step` the cable is cut, once."""
    step = None

    def __call__(self, s, verb, line):
        if verb == self.step:
            self.step = None
            if verb == "DATA":  # in mid-message
                threading.Timer(0.3, cable, ["del"]).start()
            else:
                cable("del")


cut, behind = Cut(), []


def make_far():
    with open(f"/proc/{far.pid}/ns/net") as ns:
        if ctypes.CDLL(None, use_errno=True).setns(ns.fileno(), 0):
            raise OSError(ctypes.get_errno(), "setns")
    behind.append(Sink("203.0.113.2", port, answer=cut, slow=0.001))
    behind[0].sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)  # or a message is in the buffers at once


thread = threading.Thread(target=make_far)  # a namespace is a thread's own
thread.start()
thread.join()
DEAD4, DEAD6 = "198.51.100.7", "2001:db8:dead::7"
zones = Zones(f"""
hole6  AAAA {DEAD6}
hole6  A    192.0.2.1
hole4  AAAA 2001:db8::1
hole4  A    {DEAD4}
both   AAAA 2001:db8::1
both   A    192.0.2.1
dead   AAAA {DEAD6}
dead   A    {DEAD4}
many   AAAA {DEAD6}
many   AAAA 2001:db8:dead::8
many   AAAA 2001:db8:dead::9
many   A    192.0.2.1
secret A    192.0.2.1
proved A    192.0.2.2
posed  A    192.0.2.3
trusted A   192.0.2.4
far    A    203.0.113.2
""")


def last(i, n=6):
    return "\n".join(i.log().splitlines()[-n:])


def arrives(i, name, sink, most):
    before, start = len(sink.messages), time.monotonic()
    reply = i.send(f"al@{name}.example")
    got = sink.wait(before + 1, 15)
    took = time.monotonic() - start
    claim(f"{name}: it arrives", reply.startswith("250") and len(got) > before, last(i))
    claim(f"{name}: in less than {most} s", took < most, f"{took:.2f}")


def families(i):
    arrives(i, "both", v6, 1)
    claim("IPv6 goes first where both are alive", not v4.messages)
    arrives(i, "hole6", v4, 1)
    arrives(i, "hole4", v6, 1)
    arrives(i, "many", v4, 2)


def nobody(i):
    start = time.monotonic()
    i.send("al@dead.example")
    claim("a host that is not there is waited for no longer than configured",
          i.wait_log(r" deferred to=al@dead.* dsn=4.4.1 .*timed out", secs=15) and time.monotonic() - start < 6, last(i))


def secrets(i):
    before = len(v4.messages)
    i.send("al@secret.example")
    claim("no password goes over a network without TLS", i.wait_log(r" deferred to=al@secret.* dsn=4.7.11 .*without TLS", secs=10), last(i))
    claim("nor the message", len(v4.messages) == before and not any(c.startswith("AUTH") for s in v4.sessions for c in s.commands))


def proofs(i):
    """TLS alone keeps a password from those who listen, not from him who answers."""
    i.send("al@proved.example")
    claim("PLAIN goes to a host whose certificate is good, though tls = may", len(proved.wait(1, 10)) == 1 and i.wait_log(r" sent relay=proved.*:verified"), last(i))
    i.send("al@posed.example")
    claim("not to one that anybody may be", i.wait_log(r" deferred to=al@posed.* dsn=4.7.11 .*not verified", secs=10), last(i))
    claim("nothing of it is said", not any(c.startswith("AUTH") for s in posed.sessions for c in s.commands), [s.commands for s in posed.sessions])
    i.send("al@trusted.example")
    claim("but where the admin says so", len(trusted.wait(1, 10)) == 1, last(i))


def cuts(i):
    """The cable is cut in mid-session, and nobody says so."""
    for step, text in (("MAIL", message()), ("DATA", message(body=("x" * 900 + "\n") * 4000)), ("END", message())):
        host, cut.step = behind[0], step
        before, sessions, failed = len(host.messages), len(host.sessions), len(i.log_lines(r" host-failed relay=far.example"))
        i.send("al@far.example", msg=text)
        claim(f"cut at {step}: the message waits", i.wait_log(r" deferred to=al@far.example .*dsn=4.4.[12] ", n=1 + cuts.count, secs=30), last(i))
        cuts.count = len(i.log_lines(r" deferred to=al@far.example"))
        time.sleep(1)  # for a storm to show itself
        failed = len(i.log_lines(r" host-failed relay=far.example")) - failed
        claim("one attempt, no storm", cuts.count == len(i.log_lines(r" deferred to=al@far.example")) and len(host.sessions) <= sessions + 1 and failed <= 2,
              (len(host.sessions) - sessions, failed))  # a connection that was kept, and a new one
        cable("add")
        copies = 1 + (step == "END")  # RFC 1047: that answer was lost
        claim("when the network is back it is delivered",
              until(lambda: (i.postern("queue", "flush"), len(host.messages) >= before + copies)[1], 20), last(i))
        time.sleep(1)  # for a second copy
        claim(f"in {copies} copies", len(host.messages) == before + copies, len(host.messages) - before)
        cuts.count = len(i.log_lines(r" deferred to=al@far.example"))


cuts.count = 0


def sections(i):
    for name, more in (("secret", ""), ("proved", ""), ("posed", ""), ("trusted", "password_to_unverified = yes\n")):
        i.section(f"\n[relay {name}]\ndomains = {name}.example\nhost = [{name}.example]\nuser = sam\n{more}")


with tempfile.NamedTemporaryFile("w") as passwords:
    passwords.write("secret open\nproved open\nposed open\ntrusted open\n")
    passwords.flush()
    try:
        run(sections, families, nobody, secrets, proofs, cuts,
            sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"remote_port = {port}", "trusted_networks = 127.0.0.0/8", "dns_timeout = 5s", "mta_sts = no",
                  "remote_connect_timeout = 3s", "remote_mail_timeout = 2s", "remote_block_timeout = 3s", "remote_done_timeout = 3s", f"tls_ca_file = {certs.ca}",
                   f"relay_password_file = {passwords.name}"])
    finally:
        zones.close()
        certs.close()
        far.kill()
