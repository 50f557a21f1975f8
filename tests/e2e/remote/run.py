"""remote-delivery: mail reaches other hosts, whatever they and the DNS do."""
import email
import os
import socket
import tempfile
import time

from postern import Instance, claim, finish, message, run, until
from sink import CLOSE, ENDLESS, FLOOD, HANG, Sink, Zones, free_port

port = free_port()
STEPS = ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"]


class Host:
    """mx.NAME.example, with an address of its own."""
    count = 10

    def __init__(self, name, **kw):
        Host.count += 1
        self.address = f"127.0.4.{Host.count}"
        self.name = name
        self.sink = Sink(self.address, port, **kw)
        HOSTS[name] = self
        RECORDS.append(f"mx.{name} A {self.address}")

    def mx(self, domain, preference=10):
        RECORDS.append(f"{domain} MX {preference} mx.{self.name}")
        return self


HOSTS, RECORDS = {}, []


def at(verb, reply):
    return lambda s, v, line: reply if v == verb else None


def section(name, **kw):
    return f"\n[relay {name}]\n" + "".join(f"{k} = {v}\n" for k, v in kw.items())


# --- who is there -------------------------------------------------------------------------------------------------------------------
good = Host("good").mx("good").mx("twice", 20)
RECORDS += ["null MX 0 .", "nohost MX 10 nothing.example.", "selfonly MX 10 mail.example.", "selfsecond MX 20 mail.example.",
            f"bare A {good.address}", "alias CNAME good", "aliasmx MX 10 mxalias", "mxalias CNAME mx.good",
            "chain0 CNAME chain1", "chain1 CNAME chain0"]
Host("better").mx("selfsecond", 10)
Host("turns", answer=at("GREETING", "554 5.7.1 not you")).mx("twice", 10)
Host("never", answer=at("GREETING", "521 5.3.2 no mail here")).mx("never")
for step in STEPS:
    Host(f"close{step.lower()}", answer=at(step, CLOSE)).mx(f"close{step.lower()}", 10)
    good.mx(f"close{step.lower()}", 20)
    Host(f"busy{step.lower()}", answer=at(step, "421 4.3.2 later")).mx(f"busy{step.lower()}", 10)
    good.mx(f"busy{step.lower()}", 20)
Host("closeend", answer=at("END", CLOSE)).mx("closeend", 10)
good.mx("closeend", 20)
Host("mute", answer=at("END", HANG)).mx("mute", 10)
good.mx("mute", 20)
Host("endless", answer=at("RCPT", ENDLESS)).mx("endless")
Host("flood", answer=at("EHLO", FLOOD)).mx("flood")
Host("binary", answer=at("MAIL", "250 \x01\x1b[31m\u202e ok")).mx("binary")
Host("nonsense", answer=at("RCPT", "what? no code")).mx("nonsense")
Host("grey", answer=lambda s, v, line: "450 4.7.1 come back" if v == "RCPT" and len(HOSTS["grey"].sink.sessions) < 2 else None).mx("grey")
Host("five", answer=lambda s, v, line: "550 5.1.1 no such user" if v == "RCPT" and "<c@" in line else None).mx("five")
Host("few", answer=lambda s, v, line: "452 4.5.3 too many" if v == "RCPT" and len(s.rcpts) >= 2 else None).mx("few")
Host("late", answer=at("END", "552 5.3.4 too big after all")).mx("late")
Host("small", caps=("SIZE 1000",)).mx("small")
Host("slow", slow=0.01).mx("slow")
Host("helo", answer=at("EHLO", "502 5.5.1 what?"), caps=()).mx("helo")
Host("dsn", caps=("PIPELINING", "DSN")).mx("dsn")
Host("ascii").mx("ascii")
Host("utf8", caps=("SMTPUTF8", "8BITMIME")).mx("utf8")
Host("seven", caps=("PIPELINING", "SIZE 100000")).mx("seven")
Host("eight", caps=("PIPELINING", "8BITMIME")).mx("eight")
Host("binary8", caps=("PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME")).mx("binary8")
Host("routed")
Host("his")
Host("from")

