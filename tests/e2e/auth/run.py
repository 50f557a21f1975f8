"""AUTH and submission: real clients and mechanisms, PAM with a real user, refusals, throttling, budgets, addresses of one's own, a
dead authd, and no secret anywhere."""
import glob
import json
import os
import pty
import select
import shutil
import signal
import smtplib
import ssl
import subprocess
import termios
import time

from postern import ROOT, Smtp, claim, content, message, run, skip, until
from sasl import b64, plain, salt, scram

WRONG = "not-the-password"


def connect(i, tls=False):
    s = Smtp(i.submission)
    s.hello()
    if tls:
        s.cmd("STARTTLS")
        context = ssl._create_unverified_context()
        s.sock = context.wrap_socket(s.sock)
        s.hello()
    return s


def login(i, user=None, password=None):
    s = connect(i)
    answer = s.cmd(plain(user or i.user, password or i.password))
    return s, answer


def mechanisms(i):
    s = connect(i)
    claim("PLAIN with the right password", s.cmd(plain(i.user, i.password)).startswith("235 2.7.0"))
    claim("a second AUTH is out of order", s.cmd(plain(i.user, i.password)).startswith("503 5.5.1"))
    s = connect(i)
    claim("LOGIN asks for both", s.cmd("AUTH LOGIN") == "334 VXNlcm5hbWU6" and s.cmd(b64(i.user)) == "334 UGFzc3dvcmQ6")
    claim("and succeeds", s.cmd(b64(i.password)).startswith("235"))
    answer, proved = scram(connect(i), i.user, i.password)
    claim("SCRAM-SHA-256 succeeds, and the server proves itself", answer.startswith("235") and proved, answer)
    answer, _ = scram(connect(i), i.user, WRONG)
    claim("SCRAM-SHA-256 with a wrong password", answer.startswith("535 5.7.8"), answer)
    s = connect(i, tls=True)
    offered = s.cmd("EHLO x.example")
    claim("-PLUS is offered under TLS 1.3", "SCRAM-SHA-256-PLUS" in offered, offered)
    answer, _ = scram(s, i.user, i.password, b"y,,")
    claim("a client that did not see it has met a man in the middle", answer.startswith("535"), answer)
    answer, _ = scram(connect(i, tls=True), i.user, i.password, b"p=tls-exporter,,", "SCRAM-SHA-256-PLUS", bytes(32))
    claim("-PLUS with another channel's binding", answer.startswith("535"), answer)


def grammar(i):
    s = connect(i)
    claim("AUTH is offered on loopback", "\n250-AUTH PLAIN LOGIN SCRAM-SHA-256\n" in s.hello() + "\n", s.hello())
    claim("not on port 25", "AUTH" not in i.smtp().hello())
    claim("MAIL before AUTH", s.cmd("MAIL FROM:<a@x.example>").startswith("530 5.7.0"))
    for line, want in (("AUTH", "501"), ("AUTH PLAIN a b", "501"), ("AUTH CRAM-MD5", "504"), ("AUTH PLAIN !!!!", "501"),
                       ("AUTH EXTERNAL", "504"), ("AUTH PLAIN =", "501"), ("AUTH PLAIN " + b64("x" * 9000), "501"), ("AUTH PLAIN " + "A" * 13000, "500")):
        answer = s.cmd(line)
        claim(f"{line[:24]!r} is answered {want}", answer.startswith(want), answer)
    claim("a challenge may be cancelled", s.cmd("AUTH PLAIN") == "334 " and s.cmd("*").startswith("501"))
    claim("and may be too long", s.cmd("AUTH PLAIN") == "334 " and s.cmd("A" * 13000).startswith("500 5.5.6"))
    claim("the session goes on", s.cmd(plain(i.user, i.password)).startswith("235"))
    s.envelope(i.rcpt2, i.rcpt)
    claim("AUTH within a message", s.cmd("AUTH PLAIN").startswith("503"))
    s = i.smtp()
    s.hello()
    claim("AUTH where it is not offered", s.cmd(plain(i.user, i.password)).startswith("502"))


