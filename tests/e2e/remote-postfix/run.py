"""Mail for a real Postfix: under TLS, many messages and recipients, exact bytes. POSTFIX_ROOT is where the package is unpacked, if not in /."""
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile

from postern import claim, message, run, skip, until
from sink import Certs, Zones, free_port

ROOT = os.environ.get("POSTFIX_ROOT", "")
LIB = next((d for d in (f"{ROOT}/usr/lib/postfix/sbin", f"{ROOT}/usr/libexec/postfix") if os.path.exists(f"{d}/smtpd")), None)


def there(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


if os.geteuid() != 0 or not LIB or not there("postfix") or not shutil.which("openssl"):
    skip("remote-postfix", "needs root and Postfix")
    sys.exit(0)

port, ADDRESS = free_port(), "127.0.0.1"
certs = Certs()
certs.make("mx", "mx.pf.example")
dir_ = tempfile.mkdtemp(prefix="pt-postfix-")
os.chmod(dir_, 0o755)
etc, spool, data, mail = (f"{dir_}/{d}" for d in ("etc", "spool", "data", "mail"))
user = there("postfix")
for d in (etc, spool, data, mail):
    os.mkdir(d)
for d in (data, mail):
    os.chown(d, user.pw_uid, user.pw_gid)
with open(f"{etc}/main.cf", "w", encoding="ascii") as f:
    f.write(f"""compatibility_level = 3.6
queue_directory = {spool}
data_directory = {data}
command_directory = {ROOT}/usr/sbin
daemon_directory = {LIB}
shlib_directory = {os.path.dirname(LIB)}
meta_directory = {etc}
mail_owner = postfix
setgid_group = postdrop
maillog_file_prefixes = {dir_}
maillog_file = {dir_}/log
myhostname = mx.pf.example
inet_interfaces = {ADDRESS}
inet_protocols = ipv4
mynetworks =
mydestination =
alias_maps =
alias_database =
virtual_mailbox_domains = pf.example
virtual_mailbox_base = {mail}
virtual_mailbox_maps = inline:{{ al@pf.example=al/ bo@pf.example=bo/ }}
virtual_uid_maps = static:{user.pw_uid}
virtual_gid_maps = static:{user.pw_gid}
virtual_minimum_uid = 1
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_forbid_bare_newline = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = {certs.dir}/mx.crt
smtpd_tls_key_file = {certs.dir}/mx.key
smtpd_tls_auth_only = yes
smtp_dns_support_level = disabled
smtputf8_enable = no
message_size_limit = 5000000
""")
with open(f"{etc}/master.cf", "w", encoding="ascii") as f:
    f.write(f"""{ADDRESS}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
proxymap unix - - n - - proxymap
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
""")
for name in ("postfix-files", "postfix-script", "post-install"):
    for at in (f"{ROOT}/etc/postfix", LIB, f"{ROOT}/usr/lib/postfix"):
        if os.path.exists(f"{at}/{name}") and not os.path.exists(f"{etc}/{name}"):
            shutil.copy(f"{at}/{name}", etc)
open(f"{etc}/dynamicmaps.cf", "w", encoding="ascii").close()


def postfix(act):
    return subprocess.run([f"{ROOT}/usr/sbin/postfix", "-c", etc, act], capture_output=True, text=True)


def log():
    with open(f"{dir_}/log", encoding="utf-8", errors="replace") as f:
        return f.read()


def mails(who):
    new = f"{mail}/{who}/new"
    return [open(f"{new}/{n}", "rb").read() for n in sorted(os.listdir(new))] if os.path.isdir(new) else []


def last(i, n=8):
    return "\n".join(i.log().splitlines()[-n:]) + "\n" + "\n".join(log().splitlines()[-n:])


def arrives(i):
    text = "Subject: dots\n\n.\n..a\n" + "x" * 990 + "\n" + "y" * 3000 + "\nl\u00e4st\n"
    i.send("al@pf.example", msg=text)
    claim("a message arrives", until(lambda: len(mails("al")) == 1, 15), last(i))
    claim("byte by byte, long lines and dots", mails("al")[0].endswith(text[text.index("\n\n"):].encode()), mails("al")[0])
    claim("under TLS, whose certificate is verified", i.wait_log(r" sent relay=mx.pf.example.*tls=TLSv1.3:[A-Z0-9_]*:verified"), last(i))


def recipients(i):
    c = i.smtp()
    c.hello()
    c.envelope(["al@pf.example", "nobody@pf.example", "bo@pf.example"])
    c.data(message())
    c.close()
    claim("of three recipients two get it", until(lambda: len(mails("al")) == 2 and len(mails("bo")) == 1, 15), last(i))
    claim("the third is unknown there", i.wait_log(r" failed to=nobody@pf.example .*dsn=5.1.1 "), last(i))
    i.send("al@pf.example", msg=message(body=("z" * 70 + "\n") * 80000))
    claim("one that is too large fails for its SIZE", i.wait_log(r" failed to=al@pf.example .*dsn=5.3.4 ", secs=20), last(i))


def many(i):
    for n in range(60):
        i.send("bo@pf.example", msg=message(subject=f"number {n}"))
    claim("sixty arrive", until(lambda: len(mails("bo")) == 61, 40), len(mails("bo")))
    numbers = sorted(int(m[1]) for m in (re.search(rb"Subject: number (\d+)", x) for x in mails("bo")) if m)
    claim("each once", numbers == list(range(60)), numbers)
    claim("over connections used again", log().count(" connect from ") < 40, log().count(" connect from "))


def sections(i):
    i.section("\n[relay pf]\ndomains = pf.example\nhost = pf.example\ntls = verify\n")


zones = Zones(f"pf MX 10 mx.pf\nmx.pf A {ADDRESS}")
started = postfix("start")
try:
    claim("Postfix starts", started.returncode == 0, (started.args, started.returncode, started.stdout, started.stderr, os.path.exists(f"{dir_}/log") and log()))
    run(sections, arrives, recipients, many,
        sets=[f"dns_servers = 127.0.0.1@{zones.port}", f"remote_port = {port}", "trusted_networks = 127.0.0.0/8", "dns_timeout = 5s", f"tls_ca_file = {certs.ca}",
              "mta_sts = no"])
finally:
    postfix("stop")
    zones.close()
    certs.close()
    shutil.rmtree(dir_, ignore_errors=True)
