"""How mail for other hosts is scheduled: connections are used again, hosts that are down are probed and not stormed, what they say about
our pace is learnt, and a bulk job delays nobody else."""
import json
import os
import threading
import time

from postern import claim, dotted, message, run, until
from sink import Sink, Zones, free_port

port = free_port()
SECS = 4.0 if "asan" in os.environ.get("POSTERN_BUILD", "") else 1.0
BULK_DOMAINS = 40
ZONE = """
plain      MX 10 mx.plain
mx.plain   A 127.0.0.2
dead       MX 10 mx.dead
mx.dead    A 127.0.0.3
slow       MX 10 mx.slow
mx.slow    A 127.0.0.4
other      MX 10 mx.other
mx.other   A 127.0.0.5
""" + "".join(f"bulk{n} MX 10 mx.bulk\n" for n in range(BULK_DOMAINS)) + "mx.bulk A 127.0.0.6\n"


def send_many(i, n, rcpt, sender="bulk@client.example"):
    """Over one connection, as a program that sends a newsletter does; rcpt(k) is the k-th one's address."""
    s = i.smtp()
    s.hello()
    for k in range(n):
        replies = [s.cmd(f"MAIL FROM:<{sender}>"), s.cmd(f"RCPT TO:<{rcpt(k)}>"), s.cmd("DATA")]
        s.send(dotted(message(subject=f"number {k}")))
        replies.append(s.reply())
        if not replies[-1].startswith("250"):
            claim(f"message {k} is accepted", False, replies)
            return
    s.cmd("QUIT")
    s.close()


def destinations(i):
    out = i.postern("queue", "destinations", "--json").stdout
    return {d["destination"]: d for d in map(json.loads, out.splitlines())}


def connections_are_used_again(i):
    sink = Sink("127.0.0.2", port)
    send_many(i, 40, lambda k: f"user{k}@plain.example")
    claim("all arrive", len(sink.wait(40)) == 40, len(sink.messages))
    claim("over few connections", len(sink.sessions) <= 12, len(sink.sessions))
    claim("at most destination_connections_max at once", sink.peak <= 4, sink.peak)
    d = destinations(i).get("plain.example", {})
    claim("`postern queue destinations` counts them", d.get("state") == "up" and d.get("delivered") == 40 and d.get("waiting") == 0, d)
    claim("and has the last reply", "250" in d.get("reply", ""), d)
    text = i.postern("queue", "destinations").stdout
    claim("without --json it is a table", "plain.example" in text and "\t" in text, text)
    sink.close()


def one_that_is_down_is_probed(i):
    send_many(i, 60, lambda k: f"user{k}@dead.example")
    claim("it is found down", i.wait_log("destination-down.*destination=dead.example"), i.log_lines("destination|host-failed"))
    claim("no message is lost", until(lambda: len(i.log_lines(r" deferred to=user\d+@dead.example")) >= 60), len(i.log_lines("deferred")))
    tried = len(i.log_lines("host-failed.*127.0.0.3"))
    claim("it was tried a few times, not once for each message", 3 <= tried <= 12, tried)
    d = destinations(i).get("dead.example", {})
    claim("`postern queue destinations` says that it is down and why", d.get("state") in ("down", "probing") and d.get("reply"), d)
    until(lambda: len(i.log_lines("host-failed.*127.0.0.3")) >= tried + 2)
    more = len(i.log_lines("host-failed.*127.0.0.3")) - tried
    waits = len(i.log_lines(r" deferred to=user\d+@dead.example"))
    claim("probes are single deliveries", more <= 6 and waits > 60, (more, waits))
    sink = Sink("127.0.0.3", port)
    claim("when it is back all arrives", len(sink.wait(60, 60)) == 60, (len(sink.messages), destinations(i).get("dead.example")))
    claim("each once", len({m.rcpts[0] for m in sink.messages}) == 60, len(sink.messages))
    claim("the log says that it is up", i.wait_log("destination-up destination=dead.example"), i.log_lines("destination-"))
    claim("the queue is empty", i.wait_queue_empty(30))
    sink.close()


def its_pace_is_learnt(i):
    """The first connections hear that we are too fast."""
    times = []

    def answer(session, verb, line):
        if verb == "MAIL":
            times.append(time.monotonic())
            if len(times) <= 4:
                return "451 4.7.0 slow down, please"
        return None

    sink = Sink("127.0.0.4", port, answer=answer)
    send_many(i, 20, lambda k: f"user{k}@slow.example")
    claim("the log says what was learnt, and from which words", i.wait_log(
        r"destination-slowed level=warn destination=slow.example route= connections=\d+ per_minute=\d+ .*slow down, please"), i.log_lines("destination-"))
    claim("it rests", until(lambda: destinations(i).get("slow.example", {}).get("state") in ("resting", "slowed")), destinations(i))
    tried = len(times)
    claim("the crowd stops", tried <= 8, tried)
    claim("then it goes on, slower", until(lambda: len(sink.messages) >= 1, 30), destinations(i).get("slow.example"))
    d = destinations(i).get("slow.example", {})
    claim("with fewer connections and a limit for each minute", d.get("connections_max") <= 2 and d.get("per_minute_max") > 0, d)
    i.postern("queue", "delete", "--domain", "slow.example")
    sink.close()