dir_ = tempfile.mkdtemp(prefix="pt-lmtp-")
os.chmod(dir_, 0o755)
lmtp = Sink(unix=f"{dir_}/lmtp", lmtp=True, answer=lambda s, v, line: "550 5.2.2 full" if v == "END" and line.startswith("b@") else None)
ROUTES = (section("lmtp", domains="lmtp.example", host=f"unix:{dir_}/lmtp") + section("routed", domains="routed.example", host="[mx.routed.example]") +
          section("his", domains="routed.example", senders="his.example, him@her.example", host="[mx.his.example]") +
          section("from", domains="from.example", host="[mx.from.example]", source="127.0.0.77") +
          section("lost", domains="lost.example", host="[nowhere.example]"))


def last(i, n=8):
    return "\n".join(i.log().splitlines()[-n:])


def send(i, domain, user="al", **kw):
    reply = i.send(f"{user}@{domain}", **kw)
    claim(f"{domain}: accepted", reply.startswith("250"), reply)


def arrives(i, domain, host, **kw):
    sink, before = HOSTS[host].sink, len(HOSTS[host].sink.messages)
    send(i, domain, **kw)
    claim(f"{domain}: it arrives at {host}", until(lambda: len(sink.messages) > before, 15), last(i))
    return sink.messages[-1]


def fails(i, domain, dsn, why, **kw):
    send(i, domain, **kw)
    claim(f"{domain}: failed, {dsn} {why}", i.wait_log(rf" failed to=\S*{domain}\S* .*dsn={dsn} .*{why}", secs=15), last(i))


def waits(i, domain, dsn, why, **kw):
    send(i, domain, **kw)
    claim(f"{domain}: deferred, {dsn} {why}", i.wait_log(rf" deferred to=\S*{domain}\S* .*dsn={dsn} .*{why}", secs=15), last(i))


# --- scenarios ----------------------------------------------------------------------------------------------------------------------
def plain(i):
    text = "Subject: dots\n\n.\n..a\nlast line\n"
    m = arrives(i, "good.example", "good", msg=text)
    claim("with its envelope", m.sender == "sender@client.example" and m.rcpts == ["al@good.example"], vars(m))
    claim("its dots and our Received line, without envelope lines of ours",
          m.data.startswith(b"Received: ") and b"Postern-To" not in m.data and m.data.endswith(b"\r\n\r\n.\r\n..a\r\nlast line\r\n"), m.data)
    claim("the log says where it went", i.wait_log(r" delivered .*where=mx.good.example\[127.0.4.\d+\]:%d .*how=relay" % port), last(i))


def names(i):
    arrives(i, "bare.example", "good")
    arrives(i, "alias.example", "good")
    arrives(i, "aliasmx.example", "good")
    arrives(i, f"[{good.address}]", "good")
    arrives(i, "twice.example", "good")
    claim("after the first host had turned us away", len(HOSTS["turns"].sink.sessions) == 1)
    arrives(i, "selfsecond.example", "better")
    fails(i, "null.example", "5.1.10", "null MX")
    fails(i, "gone.example", "5.1.2", "no such name .resolver 127.0.0.1")
    fails(i, "nohost.example", "5.4.4", "no mail exchanger")
    fails(i, "selfonly.example", "5.4.6", "would come back")
    fails(i, "never.example", "5.3.2", "521")
    waits(i, "chain0.example", "4.4.3", "resolver")
    waits(i, "elsewhere.nowhere", "4.4.3", "resolver")


def endings(i):
    """Whatever ends a session before the final dot: the next host takes the message, once."""
    for step in STEPS:
        arrives(i, f"close{step.lower()}.example", "good")
        arrives(i, f"busy{step.lower()}.example", "good")
    before = len(good.sink.messages)
    waits(i, "closeend.example", "4.4.2", "may have been delivered")
    waits(i, "mute.example", "4.4.2", "may have been delivered")
    claim("once the dot is sent no other host is tried", len(good.sink.messages) == before)
    time.sleep(2)  # for a storm to show itself
    claim("and none of them gets it again at once", len(HOSTS["mute"].sink.sessions) == 1 and len(HOSTS["closeend"].sink.sessions) == 1)