def clients(i):
    host, port = i.submission
    text = f"From: <{i.rcpt}>\nTo: <{i.rcpt2}>\nSubject: x\n\n%s\n"
    tools = {
        "swaks": ["swaks", "--server", host, "--port", str(port), "-tls", "--auth", "LOGIN", "--auth-user", i.user, "--auth-password", i.password,
                  "--from", i.rcpt, "--to", i.rcpt2, "--body", "by-swaks"],
        "curl": ["curl", "-sS", f"smtp://{host}:{port}", "--user", f"{i.user}:{i.password}", "--mail-from", i.rcpt, "--mail-rcpt", i.rcpt2, "-T", "-"],
        "msmtp": ["msmtp", f"--host={host}", f"--port={port}", "--tls=off", "--auth=scram-sha-256", f"--user={i.user}",
                  f"--passwordeval=echo {i.password}", f"--from={i.rcpt}", i.rcpt2],
    }
    for name, args in tools.items():
        if not shutil.which(name):
            skip(name, "not installed")
            continue
        n = len(i.mails(i.maildir2))
        data = text % f"by-{name}"
        r = subprocess.run(args, input=data.replace("\n", "\r\n") if name == "curl" else data, capture_output=True, text=True, timeout=30)
        found = i.wait_mails(n + 1, i.maildir2)
        if name == "msmtp" and "authentication method" in r.stderr:
            skip("msmtp with SCRAM", r.stderr.strip())
            continue
        claim(f"{name}: authenticated mail arrives", len(found) == n + 1 and f"by-{name}".encode() in content(found[-1]), (r.stdout[-600:], r.stderr[-600:]))
    with smtplib.SMTP(*i.submission) as s:
        s.login(i.user, i.password)
        n = len(i.mails(i.maildir2))
        s.sendmail(i.rcpt, [i.rcpt2], "Subject: no more\n\nbody\n")
    got = content(i.wait_mails(n + 1, i.maildir2)[-1]).decode()
    claim("Date, From and Message-ID are added", all(f"\n{h}: " in got for h in ("Date", "From", "Message-ID")), got)
    claim("Received says ESMTPA and not where the user is", "with ESMTPA" in got and "127.0.0.1" not in got and "t=a)" in got, got)


def ownership(i):
    s, _ = login(i)
    answer = s.cmd("MAIL FROM:<boss@elsewhere.example>")
    claim("another's address is refused, and whose we are is said", answer.startswith("553 5.7.1") and i.user in answer, answer)
    for sender in (i.rcpt, i.rcpt.replace("@", "+shop@"), ""):
        claim(f"<{sender}> is one's own", s.cmd(f"MAIL FROM:<{sender}>").startswith("250"))
        s.cmd("RSET")
    claim("a neighbour's is not", s.cmd(f"MAIL FROM:<{i.rcpt2}>").startswith("553"))
    own = f"From: <{i.rcpt}>\nTo: <{i.rcpt2}>\nSubject: x\n\nx\n"

    def send(text):
        s, _ = login(i)
        s.envelope(i.rcpt2, i.rcpt)
        return s.data(text)
    claim("From is not looked at, by default", send(own.replace(i.rcpt, "boss@elsewhere.example", 1)).startswith("250"))
    i.restart("sender_ownership = header")
    claim("with sender_ownership = header one's own passes", send(own).startswith("250"))
    claim("another's does not", send(own.replace(i.rcpt, "boss@elsewhere.example", 1)).startswith("550 5.7.1"))
    claim("nor one of two", send(own.replace(f"<{i.rcpt}>", f"<{i.rcpt}>, boss@elsewhere.example", 1)).startswith("550 5.7.1"))
    i.restart("sender_ownership = envelope")


def same_answers(i):
    """Unknown, wrong, disabled: one text, one time."""
    i.postern("user", "add", "gone@x.example", input="a-good-password\n")
    i.postern("user", "disable", "gone@x.example")
    times, texts = {}, set()
    for kind, user, password in (("wrong", i.user, WRONG), ("unknown", "nobody@x.example", WRONG), ("disabled", "gone@x.example", "a-good-password")) * 2:
        s = connect(i)
        start = time.monotonic()
        texts.add(s.cmd(plain(user, password)))
        times.setdefault(kind, []).append(time.monotonic() - start)
        s.close()
    claim("the text is the same", texts == {"535 5.7.8 The credentials are not valid"}, texts)
    first = [t[0] for t in times.values()]
    claim("and so is the time", max(first) - min(first) < 0.25 and min(first) >= 0.9, times)


def users(i):
    out = i.postern("user", "app-password", "add", i.user, "Phone")
    app = out.stdout.strip()
    claim("an app password is made", out.returncode == 0 and len(app) == 29, out)
    claim("it works", login(i, password=app)[1].startswith("235"))
    i.postern("user", "app-password", "revoke", i.user, "Phone")
    claim("revoked it does not", login(i, password=app)[1].startswith("535"))
    i.postern("user", "passwd", i.user, input="another-one\n")
    claim("a new password works at once", login(i, password="another-one")[1].startswith("235"))
    i.postern("user", "passwd", i.user, input=i.password + "\n")
    claim("a user that exists is not added", i.postern("user", "add", i.user, input="x\n").returncode == 1)
    bad = i.postern("user", "add", "two words", input="x\n")
    claim("a bad name is refused", bad.returncode == 1 and "blank" in bad.stderr, bad)


