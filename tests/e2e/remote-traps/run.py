"""remote-delivery: peers that answer wrongly, out of turn or by halves. Nothing is lost, nobody is told something untrue."""
import socket
import time

from postern import claim, message, run, until
from sink import CLOSE, Sink, Zones, free_port

port = free_port()
RECORDS, SINKS = [], {}
ALL = ("PIPELINING", "8BITMIME", "SIZE 20000000")


def host(name, domain=None, preference=10, **kw):
    SINKS[name] = Sink(f"127.0.6.{len(SINKS) + 1}", port, **kw)
    RECORDS.append(f"mx.{name} A 127.0.6.{len(SINKS)}")
    RECORDS.append(f"{domain or name} MX {preference} mx.{name}")
    return SINKS[name]


def strict(reply_to_data):
    """Two recipients at once; DATA is refused once, and its transaction goes on until RSET, as many servers have it."""
    def answer(s, verb, line):
        if verb == "MAIL" and s.sender is not None:
            return "503 5.5.1 nested MAIL"
        if verb == "RCPT" and len(s.rcpts) >= 2:
            return "452 4.5.3 too many"
        if verb in ("DATA", "BDAT") and not hasattr(s, "refused"):
            s.refused = True
            return reply_to_data
        if verb == "END":
            s.sender = None
        return None
    return answer


def slow_end(s, verb, line):
    if verb == "END":
        time.sleep(6)


class Full(Sink):
    """Has had enough after 354: says so, and reads no more."""

    def _data(self, conn, f, s):
        self._say(conn, "552 5.3.4 enough of that")
        time.sleep(15)
        return False


def once(s, verb, line):
    """One message for each session."""
    if verb == "MAIL":
        s.tries += 1
        return "503 5.5.1 one message is enough" if s.tries > 1 else None
    return None


def greet(text):
    return lambda s, verb, line: text if verb == "GREETING" else None


host("yes", answer=lambda s, verb, line: "250 2.0.0 yes" if verb == "DATA" else None)
host("strict", answer=strict("451 4.3.0 not now"))
host("strict5", answer=strict("554 5.7.1 not that"), caps=("8BITMIME",))
host("knows", "dsn", 10, caps=("PIPELINING", "DSN"), answer=lambda s, verb, line: CLOSE if verb == "DATA" else None)
host("knowsnot", "dsn", 20, caps=("PIPELINING",))
host("slowend", answer=slow_end)
host("eight", caps=("PIPELINING", "8BITMIME"))
host("utf8", caps=("PIPELINING", "8BITMIME", "SMTPUTF8"))
host("seven", caps=("PIPELINING", "SIZE 6000"))
host("once", answer=once)
SINKS["full"] = Full("127.0.6.103", port)
SINKS["full"].sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)  # or the message is in the buffers at once
RECORDS += ["full MX 10 mx.full", "mx.full A 127.0.6.103"]
here = Sink("127.0.0.1", port)
RECORDS += ["zero MX 10 nowhere", "nowhere A 0.0.0.0", "zero6 MX 10 nowhere6", "nowhere6 AAAA ::", "nowhere6 AAAA ::ffff:127.0.0.1"]
SINKS["half"] = Sink("127.0.6.101", port)
busy = Sink("127.0.6.102", port, answer=greet("451 4.3.2 busy"))
RECORDS += ["half MX 10 mx.half", "mx.half A 127.0.6.101", "mx.half A 127.0.6.102"]


def last(i, n=8):
    return "\n".join(i.log().splitlines()[-n:])


def send(i, rcpts, text=None, params="", sender="sender@client.example"):
    c = i.smtp()
    c.hello()
    c.cmd(f"MAIL FROM:<{sender}>{params}")
    for r in rcpts:
        c.cmd(f"RCPT TO:{r}")
    reply = c.data(text or message())
    c.close()
    claim(f"{rcpts[0]}: accepted", reply.startswith("250"), reply)


def data_said_yes(i):
    send(i, ["<al@yes.example>"])
    claim("250 in answer to DATA is no delivery: nothing was sent", i.wait_log(r" deferred to=al@yes.example .*dsn=4\.5\.0", secs=10), last(i))
    claim("nor is anything said to be delivered", not i.log_lines(r" delivered to=al@yes.example"), last(i))