def replies(i):
    waits(i, "endless.example", "4.5.0", "endless.example")
    waits(i, "flood.example", "4.5.0", "no end")
    waits(i, "nonsense.example", "4.5.0", "not SMTP")
    arrives(i, "binary.example", "binary")
    claim("no control character reaches the log", not any(c in i.log() for c in "\x01\x1b\u202e"))
    arrives(i, "helo.example", "helo")
    claim("one that knows no EHLO gets HELO", "HELO mail.example" in HOSTS["helo"].sink.sessions[0].commands)
    arrives(i, "slow.example", "slow")


def recipients(i):
    c = i.smtp()
    c.hello()
    c.envelope([f"{u}@five.example" for u in "abcde"])
    c.data(message())
    c.close()
    got = HOSTS["five"].sink.wait(1, 10)
    claim("of five recipients the four good ones get it, in one transaction", len(got) == 1 and got[0].rcpts == [f"{u}@five.example" for u in "abde"], last(i))
    claim("the fifth fails with the host's words", i.wait_log(r" failed to=c@five.example .*dsn=5.1.1 .*no such user .in reply to RCPT TO"), last(i))
    c = i.smtp()
    c.hello()
    c.envelope([f"{u}@few.example" for u in "abcde"])
    c.data(message())
    c.close()
    got = HOSTS["few"].sink.wait(3, 10)
    claim("a host that takes two at once gets three transactions", sorted(len(m.rcpts) for m in got) == [1, 2, 2], [m.rcpts for m in got])
    fails(i, "late.example", "5.3.4", "in reply to end of data")
    waits(i, "grey.example", "4.7.1", "come back")
    i.postern("queue", "flush")
    claim("greylisted mail is taken the second time", len(HOSTS["grey"].sink.wait(1, 10)) == 1, last(i))


def abilities(i):
    fails(i, "small.example", "5.3.4", "the host takes 1000", msg=message(body="x" * 70 + "\n" + "y\n" * 1000))
    claim("without a MAIL command", not any(c.startswith("MAIL") for s in HOSTS["small"].sink.sessions for c in s.commands))
    c = i.smtp()
    c.hello()
    for domain in ("ascii", "utf8"):
        c.cmd("MAIL FROM:<sender@client.example> SMTPUTF8")
        c.cmd(f"RCPT TO:<jürgen@{domain}.example>")
        c.data(message())
    c.cmd("MAIL FROM:<sender@client.example> RET=HDRS ENVID=abc")
    c.cmd("RCPT TO:<al@dsn.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;al@dsn.example")
    c.data(message())
    c.cmd("MAIL FROM:<sender@client.example> RET=HDRS ENVID=abc")
    c.cmd("RCPT TO:<al@ascii.example> NOTIFY=SUCCESS")
    c.data(message())
    c.close()
    claim("an address in UTF-8 fails where it cannot be said", i.wait_log(r" failed to=j\S*ascii.example .*dsn=5.6.7 .*SMTPUTF8"), last(i))
    claim("and goes where it can", len(HOSTS["utf8"].sink.wait(1, 10)) == 1 and " SMTPUTF8" in " ".join(HOSTS["utf8"].sink.sessions[0].commands), last(i))
    claim("DSN is passed on to who knows it", len(HOSTS["dsn"].sink.wait(1, 10)) == 1)
    said = " ".join(HOSTS["dsn"].sink.sessions[0].commands)
    claim("as it was asked", "RET=HDRS ENVID=abc" in said and "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;al@dsn.example" in said, said)
    claim("a host without DSN: the sender is told that it was relayed", i.wait_log(r" accepted from= to=sender@client.example"), last(i))


EIGHT = """MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

.h\u00e4tt' ich = und \u20ac
--b
Content-Type: text/plain

ascii = ascii
--b--
"""


def seven_bits(i):
    m = arrives(i, "eight.example", "eight", msg=EIGHT)
    claim("8 bits go to who takes them", "BODY=8BITMIME" in " ".join(m.session.commands) and EIGHT.encode().replace(b"\n", b"\r\n") in m.data, m.data)
    m = arrives(i, "seven.example", "seven", msg=EIGHT)
    parts = email.message_from_bytes(m.data).get_payload()
    claim("who takes 7 bits gets 7", m.data.isascii() and "BODY=" not in " ".join(m.session.commands), m.data)
    claim("and reads the same", parts[0].get_payload(decode=True).decode() == ".h\u00e4tt' ich = und \u20ac"
          and parts[1].get_payload() == "ascii = ascii", m.data)
    fails(i, "seven.example", "5.6.3", "signature", msg=EIGHT.replace("multipart/mixed", "multipart/signed"))


