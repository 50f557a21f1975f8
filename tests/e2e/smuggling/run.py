"""SMTP smuggling: nothing but CRLF.CRLF ends a message, and a bare CR or LF refuses it."""
import itertools

from postern import claim, run

HEAD = b"From: a@client.example\r\nSubject: smuggled\r\n\r\n"
ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r.\n", b"\r\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n"]
INNER = b"MAIL FROM:<evil@client.example>\r\nRCPT TO:<%s>\r\nDATA\r\nSubject: INNER\r\n\r\ninner\r\n"


def no_variant_ends_a_message(i):
    for end in ENDS:
        s = i.smtp()
        s.hello()
        s.envelope(i.rcpt)
        s.cmd("DATA")
        s.send(HEAD + b"text" + end + INNER % i.rcpt.encode() + b".\r\n")
        reply = s.reply()
        claim(f"{end!r}: one refusal for the whole", reply.startswith(("550 5.6", "554 5.6")), reply)
        claim(f"{end!r}: in step afterwards", s.cmd("NOOP").startswith("250"))
        s.close()
    claim("nothing was delivered", not i.mails(), i.mails())


def any_chunking_gives_the_same(i):
    text = HEAD + b"a\n.\nb" + b"\r\n.\r\n"
    for cut in itertools.chain(range(len(text) - 12, len(text))):
        s = i.smtp()
        s.hello()
        s.envelope(i.rcpt)
        s.cmd("DATA")
        s.send(text[:cut])
        s.send(text[cut:])
        reply = s.reply()
        if not reply.startswith("550 5.6"):
            claim(f"cut at {cut}", False, reply)
        s.close()
    claim("a bare LF is refused for every way of cutting it", not i.mails(), i.mails())


def accepted_when_asked_for(i):
    i.restart("bare_newline = accept")
    s = i.smtp()
    s.hello()
    s.envelope(i.rcpt)
    s.cmd("DATA")
    s.send(HEAD + b"a\n.\nMAIL FROM:<evil@client.example>\n" + b"end\r\n.\r\n")
    reply = s.reply()
    found = i.wait_mails(1)
    claim("bare_newline = accept: one message, with everything in it", reply.startswith("250") and len(found) == 1, (reply, found))
    with open(found[0], "rb") as f:
        claim("and the dot line is text", b"a\n.\nMAIL FROM:<evil@client.example>\nend\n" in f.read())


def bare_newlines_in_commands(i):
    s = i.smtp()
    s.send(b"EHLO client.example\nMAIL FROM:<a@client.example>\r\n")
    claim("a line that ends in a lone LF is no command", s.reply().startswith("500 5.5.2"))
    s.close()
    s = i.smtp()
    s.hello()
    reply = s.cmd(b"MAIL FROM:<a@client.example>\rRCPT TO:<x>")
    claim("a CR within a command is refused", reply.startswith("50"), reply)
    reply = s.cmd(b"NOOP \0")
    claim("a NUL within a command is refused", reply.startswith("50"), reply)


run(no_variant_ends_a_message, any_chunking_gives_the_same, bare_newlines_in_commands, accepted_when_asked_for)
