"""master: start, stop, reload, restart of what dies, one instance per queue, and an end with all its children."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

from postern import ROOT, Instance, Smtp, claim, content, dotted, message, run, until

SERVICES = ("logd", "resolve", "spamcheck", "queue-mgr", "local-delivery", "remote-delivery", "bounce", "authd", "tls-policy", "smtpd")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def identities(i):
    for s in SERVICES:
        claim(f"{s} runs", i.pids(s), i.master_out())
    if not ROOT:
        return claim("unprivileged mode says so", "unprivileged" in i.log() + i.master_out(), i.log())
    users = {}
    for s in SERVICES:
        for p in i.pids(s)[:1] if s == "authd" else i.pids(s):  # its helper for PAM stays root
            with open(f"/proc/{p}/status") as f:
                st = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
            users[s] = set(st["Uid"].split())
            if s != "local-delivery":
                claim(f"{s}[{p}] has one uid of its own, not root", len(users[s]) == 1 and "0" not in users[s], st["Uid"])
                claim(f"{s}[{p}] has no capabilities", int(st["CapPrm"], 16) == 0 and int(st["CapEff"], 16) == 0, st["CapEff"])
            claim(f"{s}[{p}] cannot gain rights by exec", st["NoNewPrivs"] == "1")
    claim("different uids", len({tuple(u) for u in users.values()}) == len(SERVICES), users)


def status(i):
    out = i.postern("status")
    claim("postern status lists every service", out.returncode == 0 and all(s in out.stdout for s in SERVICES), out.stdout + out.stderr)
    out = i.postern("status", "--json")
    try:
        json.loads(out.stdout)
        ok = True
    except ValueError:
        ok = False
    claim("and as JSON", ok, out.stdout)


def second_one_refused(i):
    r = subprocess.run([os.path.dirname(os.readlink(f"/proc/{i.pid}/exe")) + "/postern-master", "-c", i.env["POSTERN_CONF"]],
                       capture_output=True, text=True, timeout=30)
    claim("a second master on the same queue is refused, and says why", r.returncode != 0 and "queue" in r.stderr + r.stdout, r.stderr + r.stdout)
    claim("the first goes on", i.send().startswith("250"))


def what_dies_comes_back(i):
    i.expect_deaths = True
    for s in SERVICES:
        i.kill(s)
        ok = until(lambda: i.pids(s) and i.send().startswith("250"), 20)
        claim(f"kill -9 of all of {s}: back, and mail is taken", ok, i.log()[-1500:])
    n = len(i.log_lines(" accepted from="))  # a note on the file system speaks of accepted mail too
    claim("and everything was delivered", until(lambda: len(i.mails()) >= n) and i.wait_queue_empty(), (n, len(i.mails())))
    claim("restarts are counted", any(s in i.postern("status").stdout for s in SERVICES))


def reload(i):
    conf = i.env["POSTERN_CONF"]
    good = content(conf).decode()
    held = i.smtp()
    held.hello()
    held.envelope(i.rcpt)
    held.cmd("DATA")
    with open(conf, "w") as f:
        f.write(good.replace("[listener", "banner = reloaded\n[listener", 1))
    out = i.postern("reload")
    claim("postern reload", out.returncode == 0, out.stdout + out.stderr)
    claim("the new value holds for new clients", until(lambda: "reloaded" in i.smtp().greeting), i.log()[-500:])
    held.send(dotted(message("over a reload")))
    reply = held.reply()
    claim("a session in DATA finishes over a reload", reply.startswith("250"), reply)
    with open(conf, "w") as f:
        f.write(good.replace("[listener", "message_max_sise = 1M\n[listener", 1))
    out = i.postern("reload")
    claim("a bad file is refused with line and the nearest name", out.returncode != 0 and "message_max_size" in out.stdout + out.stderr, out.stdout + out.stderr)
    claim("and nothing changed", "reloaded" in i.smtp().greeting and i.send().startswith("250"))
    with open(conf, "w") as f:
        f.write(good)
    os.kill(i.pid, signal.SIGHUP)
    claim("SIGHUP reloads too", until(lambda: "reloaded" not in i.smtp().greeting))
    claim("the generation is counted", i.log_lines("generation=|gen="))


def reload_under_load(i):
    stop, bad, n = threading.Event(), [], [0]

    def load():
        while not stop.is_set():
            try:
                r = i.send()
            except OSError as e:
                r = str(e)
            n[0] += 1
            if not r.startswith("250"):
                bad.append(r)
    t = threading.Thread(target=load)
    claim("what came before is delivered", i.wait_queue_empty())  # or it would be counted with these
    before = len(i.mails())
    t.start()
    for _ in range(5):
        i.postern("reload")
    stop.set()
    t.join()
    claim("five reloads under load: every client served", not bad, bad[:3])
    claim("every message delivered", len(i.wait_mails(before + n[0])) == before + n[0], (before, n, len(i.mails())))


def graceful_stop(i):
    s = i.smtp(timeout=30)
    s.hello()
    s.envelope(i.rcpt)
    s.cmd("DATA")
    s.send("Subject: finishing\r\n\r\n")
    idle = i.smtp(timeout=30)
    os.kill(i.pid, signal.SIGTERM)
    claim("stop: an idle client is told 421", idle.reply().startswith("421"))
    s.send("text\r\n.\r\n")
    reply = s.reply()
    claim("stop: a session in DATA finishes", reply.startswith("250"), reply)
    claim("stop: everything ends", until(lambda: not alive(i.pid)))
    i.up()
    claim("the message is delivered", until(lambda: any(b"finishing" in content(f) for f in i.mails())))


def killed_master(i):
    held = i.smtp(timeout=30)
    held.hello()
    held.envelope(i.rcpt)
    held.cmd("DATA")
    pids = [p for s in SERVICES for p in i.pids(s)]
    os.kill(i.pid, signal.SIGKILL)
    t = time.monotonic()
    i.up()
    claim("a new one starts at once", time.monotonic() - t < 8 and i.send().startswith("250"), time.monotonic() - t)
    held.send("Subject: orphaned\r\n\r\n.\r\n")
    reply = held.reply()
    claim("a session in DATA outlives master and finishes", reply.startswith("250"), reply)
    gone = until(lambda: not any(alive(p) for p in pids), 10)
    claim("when master is killed all its children end", gone, [p for p in pids if alive(p)])
    claim("and what it took is delivered", until(lambda: any(b"orphaned" in content(f) for f in i.mails())), i.log()[-1500:])


def killed_master_and_leader(i):
    held = i.smtp(timeout=30)
    held.hello()
    held.envelope(i.rcpt)
    held.cmd("DATA")
    leader = i.pids("smtpd")[0]
    os.kill(i.pid, signal.SIGSTOP)  # or it would start another leader
    os.kill(leader, signal.SIGKILL)
    os.kill(i.pid, signal.SIGKILL)
    t = time.monotonic()
    i.up()
    took = time.monotonic() - t
    claim("a worker in a session holds no port when all its parents were killed", took < 8, took)
    claim("the new one serves", i.send().startswith("250"))
    held.send("Subject: twice orphaned\r\n\r\n.\r\n")
    reply = held.reply()
    claim("and the session finishes", reply.startswith("250"), reply)
    claim("its mail is delivered", until(lambda: any(b"twice orphaned" in content(f) for f in i.mails())), i.log()[-1500:])


def by_command(i):
    i.down()
    out = i.postern("status")
    claim("postern status of a stopped system says so", out.returncode != 0 and out.stderr + out.stdout, out)
    out = i.postern("start", "--background")
    claim("postern start", out.returncode == 0 and until(lambda: i.postern("status").returncode == 0), out.stdout + out.stderr)
    out = i.postern("stop")
    claim("postern stop", out.returncode == 0 and until(lambda: i.postern("status").returncode != 0), out.stdout + out.stderr)
    i.up()


def bad_start(i):
    i.down()
    conf = i.env["POSTERN_CONF"]
    good = content(conf).decode()
    program = os.path.join(os.path.dirname(content(f"{i.dir}/bin/postern").decode().split('"')[1]), "../libexec/postern-master")
    for text, want in ((good + "address = 127.0.0.1:x\n", "address"), (good.replace("hostname =", "hostnaem ="), "hostname"),
                       (good.replace("10M", "10Q"), "message_max_size"), ("[nonsense x]\n" + good, "listener")):
        with open(conf, "w") as f:
            f.write(text)
        r = subprocess.run([program, "-c", conf], capture_output=True, text=True, timeout=20)
        line = r.stderr + r.stdout
        claim(f"bad configuration: refused, names {want} and the line", r.returncode != 0 and want in line and "postern.conf:" in line, line)
    os.unlink(conf)
    os.mkfifo(conf)
    r = subprocess.run([program, "-c", conf], capture_output=True, text=True, timeout=20)
    claim("a configuration that is a pipe is refused at once", r.returncode != 0 and "not a regular file" in r.stderr, r.stderr)
    os.unlink(conf)
    with open(conf, "w") as f:
        f.write(good)
    i.up()


def odd_reload(i):
    conf = i.env["POSTERN_CONF"]
    os.rename(conf, conf + ".good")
    os.mkfifo(conf)
    out = i.postern("reload")
    claim("a reload from a pipe is refused at once", out.returncode != 0 and "not a regular file" in out.stdout + out.stderr, out.stdout + out.stderr)
    os.rename(conf + ".good", conf)
    claim("and all goes on", i.send().startswith("250"))


def taken_address(i):
    i.down()
    with socket.create_server(i.where) as holder:
        t = threading.Thread(target=i.up)
        t.start()
        said = until(lambda: "address-taken" in i.master_out())
        claim("an address that is taken is said at once, with who has it", said and f"[{os.getpid()}]" in i.master_out(), i.master_out())
    t.join()
    claim("and had when it is free again; the log tells, too", i.send().startswith("250") and i.wait_log(" address-taken "), i.log()[-1000:])


def socket_activation(i):
    """As postern.socket does it: systemd holds the socket of sendmail, and a program that submits waits for us to start."""
    i.down()
    conf = i.env["POSTERN_CONF"]
    program = os.path.join(os.path.dirname(content(f"{i.dir}/bin/postern").decode().split('"')[1]), "../libexec/postern-master")
    where = os.path.join(i.postern("config", "runtime_directory").stdout.split("=")[-1].strip(), "smtpd.submit")
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(where)
        os.chmod(where, 0o666)
        held.listen(16)
        early = Smtp(where, greet=False)
        with open(f"{i.dir}/log/master.out", "a") as out:
            master = subprocess.Popen(["/bin/sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" -c "$1" 3<&{held.fileno()}', program, conf],
                                      stdout=out, stderr=out, pass_fds=[held.fileno()])
        try:
            greeting = early.reply()
            claim("a program that came before the start is served by it", greeting.startswith("220"), greeting)
            early.hello()
            early.envelope(i.rcpt)
            claim("and its mail is taken", early.data(message("activated")).startswith("250"))
            n = len(i.log_lines(" reloaded "))
            os.kill(master.pid, signal.SIGHUP)
            claim("the socket stays over a reload", i.wait_log(" reloaded ", n + 1) and Smtp(where).greeting.startswith("220"))
        finally:
            master.terminate()
            master.wait(30)
        again = Smtp(where, greet=False, timeout=1)
        claim("after the end it is still there, for the next start", again.reply() == "<TimeoutError>")
    os.unlink(where)
    i.up()
    claim("the mail is delivered", until(lambda: any(b"activated" in content(f) for f in i.mails())))


def two_side_by_side(i):
    other = Instance()
    try:
        claim("two instances side by side", other.send().startswith("250") and other.wait_mails(1) and i.send().startswith("250"))
    finally:
        other.purge()


run(identities, status, second_one_refused, what_dies_comes_back, reload, reload_under_load, graceful_stop, killed_master, killed_master_and_leader, by_command, bad_start, odd_reload, taken_address, socket_activation,
    two_side_by_side, sets=("restart_delay_max = 1s",))