def any_bytes(i):
    head, body = b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: binary\r\n\r\n", bytes(range(256)) * 300 + b"\r\n.\r\n\n\r"
    c = i.smtp()
    c.hello()
    for domain in ("binary8", "eight"):
        c.cmd("MAIL FROM:<sender@client.example> BODY=BINARYMIME")
        c.cmd(f"RCPT TO:<al@{domain}.example>")
        c.send(b"BDAT %d LAST\r\n" % len(head + body) + head + body)
        reply = c.reply()
        claim(f"{domain}: a message of any bytes is accepted", reply.startswith("250"), reply)
    c.close()
    got = HOSTS["binary8"].sink.wait(1, 10)
    claim("it arrives byte by byte", len(got) == 1 and got[0].data.endswith(b"\r\n" + head + body) and "BODY=BINARYMIME" in " ".join(got[0].session.commands),
          got[0].data[:800] if got else last(i))
    claim("or comes back", i.wait_log(r" failed to=al@eight.example .*dsn=5.6.3 .*BINARYMIME", secs=10), last(i))


def routes(i):
    c = i.smtp()
    c.hello()
    c.envelope(["a@lmtp.example", "b@lmtp.example"])
    c.data(message())
    c.close()
    claim("LMTP: one recipient is delivered, the other refused after the data",
          i.wait_log(r" delivered to=a@lmtp.example") and i.wait_log(r" failed to=b@lmtp.example .*dsn=5.2.2 .*full"), last(i))
    claim("it was greeted with LHLO", lmtp.sessions[0].commands[0].startswith("LHLO"), lmtp.sessions[0].commands)
    arrives(i, "routed.example", "routed")
    for sender in ("him@his.example", "him@her.example"):
        i.send("al@routed.example", sender=sender)
    claim("a sender with a route of his own takes it", len(HOSTS["his"].sink.wait(2, 10)) == 2 and len(HOSTS["routed"].sink.messages) == 1, last(i))
    arrives(i, "from.example", "from")
    claim("from the address that the route names", HOSTS["from"].sink.sessions[0].peer[0] == "127.0.0.77", HOSTS["from"].sink.sessions[0].peer)
    waits(i, "lost.example", "4.3.5", "relay lost")


# --- no open relay ------------------------------------------------------------------------------------------------------------------
OPEN = section("routed", domains="routed.example", host="[127.0.0.2]") + \
    section("some", domains="some.example, *", senders="sender@client.example", host="[127.0.0.2]") + \
    section("backup", domains="backup.example", accept_from="anyone", host="[127.0.5.1]") + \
    section("his", domains="backup.example", senders="sender@client.example", host="[127.0.5.2]")


def no_open_relay():
    i = Instance(f"remote_port = {port}")
    try:
        i.section(OPEN)
        for where, rcpt, want in (("a domain with a route", "al@routed.example", "550"), ("one with a route for a sender", "al@some.example", "550"),
                                  ("any other", "al@good.example", "550"), ("a domain of which this host is a backup MX", "al@backup.example", "250")):
            c = i.smtp()
            c.hello()
            reply = c.envelope(rcpt)[0]
            claim(f"a stranger to {where}: {want}", reply.startswith(want), reply)
            c.close()
        i.send("al@backup.example")
        claim("who a stranger says he is does not choose the route", i.wait_log(r" host-failed relay=\[127.0.5.1\]"), last(i))
        finish(i)
    finally:
        i.purge()


def sections(i):
    i.section(ROUTES)


no_open_relay()
zones = Zones("\n".join(RECORDS))
try:
    run(sections, plain, names, endings, replies, recipients, abilities, seven_bits, any_bytes, routes,
        sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"remote_port = {port}", "trusted_networks = 127.0.0.0/8", "dns_timeout = 5s",
              "remote_done_timeout = 2s", "mta_sts = no"])
finally:
    zones.close()