def scram_is_for_who_has_a_verifier(i):
    s = connect(i)
    real, fake = salt(s, i.user), salt(s, "nobody@x.example")
    claim("a salt does not tell who exists", real == salt(connect(i), i.user) and fake == salt(s, "NoBody@x.example") and fake != salt(s, "nobody2@x.example")
          and [len(x) for x in (real, fake)] == [len(real)] * 2 and real[-8:] == fake[-8:], (real, fake))
    i.postern("user", "disable", i.user)
    claim("nor who was disabled", salt(connect(i), i.user) == real)
    answer, proved = scram(connect(i), i.user, i.password)
    claim("who gets no proof from us either", answer.startswith("535") and not proved, answer)
    names = [r["name"] for r in map(json.loads, i.postern("user", "list", "--json").stdout.splitlines())]
    for n in names:
        i.postern("user", "delete", n)
    offered = connect(i).hello()
    claim("SCRAM is not offered where nobody could use it", "\n250-AUTH PLAIN LOGIN\n" in offered, offered)
    claim("and unknown", connect(i).cmd("AUTH SCRAM-SHA-256").startswith("504"))
    i.postern("user", "add", i.user, input=i.password + "\n")
    claim("with the first user it is", "SCRAM-SHA-256\n" in connect(i).hello())