def data_refused(i):
    for name, word, dsn in (("strict", "deferred", "4.3.0"), ("strict5", "failed", "5.7.1")):
        send(i, [f"<{u}@{name}.example>" for u in "abc"])
        got = SINKS[name].wait(1, 10)
        claim(f"{name}: those whom DATA refused", i.wait_log(rf" {word} to=[ab]@{name}.example .*dsn={dsn}", n=2), last(i))
        claim(f"{name}: the third, who was put off, gets it", len(got) == 1 and got[0].rcpts == [f"c@{name}.example"], last(i))


def reports(i):
    send(i, ["<al@dsn.example> NOTIFY=SUCCESS,FAILURE"], sender="asker@client.example")
    claim("it goes to the second host, who does not know DSN", len(SINKS["knowsnot"].wait(1, 10)) == 1, last(i))
    claim("the sender hears that it was relayed: the first host's promise counts for nothing",
          i.wait_log(r" accepted from= to=asker@client.example", secs=10), last(i))


def last_answer(i):
    send(i, ["<al@slowend.example>"])
    claim("the answer to the end of a message is waited for, past the time of the attempt",
          i.wait_log(r" delivered to=al@slowend.example", secs=15), last(i))
    claim("so that there is no second copy", len(SINKS["slowend"].messages) == 1)


def nowhere(i):
    for name in ("zero", "zero6"):
        send(i, [f"<al@{name}.example>"])
        claim(f"{name}: no address at all", i.wait_log(rf" failed to=al@{name}.example .*dsn=5.4.4", secs=10), last(i))
    claim("which is not this host", not here.sessions)


def halves(i):
    for n in range(6):
        send(i, ["<al@half.example>"])
        claim("one address turns us away, the host's other one takes it", until(lambda: len(SINKS["half"].messages) > n, 10), last(i))
        claim("at once", not i.log_lines(r" deferred to=al@half.example"), last(i))
        until(lambda: SINKS["half"].live == 0, 5)  # or the kept connection is used


def enough(i):
    for n in range(2):
        send(i, ["<al@once.example>"])
        claim("a refused MAIL on a connection that is used again may be meant for the connection: a new one is asked",
              until(lambda: len(SINKS["once"].messages) > n, 10), last(i))
    send(i, ["<al@full.example>"], message(body=("x" * 900 + "\n") * 10000))
    claim("a host that says no in mid-message and reads no more is heard", i.wait_log(r" failed to=al@full.example .*dsn=5.3.4 .*enough of that", secs=20), last(i))


OLD = "Subject: gr\u00fc\u00dfe\nFrom: sender@client.example\n\nhello\n"


def old_headers(i):
    send(i, ["<al@eight.example>"], OLD)
    claim("bytes above 127 in a header that nobody called SMTPUTF8 go on as they came",
          len(SINKS["eight"].wait(1, 10)) == 1 and OLD.encode()[:16] in SINKS["eight"].messages[0].data, last(i))
    send(i, ["<al@utf8.example>"], OLD)
    claim("and nobody claims that they are", len(SINKS["utf8"].wait(1, 10)) == 1 and "SMTPUTF8" not in " ".join(SINKS["utf8"].sessions[0].commands), last(i))
    send(i, ["<al@eight.example>"], OLD, " SMTPUTF8")
    claim("those that are called so need a host that knows it", i.wait_log(r" failed to=al@eight.example .*dsn=5.6.7", secs=10), last(i))


def sizes(i):
    head = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    send(i, ["<al@seven.example>"], head + "\u00e4\n.dot\n" * 20)
    m = SINKS["seven"].wait(1, 10)
    claim("a message made one of 7 bits is announced with the size it has then",
          len(m) == 1 and f" SIZE={len(m[0].data)}" in " ".join(m[0].session.commands), m and (len(m[0].data), m[0].session.commands))
    send(i, ["<al@seven.example>"], head + "\u00e4" * 1500 + "\n")
    claim("and refused when that is too much", i.wait_log(r" failed to=al@seven.example .*dsn=5.3.4 .*the host takes 6000", secs=10), last(i))


zones = Zones("\n".join(RECORDS))
try:
    run(data_said_yes, data_refused, reports, last_answer, nowhere, halves, enough, old_headers, sizes,
        sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"remote_port = {port}", "trusted_networks = 127.0.0.0/8", "dns_timeout = 5s",
              "remote_done_timeout = 20s", "remote_timeout = 4s", "remote_idle = 1s", "remote_block_timeout = 2s", "mta_sts = no"])
finally:
    zones.close()
