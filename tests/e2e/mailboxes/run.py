"""Local delivery never writes elsewhere: symlinks, foreign owners, missing homes, FIFOs; and the copy path."""
import os
import shutil
import stat

from postern import ROOT, claim, content, message, run, until


def owner(i):
    return os.stat(f"{i.dir}/home/{i.env['RCPT']}").st_uid if ROOT else os.geteuid()


def deferred_for(i, what, undo):
    n = len(i.log_lines(" deferred "))
    mark = f"case-{n}-{what.split()[0]}"
    reply = i.send(msg=message(mark))
    claim(f"{what}: accepted", reply.startswith("250"), reply)
    ok = until(lambda: len(i.log_lines(" deferred ")) > n)
    claim(f"{what}: deferred with the reason", ok, i.log()[-800:])
    undo()
    i.postern("queue", "flush")
    claim(f"{what}: arrives when mended", until(lambda: any(mark.encode() in content(f) for f in i.mails())), i.log()[-800:])
    claim(f"{what}: queue empty", i.wait_queue_empty(), i.full_queue_files())


def made_when_missing(i):
    shutil.rmtree(i.maildir, ignore_errors=True)
    i.send()
    claim("a missing Maildir is made", len(i.wait_mails(1)) == 1, i.log()[-800:])
    modes = [stat.S_IMODE(os.stat(f"{i.maildir}/{d}").st_mode) for d in ("", "new", "cur", "tmp")]
    claim("all of it with mode 0700", modes == [0o700] * 4, modes)


def symlinks(i):
    target = f"{i.dir}/elsewhere"
    os.makedirs(f"{target}/new")
    os.chmod(target, 0o777)
    os.chmod(f"{target}/new", 0o777)
    away = i.maildir + ".kept"
    os.rename(i.maildir, away)
    os.symlink(target, i.maildir)

    def undo():
        os.unlink(i.maildir)
        os.rename(away, i.maildir)
    deferred_for(i, "Maildir is a symlink", undo)
    os.rename(f"{i.maildir}/new", f"{i.maildir}/new.kept")
    os.symlink(f"{target}/new", f"{i.maildir}/new")

    def undo_new():
        os.unlink(f"{i.maildir}/new")
        os.rename(f"{i.maildir}/new.kept", f"{i.maildir}/new")
    deferred_for(i, "new is a symlink", undo_new)
    claim("nothing was written through a symlink", os.listdir(f"{target}/new") == [], os.listdir(f"{target}/new"))


def foreign_owner(i):
    if not ROOT:
        return
    os.chown(f"{i.maildir}/new", 0, 0)
    deferred_for(i, "new belongs to root", lambda: os.chown(f"{i.maildir}/new", owner(i), -1))


def fifo(i):
    os.rename(f"{i.maildir}/new", f"{i.maildir}/new.kept")
    os.mkfifo(f"{i.maildir}/new")

    def undo():
        os.unlink(f"{i.maildir}/new")
        os.rename(f"{i.maildir}/new.kept", f"{i.maildir}/new")
    deferred_for(i, "new is a FIFO", undo)


def missing_home(i):
    home = f"{i.dir}/home/{i.env['RCPT']}" if ROOT else f"{i.dir}/mail"
    os.rename(home, home + ".gone")
    deferred_for(i, "missing home", lambda: os.rename(home + ".gone", home))


def by_copy(i):
    i.restart("delivery = copy")
    n = len(i.mails())
    i.send(msg=message("copied"))
    found = i.wait_mails(n + 1)
    new = next((f for f in found if b"copied" in content(f)), None)
    claim("delivery = copy: arrives by copy", new and i.log_lines(r" delivered .*(how=copy|renamed=0)"), i.log()[-500:])
    s = os.stat(new)
    claim("owner and mode as by rename", s.st_uid == owner(i) and stat.S_IMODE(s.st_mode) == 0o600, s)
    claim("no left-over in tmp/", os.listdir(f"{i.maildir}/tmp") == [])


def other_mount(i):
    """A home on another file system: EXDEV, so the copy path is taken by itself."""
    shm = "/dev/shm/" + os.path.basename(i.dir)
    i.restart("delivery = auto")
    os.mkdir(shm, 0o700)
    try:
        os.chown(shm, owner(i), -1) if ROOT else None
        if ROOT:
            import subprocess
            os.chmod(shm, 0o700)
            subprocess.run(["usermod", "-d", shm, i.env["RCPT"]], check=True)
            i.restart()
            box = shm + "/Maildir"
        else:
            i.restart(f"virtual_base = {shm}")
            box = shm + "/al"
        i.send(msg=message("other mount"))
        claim("a home on another mount gets its mail by copy", len(i.wait_mails(1, box)) == 1 and i.log_lines(r" delivered .*(how=copy|renamed=0)"), i.log()[-800:])
    finally:
        shutil.rmtree(shm)


run(made_when_missing, symlinks, foreign_owner, fifo, missing_home, by_copy, other_mount, sets=("resolve_cache = 0s",))
