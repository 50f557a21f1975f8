"""Networks that lose packets: a dead family costs next to nothing. In a network namespace of its own, so as root alone."""
import os
import subprocess
import sys
import tempfile
import time

from postern import claim, run, skip

INSIDE = "POSTERN_TEST_NETNS"
if INSIDE not in os.environ:
    if os.geteuid() != 0 or subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        skip("remote-net", "needs root and network namespaces")
        sys.exit(0)
    os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})

from sink import Sink, Zones, free_port  # noqa: E402  (its ports are the namespace's)

# One end of a cable: packets leave, and nobody at the other end is meant.
for args in ("link set lo up", "link add d0 type veth peer name d1", "link set d0 arp off", "addr add 192.0.2.1/32 dev lo", "-6 addr add 2001:db8::1/128 dev lo nodad", "link set d0 up", "link set d1 up",
             "route add 198.51.100.0/24 dev d0", "-6 route add 2001:db8:dead::/48 dev d0"):
    subprocess.run(["ip", *args.split()], check=True)

port = free_port()
v4 = Sink("192.0.2.1", port, caps=("PIPELINING", "AUTH PLAIN"))
v6 = Sink("2001:db8::1", port)
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


def sections(i):
    i.section("\n[relay secret]\ndomains = secret.example\nhost = [secret.example]\nuser = sam\n")


with tempfile.NamedTemporaryFile("w") as passwords:
    passwords.write("secret open\n")
    passwords.flush()
    try:
        run(sections, families, nobody, secrets,
            sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"remote_port = {port}", "trusted_networks = 127.0.0.0/8", "dns_timeout = 5s", "mta_sts = no",
                  "remote_connect_timeout = 3s", f"relay_password_file = {passwords.name}"])
    finally:
        zones.close()
