"""What one who has taken over a daemon can still do: system calls made inside the running processes (tests/lib/intruder.c)."""
import os
import platform
import subprocess

from postern import ROOT, TOP, claim, message, run, skip, until

INTRUDER = os.path.join(os.environ.get("POSTERN_BUILD") or f"{TOP}/build/{os.environ.get('VARIANT', 'release')}", "tests/intruder")
EXPOSED = ("smtpd", "spamcheck", "bounce")


def tries(pid, call, path=""):
    r = subprocess.run([INTRUDER, str(pid), call, path], capture_output=True, text=True, timeout=10)
    return r.stdout.strip() or r.stderr.strip()


def denied(answer):
    return answer in ("killed", "EPERM", "EACCES", "ENOSYS", "EAFNOSUPPORT")


def sealed(pids):
    """Not one that was started a moment ago and has yet to give up its rights."""
    def is_sealed(pid):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                return "Seccomp:\t2" in f.read()
        except OSError:
            return False
    return [pid for pid in pids if is_sealed(pid)]


def everyone(i):
    i.expect_deaths = True
    i.block()
    i.send(msg=message("somebody's secret"))
    queued = until(lambda: [f for f in i.full_queue_files()])[0]
    attempts = [("open", "/etc/shadow"), ("open", queued), ("open", "memory"), ("write", f"{i.dir}/owned"), ("exec", "/bin/sh"),
                ("setuid", ""), ("raw", ""), ("ptrace", "")]
    for service in (*EXPOSED, "queue-mgr", "resolve", "logd"):
        for call, path in attempts:
            if service == "queue-mgr" and path in (queued, "memory"):
                continue  # its own
            until(lambda: i.pids("queue-mgr"), 10)
            pids = until(lambda: sealed(i.pids(service)), 10)
            path = f"/proc/{i.pids('queue-mgr')[0]}/mem" if path == "memory" else path
            answer = tries(pids[-1], call, path)
            claim(f"{service} cannot {call} {os.path.basename(path)}", denied(answer), answer)
            until(lambda: i.pids(service), 10)
    for service in EXPOSED:
        for call, path in (("inet", ""), ("unlink", queued), ("mkdir", "/tmp/x"), ("open", "/etc/passwd")):
            pids = until(lambda: len(i.pids(service)) > 1 and sealed(i.pids(service)), 10)
            answer = tries(pids[-1], call, path)
            claim(f"a {service} worker cannot {call} {os.path.basename(path)}", denied(answer), answer)
    claim("nothing was written", not os.path.exists(f"{i.dir}/owned"))
    i.unblock()
    claim("mail goes on", until(lambda: i.send().startswith("250"), 20))


if ROOT and platform.machine() == "x86_64" and os.path.exists(INTRUDER) and "asan" not in INTRUDER:
    run(everyone, sets=("restart_delay_max = 1s",))
else:
    skip("system calls inside the daemons", "needs root on x86-64, and a build without sanitizers")