def a_bulk_job_delays_nobody(i):
    """Each bulk delivery takes long; those of others go on at once."""
    def answer(session, verb, line):
        if verb == "DATA":
            time.sleep(0.05)
        return None

    bulk, other = Sink("127.0.0.6", port, answer=answer), Sink("127.0.0.5", port)
    total = 800
    feeder = threading.Thread(target=send_many, args=(i, total, lambda k: f"user{k}@bulk{k % BULK_DOMAINS}.example"))
    feeder.start()
    until(lambda: len(bulk.messages) >= 60, 60)
    worst = 0
    for k in range(3):
        begun = time.monotonic()
        claim("a single message is accepted", i.send(f"one{k}@other.example", sender=f"single{k}@client.example").startswith("250"))
        other.wait(k + 1, 30)
        worst = max(worst, time.monotonic() - begun)
        time.sleep(0.3)
    left = total - len(bulk.messages)
    feeder.join()
    claim("single messages pass a bulk job", len(other.messages) == 3 and worst < SECS, f"{worst:.2f} s, {left} of the bulk job left")
    claim("while the bulk job goes on", left > 100, left)
    claim("which arrives whole", len(bulk.wait(total, 120)) == total, len(bulk.messages))
    claim("each message once", len({m.rcpts[0] for m in bulk.messages}) == total)
    claim("the queue is empty", i.wait_queue_empty(30))
    bulk.close()
    other.close()


def a_route_to_a_host_is_one_destination(i):
    sink = Sink("127.0.0.7", port)
    send_many(i, 5, lambda k: f"user@r{k % 3}.example")
    begun = time.monotonic()
    claim("as many go in a minute as the route says", len(sink.wait(3, 30)) == 3, destinations(i))
    took = time.monotonic() - begun
    claim("evenly: one each four seconds", 6 < took < 20, took)
    found = [d for d in destinations(i).values() if d["route"] == "hub"]
    claim("whatever the domain", len(found) == 1 and found[0]["destination"] == f"[127.0.0.7]:{port}" and found[0]["delivered"] == 3, destinations(i))
    claim("with the route's limits; the others wait for it", found[0]["per_minute_max"] == 15 and found[0]["connections_max"] <= 1
          and found[0]["state"] == "resting" and found[0]["waiting"] == 2, found)
    claim("one at a time, as the route says", sink.peak == 1, sink.peak)
    send_many(i, 1, lambda k: "user@r3.example")
    claim("another route to the same host is another destination", len(sink.wait(4)) == 4, destinations(i))
    claim("and no more came of the first", len(sink.messages) == 4, len(sink.messages))
    i.postern("queue", "delete", "--all")
    sink.close()


def recipients_of_one_route_share_a_transaction(i):
    """Of different domains, but all through the same [relay] host: one copy of the message is enough."""
    sink = Sink("127.0.0.8", port)
    claim("a message for two domains and one of another route is accepted",
          i.send(["a@r4.example", "b@r5.example", "c@plain.example"]).startswith("250"))
    claim("the route's host gets one copy with both", len(sink.wait(1)) == 1 and until(lambda: sorted(sink.messages[0].rcpts) == ["a@r4.example", "b@r5.example"], 2),
          [m.rcpts for m in sink.messages])
    i.postern("queue", "delete", "--domain", "plain.example")
    claim("the queue is empty", i.wait_queue_empty())
    claim("no second copy came", len(sink.messages) == 1, [m.rcpts for m in sink.messages])
    sink.close()


def sections(i):
    i.section(f"\n[relay hub]\ndomains = r0.example, r1.example, r2.example\nhost = [127.0.0.7]:{port}\nrate = 15\nconnections = 1\n"
              f"\n[relay other]\ndomains = r3.example\nhost = [127.0.0.7]:{port}\n"
              f"\n[relay pair]\ndomains = r4.example, r5.example\nhost = [127.0.0.8]:{port}\n")


zones = Zones(ZONE)
try:
    run(sections, a_route_to_a_host_is_one_destination, recipients_of_one_route_share_a_transaction,
        connections_are_used_again, one_that_is_down_is_probed, its_pace_is_learnt, a_bulk_job_delays_nobody,
        sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"remote_port = {port}", "trusted_networks = 127.0.0.0/8", "dns_timeout = 5s",
              "retry_min = 1s", "retry_max = 2s", "destination_connections_max = 4", "remote_workers_max = 16", "mta_sts = no",
              "client_message_rate = 0", "client_recipient_rate = 0"])
finally:
    zones.close()
