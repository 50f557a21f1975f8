"""make install and make uninstall, into a DESTDIR: what goes where, and that nothing of it stays."""
import os
import shutil
import subprocess
import sys
import tempfile

import postern
from postern import TOP, claim, content, skip

BUILD = os.environ.get("POSTERN_BUILD") or f"{TOP}/build/{os.environ.get('VARIANT', 'release')}"
PROGRAMS = [p for p in os.listdir(f"{BUILD}/libexec") if p.startswith("postern-")]


def make(target, dest, **variables):
    """As it was built: `-o all` keeps the paths of another PREFIX out of the build that is tested."""
    args = [f"{k}={v}" for k, v in {"O": BUILD, "DESTDIR": dest, **variables}.items()]
    return subprocess.run(["make", "-s", "-o", "all", target, *args], cwd=TOP, capture_output=True, text=True, timeout=120)


def files(dest):
    return {os.path.join(d, f)[len(dest):] for d, _, names in os.walk(dest) for f in names}


def has(dest, *paths):
    missing = [p for p in paths if not os.path.lexists(dest + p)]
    return claim(f"{len(paths)} files are where they belong", not missing, missing)


def system_wide(dest):
    r = make("install", dest)
    claim("make install", r.returncode == 0, r.stdout + r.stderr)
    has(dest, *[f"/usr/local/libexec/postern/{p}" for p in PROGRAMS], "/usr/local/sbin/postern", "/usr/local/libexec/postern/sendmail",
        "/usr/local/libexec/postern/mailq", "/usr/local/libexec/postern/newaliases", "/usr/local/libexec/postern/create-users",
        "/etc/postern/postern.conf", "/lib/systemd/system/postern.service", "/lib/systemd/system/postern.socket", "/etc/logrotate.d/postern",
        "/usr/lib/sysusers.d/postern.conf", "/usr/lib/tmpfiles.d/postern.conf", "/usr/local/share/man/man5/postern.conf.5",
        "/usr/local/share/man/man8/postern-smtpd.8")
    left = [f for f in files(dest) if f.startswith("/usr/") and not f.startswith("/usr/local/") and "postern" not in f]
    claim("sendmail of the system is not taken over unasked", not left, left)
    text = [f for f in files(dest) if os.path.isfile(dest + f) and b"@" in content(dest + f) and not f.endswith(tuple(PROGRAMS))]
    raw = [f for f in text if any(f"@{v}@".encode() in content(dest + f) for v in ("LIBEXECDIR", "SBINDIR", "SYSCONFDIR", "STATEDIR", "RUNDIR", "LOGDIR", "SYSUSERSDIR"))]
    claim("every path is filled in", not raw, raw)
    r = make("uninstall", dest)
    claim("make uninstall leaves nothing", r.returncode == 0 and not files(dest), r.stdout + r.stderr + str(files(dest)))


def private(dest):
    opt = {"PREFIX": "/opt/postern", "SYSTEM_MTA": "yes"}
    r = make("install", dest, **opt)
    outside = [f for f in files(dest) if not f.startswith("/opt/postern/")]
    claim("with a PREFIX of its own all is below it", r.returncode == 0 and not outside, r.stderr + str(outside))
    has(dest, *[f"/opt/postern/{p}" for p in ("etc/postern/postern.conf", "lib/systemd/system/postern.service", "lib/sysusers.d/postern.conf",
                                             "etc/logrotate.d/postern", "sbin/sendmail", "bin/mailq", "bin/newaliases")])
    unit = content(dest + "/opt/postern/lib/systemd/system/postern.service").decode()
    claim("the unit starts what was installed", "ExecStart=/opt/postern/libexec/postern/postern-master -c /opt/postern/etc/postern/postern.conf" in unit, unit)
    claim("and create-users finds its list", b"/opt/postern/lib/sysusers.d/postern.conf" in content(dest + "/opt/postern/libexec/postern/create-users"))
    r = make("uninstall", dest, **opt)
    claim("uninstall leaves nothing of it", r.returncode == 0 and not files(dest), r.stdout + r.stderr + str(files(dest)))


def each_by_hand(dest):
    own = {v: f"/own/{v.lower()}" for v in ("SBINDIR", "LIBEXECDIR", "SYSCONFDIR", "MANDIR", "UNITDIR", "SYSUSERSDIR", "TMPFILESDIR",
                                            "LOGROTATEDIR", "SYSTEM_SBIN", "SYSTEM_BIN")}
    make("install", dest, SYSTEM_MTA="yes", **own)
    found = files(dest)
    unused = [v for v, d in own.items() if not any(f.startswith(d + "/") for f in found)]
    strays = [f for f in found if not f.startswith("/own/")]
    claim("every directory may be named on the command line", found and not unused and not strays, (unused, strays))
    make("uninstall", dest, **own)
    claim("and is emptied again", not files(dest), files(dest))


def what_others_own_stays(dest):
    os.makedirs(dest + "/usr/sbin")
    os.makedirs(dest + "/etc/postern")
    for f, text in (("/usr/sbin/sendmail", "another MTA's"), ("/etc/postern/postern.conf", "hostname = mine.example\n")):
        with open(dest + f, "w") as out:
            out.write(text)
    make("install", dest, SYSTEM_MTA="yes")
    claim("the system's sendmail is ours when asked", os.readlink(dest + "/usr/sbin/sendmail") == "/usr/local/libexec/postern/sendmail")
    claim("an edited configuration is kept, the new default beside it", content(dest + "/etc/postern/postern.conf") == b"hostname = mine.example\n" and
          os.path.exists(dest + "/etc/postern/postern.conf.new"))
    r = make("uninstall", dest)
    claim("uninstall: the other MTA's sendmail is back", content(dest + "/usr/sbin/sendmail") == b"another MTA's")
    claim("and the edited configuration stays", files(dest) == {"/usr/sbin/sendmail", "/etc/postern/postern.conf"} and "kept your" in r.stdout, files(dest))


if os.path.exists(f"{TOP}/Makefile"):
    for scenario in (system_wide, private, each_by_hand, what_others_own_stays):
        where = tempfile.mkdtemp(prefix="pt-")
        try:
            scenario(where)
        finally:
            shutil.rmtree(where)
else:
    skip("make install", "no Makefile beside the tests")
sys.exit(1 if postern.failed else 0)
