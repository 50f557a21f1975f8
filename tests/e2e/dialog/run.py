"""The conversations of RFC 5321 and its extensions, one per .dlg file beside this one."""
import glob
import os

from dialog import play
from postern import claim, run


def dialogs(i):
    for path in sorted(glob.glob(os.path.dirname(os.path.abspath(__file__)) + "/*.dlg")):
        s = i.smtp()
        wrong = play(path, s, i.env)
        s.close()
        claim(f"dialog {os.path.basename(path)[:-4]}", wrong is None, wrong or "")


def over_ipv6(i):
    if not os.path.exists("/proc/net/if_inet6"):
        return
    from postern import Smtp
    try:
        s = Smtp(("::1", i.where[1]))
    except OSError as e:
        return print(f"skipped IPv6: {e}")
    claim("IPv6 clients are greeted", s.greeting.startswith("220 mail.example"), s.greeting)
    claim("an IPv6 literal in EHLO is taken", s.cmd("EHLO [IPv6:::1]").startswith("250"))


run(dialogs, over_ipv6)
