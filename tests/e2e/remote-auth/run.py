"""Smarthosts that want a password: each mechanism, against sinks and another Postern; what is wrong makes mail wait, never bounce."""
import base64
import os

from postern import Instance, claim, run
from sink import Certs, Sink, Zones, free_port

port = free_port()
certs = Certs()
SECRET = "pass word,=1"


def login(s, verb, line):
    """AUTH LOGIN in three steps."""
    if line == "AUTH LOGIN":
        s.tries = 1
        return "334 " + base64.b64encode(b"Username:").decode()
    if s.tries == 1:
        s.tries, s.user = 2, base64.b64decode(line)
        return "334 UGFzc3dvcmQ6"
    if s.tries == 2:
        s.tries = 3
        good = (s.user, base64.b64decode(line)) == (b"sam", SECRET.encode())
        return "235 2.7.0 welcome" if good else "535 5.7.8 no"
    return None


def plain(s, verb, line):
    if verb != "AUTH":
        return None
    return "235 2.7.0 welcome" if base64.b64decode(line.split()[2]) == b"\0sam\0" + SECRET.encode() else "535 5.7.8 no"


def host(name, address, mechanisms, answer, caps=("STARTTLS",)):
    return Sink(address, port, caps=("PIPELINING", *caps, *([f"AUTH {mechanisms}"] if mechanisms else [])), answer=answer,
                tls=certs.make(name, f"{name}.example"))


sinks = {
    "plain": host("plain", "127.0.3.1", "PLAIN LOGIN", plain),
    "login": host("login", "127.0.3.2", "NTLM LOGIN", login),
    "wrong": host("wrong", "127.0.3.3", "PLAIN", lambda s, verb, line: "535 5.7.8 no" if verb == "AUTH" else None),
    "none": host("none", "127.0.3.4", "", None),
    "odd": host("odd", "127.0.3.5", "GSSAPI", None),
    "liar": host("liar", "127.0.3.6", "SCRAM-SHA-256", lambda s, verb, line: "235 2.7.0 just so" if verb == "AUTH" else None),
}
ZONE = "\n".join(f"{name} A 127.0.3.{n + 1}" for n, name in enumerate(sinks))
zones = Zones(ZONE)


def section(name, target, tls="verify", user="sam"):
    return f"\n[relay {name}]\ndomains = {name}.example\nhost = {target}\nuser = {user}\ntls = {tls}\n"


def arrives(i, name):
    reply = i.send(f"al@{name}.example")
    claim(f"{name}: it is accepted and arrives", reply.startswith("250") and len(sinks[name].wait(1, 10)) == 1, "\n".join(i.log().splitlines()[-6:]))


def waits(i, name, dsn, why):
    i.send(f"al@{name}.example")
    claim(f"{name}: deferred, {why}", i.wait_log(rf" deferred to=al@{name}.* dsn={dsn} .*{why}", secs=10), "\n".join(i.log().splitlines()[-6:]))
    claim(f"{name}: it got nothing", not sinks[name].messages)


def mechanisms(i):
    arrives(i, "plain")
    claim("the password came under TLS", sinks["plain"].messages[0].session.tls)
    arrives(i, "login")


def refusals(i):
    waits(i, "wrong", "4.7.8", "authentication as sam by PLAIN was refused: 535")
    waits(i, "none", "4.7.8", "no way to authenticate")
    waits(i, "odd", "4.7.8", "no way to authenticate")
    waits(i, "liar", "4.7.8", "SCRAM-SHA-256")
    log = i.log()
    claim("no password is in the log", SECRET not in log and base64.b64encode(SECRET.encode()).decode() not in log)


def another_postern(i):
    reply = i.send("al@scram.example")
    claim("a message for another Postern is accepted", reply.startswith("250"), reply)
    claim("it authenticated by SCRAM-SHA-256", smarthost.wait_log(r" accepted .*to=al@scram.example.*proto=ESMTPSA", secs=10),
          "\n".join(i.log().splitlines()[-6:] + smarthost.log().splitlines()[-6:]))
    claim("with that mechanism", smarthost.wait_log(r"SCRAM-SHA-256", secs=3), "\n".join(smarthost.log().splitlines()[-6:]))


def passwords_of_others(i):
    os.chmod(password_file, 0o644)
    out = i.postern("reload")
    claim("a password file that others can read is refused", out.returncode != 0 and "root's alone" in out.stdout + out.stderr + i.log(),
          out.stdout + out.stderr)
    out = i.postern("check")
    claim("and `postern check` finds it", out.returncode != 0 and "root's alone" in out.stdout, out.stdout)
    os.chmod(password_file, 0o600)


def sections(i):
    i.section("".join(section(name, f"[{name}.example]") for name in sinks) +
              section("scram", f"[127.0.0.1]:{smarthost.submission[1]}", "require", smarthost.user))


smarthost = Instance("sender_ownership = off")
password_file = f"{certs.dir}/passwords"
try:
    with open(password_file, "w", encoding="utf-8") as f:
        f.write("# section password\n" + "".join(f"{name}  {SECRET}\n" for name in sinks) + f"scram {smarthost.password}\n")
    os.chmod(password_file, 0o600)
    run(sections, mechanisms, refusals, another_postern, passwords_of_others,
        sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"tls_ca_file = {certs.ca}", f"remote_port = {port}", "trusted_networks = 127.0.0.0/8",
              f"relay_password_file = {password_file}", "dns_timeout = 5s"])
finally:
    smarthost.purge()
    zones.close()
    certs.close()