class Terminal:
    """`postern` with a terminal for its input."""

    def __init__(self, i, *args):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([f"{i.dir}/bin/postern", *args], stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.seen = ""

    def answer(self, prompt, text):
        shown = len(self.seen)
        while prompt not in self.seen[shown:]:
            if not select.select([self.master], [], [], 30)[0]:
                self.process.kill()
                raise TimeoutError(f"no {prompt!r} in {self.seen!r}")
            self.seen += os.read(self.master, 1000).decode()
        os.write(self.master, text.encode() + b"\n")

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def end(self):
        code = self.process.wait(30)
        while select.select([self.master], [], [], 0.2)[0]:
            try:
                self.seen += os.read(self.master, 1000).decode()
            except OSError:
                break
        return code


def at_the_terminal(i):
    t = Terminal(i, "user", "add", "tess@x.example")
    t.answer("New password: ", "typed-by-hand")
    t.answer("Again: ", "typed-by-hand")
    claim("a password from the terminal, asked for twice", t.end() == 0 and login(i, "tess@x.example", "typed-by-hand")[1].startswith("235"), t.seen)
    claim("is not shown", "typed" not in t.seen, t.seen)
    t = Terminal(i, "user", "passwd", "tess@x.example")
    t.answer("New password: ", "typed-by-hand2")
    t.answer("Again: ", "typed-by-hand3")
    claim("two that differ change nothing", t.end() == 65 and "not the same" in t.seen and login(i, "tess@x.example", "typed-by-hand")[1].startswith("235"), t.seen)
    t = Terminal(i, "user", "passwd", "tess@x.example")
    until(lambda: not t.echoes())
    t.process.send_signal(signal.SIGINT)
    claim("interrupted, the terminal has its echo again", t.end() == 65 and t.echoes(), t.seen)
    r = i.postern("user", "disable", "tes@x.example")
    claim("a name that was mistyped is no user", r.returncode == 1 and "no user tes@x.example" in r.stderr, r)
    i.postern("user", "delete", "tess@x.example")


def unicode(i):
    """A name and a password are the same however a keyboard composes them."""
    one, other = "jos\u00e9@x.example", "Jose\u0301@X.example"
    password, typed = "na\u00efve IX \u00e9", "nai\u0308ve\u00a0\u2168\u00ad e\u0301"
    r = i.postern("user", "add", one, input=typed + "\n")
    claim("a user with a name beyond ASCII", r.returncode == 0, r)
    r = i.postern("user", "add", other, input="x\n")
    claim("has one name", r.returncode == 1 and "already" in r.stderr, r)
    answers = {login(i, n, p)[1][:3] for n in (one, other) for p in (password, typed)}
    claim("PLAIN in both forms", answers == {"235"}, answers)
    answer, proved = scram(connect(i), one, password)
    claim("SCRAM with the prepared form", answer.startswith("235") and proved, answer)
    rows = [json.loads(x)["name"] for x in i.postern("user", "list", "--json").stdout.splitlines()]
    claim("it is listed in one form", rows.count(one) == 1 and other.lower() not in rows, rows)
    for bad in ("\u00e9\u0007", "a\ue000", "\u2060", "\u0627" + "1"):
        r = i.postern("user", "passwd", one, input=bad + "\n")
        claim(f"a password {bad!a} is refused, and why is said", r.returncode == 65 and "the password cannot be used" in r.stderr, r)
    r = i.postern("user", "add", "a\u202eb", input="x\n")
    claim("a name that shows as another is refused", r.returncode == 1 and "no user name" in r.stderr, r)
    r = i.postern("user", "add", "a\uff0cb", input="x\n")
    claim("and one that turns into what is forbidden", r.returncode == 1 and "blanks" in r.stderr, r)
    claim("the old password is still there", login(i, one, password)[1].startswith("235"))
    i.postern("user", "delete", one)


def no_secrets(i):
    everything = i.log() + i.master_out()
    secrets = (i.password, WRONG, "a-good-password", "another-one", b64(f"\0{i.user}\0{i.password}"), b64(i.password))
    claim("no password in the log", not any(x in everything for x in secrets), [x for x in secrets if x in everything])
    lines = b""
    for f in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            lines += content(f)
        except OSError:
            pass
    claim("none in a process list", i.password.encode() not in lines)


def dead_authd(i):
    i.expect_deaths = True
    i.restart("command_timeout = 60s")
    before, _ = login(i)
    waiting = connect(i)
    for p in i.pids("authd"):
        os.kill(p, signal.SIGSTOP)
    claim("mail from others flows while authd hangs", i.send().startswith("250"))
    start = time.monotonic()
    answer = waiting.cmd(plain(i.user, i.password))
    claim("AUTH is 454, soon", answer.startswith("454 4.7.0") and time.monotonic() - start < 8, (answer, time.monotonic() - start))
    claim("the session goes on", waiting.cmd("NOOP").startswith("250"))
    answer = before.envelope(i.rcpt2, i.rcpt)[0]
    claim("who is in already is put off", answer.startswith("451 4.3.0"), answer)
    for p in i.pids("authd"):
        os.kill(p, signal.SIGCONT)
    answer = waiting.cmd(plain(i.user, i.password))
    claim("that session goes on", answer.startswith("235"), answer)
    claim("and the other", before.cmd(f"RCPT TO:<{i.rcpt2}>").startswith("250") and before.data(message("late")).startswith("250"))
    i.kill("authd")
    claim("after a kill a session can go on, too", until(lambda: before.envelope(i.rcpt2, i.rcpt)[0].startswith("250") or before.cmd("RSET") == ""))
    before.cmd("RSET")
    answers = {login(i)[1][:9] for _ in range(5)}
    claim("a dead authd is 454, or is back", answers <= {"454 4.7.0", "235 2.7.0"}, answers)
    claim("it comes back, with its users", until(lambda: login(i)[1].startswith("235")))


def bad_data_base(i):
    """What is wrong with it is said by `postern check`, in the log, and to clients as 454."""
    i.expect_deaths = True
    auth = f"{i.dir}/state/auth"
    owner = os.stat(f"{auth}/users.db")

    def broken(what, said, logged):
        r = i.postern("check")
        claim(f"{what}: `postern check` says so", r.returncode != 0 and said in r.stdout + r.stderr, r)
        i.kill("authd")
        claim(f"{what}: the log has why", i.wait_log("users-failed level=error.*" + logged))
        s, answer = login(i)
        claim(f"{what}: AUTH is 454, for whomever", answer.startswith("454 4.7.0") and s.cmd("NOOP").startswith("250"), answer)
        r = i.postern("user", "list")
        claim(f"{what}: `postern user` fails, too", r.returncode == 1 and r.stderr, r)
        claim(f"{what}: mail from others flows", i.send().startswith("250"))

    os.chmod(auth, 0o770)
    broken("a directory that its group can write", "lets others in", "lets others in: chmod 0700")
    os.chmod(auth, 0o700)
    claim("mended it works, without a restart", until(lambda: login(i)[1].startswith("235")))
    os.chmod(f"{auth}/users.db", 0o644)
    broken("a data base that all can read", "lets others in", "chmod 0600")
    os.chmod(f"{auth}/users.db", 0o600)
    if ROOT:
        os.chown(f"{auth}/users.db", 0, 0)
        broken("one that is root's", "belongs to uid 0", "belongs to uid 0")
        os.chown(f"{auth}/users.db", owner.st_uid, owner.st_gid)
    claim("the users are still there", until(lambda: login(i)[1].startswith("235")))
    with open(f"{auth}/users.db", "r+b") as f:
        f.truncate(100)
    broken("a truncated one", "is damaged", "damaged")
    i.down()
    shutil.rmtree(auth)
    i.up()
    claim("after a fresh start there are users again", until(lambda: login(i)[1].startswith("235")))


def start_afresh(i, *sets):
    """With all failures and budgets forgotten."""
    i.down()
    os.unlink(f"{i.dir}/state/auth/counters")
    i.up(*sets)


def budgets(i):
    start_afresh(i, "account_messages_per_hour = 3", "account_freeze_after = 3")
    answers = []
    for n in range(7):
        if n == 2:  # counting goes on over a reload,
            generation = len(i.log_lines(r"authd\[\d+\] - started"))
            i.postern("reload")
            i.wait_log(r"authd\[\d+\] - started", generation + 1)
        if n == 4:  # and over a restart
            i.restart()
        s, a = login(i)
        answers.append(s.envelope(i.rcpt2, i.rcpt)[0][:9])
        if answers[-1].startswith("250"):
            s.data(message("budget"))
        s.close()
    claim("three are granted, two put off, then the account is frozen, whatever was restarted", answers == ["250 2.1.5"] * 3 + ["450 4.7.1"] * 2 + ["550 5.7.1"] * 2, answers)
    claim("the admin is told", i.wait_log("account-frozen level=error"))
    i.restart()
    s, _ = login(i)
    claim("frozen it stays after a restart", s.envelope(i.rcpt2, i.rcpt)[0].startswith("550 5.7.1"))
    i.postern("user", "unfreeze", i.user)
    s, _ = login(i)
    claim("unfreeze lets it send again", s.envelope(i.rcpt2, i.rcpt)[0].startswith("250"))


def throttle(i):
    start_afresh(i, "auth_failures_max = 3", "auth_failure_delay = 0s", "account_messages_per_hour = 200")
    for n in range(3):
        login(i, "victim@x.example", f"guess{n}")
    answer = login(i, "victim@x.example", "guess9")[1]
    claim("after too many failures nothing is looked at", answer.startswith("454 4.7.0"), answer)
    claim("it is logged", i.wait_log("auth-throttled"))
    i.restart()
    answer = login(i, "victim@x.example", "guess10")[1]
    claim("and a restart changes nothing", answer.startswith("454 4.7.0"), answer)
    claim("others are let in", login(i)[1].startswith("235"))
    for n in range(2):
        login(i, password=f"guess{n}")
    claim("who was here before is judged by his own network", login(i)[1].startswith("235"))


def pam(i):
    if not ROOT:
        return skip("PAM", "needs root")
    service = "/etc/pam.d/postern-test-auth"
    name = i.env["RCPT2"]
    try:
        with open(service, "w") as f:
            f.write("auth required pam_unix.so\naccount required pam_unix.so\n")
        subprocess.run(["chpasswd"], input=f"{name}:from-the-system\n", text=True, check=True)
        i.restart("pam_service = postern-test-auth", "auth_failures_max = 100", "auth_failure_delay = 1s")
        claim("a system user's password", login(i, name, "from-the-system")[1].startswith("235"), i.log()[-600:])
        claim("user@domain means the same", login(i, i.rcpt2, "from-the-system")[1].startswith("235"))
        claim("a wrong one", login(i, name, WRONG)[1].startswith("535"))
        claim("root is no mail user", login(i, "root", WRONG)[1].startswith("535"))
        s, _ = login(i, name, "from-the-system")
        claim("it sends as itself", s.envelope(i.rcpt, i.rcpt2)[0].startswith("250"))
        i.postern("user", "disable", name)
        answers = {login(i, n, "from-the-system")[1][:9] for n in (name, name.upper(), i.rcpt2, i.rcpt2.upper())}
        claim("a disabled one, however it writes its name", answers == {"535 5.7.8"}, answers)
        i.postern("user", "enable", name)
        claim("enabled again", login(i, i.rcpt2, "from-the-system")[1].startswith("235"))
        app = i.postern("user", "app-password", "add", name, "Phone").stdout.strip()
        claim("its app password, with either name", {login(i, n, app)[1][:3] for n in (name, i.rcpt2)} == {"235"})
        subprocess.run(["usermod", "-L", name], check=True)
        claim("a locked one", login(i, name, "from-the-system")[1].startswith("535"))
    finally:
        os.unlink(service)


run(grammar, mechanisms, clients, ownership, users, same_answers, at_the_terminal, unicode, scram_is_for_who_has_a_verifier, no_secrets, dead_authd, budgets, throttle, bad_data_base, pam,
    sets=("errors_soft = 1000", "errors_max = 1000", "client_connection_rate = 0", "client_error_rate = 0", "client_tls_rate = 0"))
