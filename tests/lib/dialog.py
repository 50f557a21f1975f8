"""Plays a dialog file against an SMTP server: `c LINE` is sent with CRLF, `s PREFIX` must begin the next reply's last line.

  c EHLO client.example
  s 250
  raw MAIL FROM:<a@b.example>\\n        bytes as they are, with Python escapes, nothing added
  s 500 5.5.2
  has 8BITMIME                           the last reply has a line that contains this
  eof                                    the server closes

$NAME is taken from the instance's environment. Lines that begin with # are comments. Returns None, or what did not match.
"""
import re


def play(path, smtp, env):
    last = smtp.greeting or ""
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = re.sub(r"\$(\w+)", lambda m: env.get(m[1], m[0]), line.rstrip("\n"))
            kind, _, rest = line.partition(" ")
            if not line or kind == "#" or line.startswith("#"):
                continue
            if kind == "c":
                smtp.send(rest.encode() + b"\r\n")
            elif kind == "raw":
                smtp.send(rest.encode().decode("unicode_escape").encode("latin-1"))
            elif kind == "s":
                last = smtp.reply()
                if not last.split("\n")[-1].startswith(rest):
                    return f"line {number}: wanted '{rest}', got '{last}'"
            elif kind == "has":
                if not any(rest in one for one in last.split("\n")):
                    return f"line {number}: no '{rest}' in '{last}'"
            elif kind == "eof":
                if smtp.line() != "":
                    return f"line {number}: the server did not close"
            else:
                return f"line {number}: what is '{kind}'?"
    return None
