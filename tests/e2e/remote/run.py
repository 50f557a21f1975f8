"""remote-delivery: mail reaches other hosts, whatever they and the DNS do."""
import socket
import time

from postern import Instance, claim, dotted, finish, message, run, until
from sink import CLOSE, ENDLESS, FLOOD, HANG, Sink, Zones, free_port

port = free_port()
SINKS = {}
ZONE = """
plain      MX 10 mx1.plain
mx1.plain  A 127.0.0.2
"""


def plain(i):
    s = Sink("127.0.0.2", port)
    claim("a message for another host is accepted", i.send("al@plain.example").startswith("250"))
    claim("it arrives", len(s.wait(1)) == 1, "\n".join(i.log().splitlines()[-15:]))
    claim("the queue is empty", i.wait_queue_empty())
    m = s.messages[0]
    claim("with its envelope", m.sender == "sender@client.example" and m.rcpts == ["al@plain.example"], vars(m))
    claim("and our Received line, without envelope lines of ours", m.data.startswith(b"Received: ") and b"Postern-To" not in m.data, m.data)
    claim("the log says where it went", i.wait_log(r" delivered .*where=mx1.plain.example\[127.0.0.2\]:%d .*how=relay" % port), i.log())
    s.close()


def a_route_opens_nothing(i):
    for where, rcpt, want in (("a domain with a route", "al@routed.example", "550"), ("one with a route for a sender", "al@some.example", "550"),
                              ("any other", "al@plain.example", "550"), ("a domain of which this host is a backup MX", "al@backup.example", "250")):
        c = i.smtp()
        c.hello()
        reply = c.envelope(rcpt)[0]
        claim(f"a stranger to {where}: {want}", reply.startswith(want), reply)
        c.close()


OPEN = """
[relay routed]
domains = routed.example
host = [127.0.0.2]
[relay some]
domains = some.example, *
senders = sender@client.example
host = [127.0.0.2]
[relay backup]
domains = backup.example
accept_from = anyone
"""

def no_open_relay():
    inst = Instance(f"remote_port = {port}")
    try:
        inst.section(OPEN)
        a_route_opens_nothing(inst)
        finish(inst)
    finally:
        inst.purge()


no_open_relay()
zones = Zones(ZONE)
try:
    run(plain, sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"remote_port = {port}", "trusted_networks = 127.0.0.0/8",
                     "dns_timeout = 5s"])
finally:
    zones.close()
