"""spamcheck: marks, scores, GTUBE, the classifier, and what happens when it is gone."""
import os
import signal

from postern import claim, content, headers_of, message, run, until

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def status_line(i, n):
    found = i.wait_mails(n + 1)
    return next((h for h in headers_of(content(found[-1])) if h.startswith("X-Spam-Status:")), "") if len(found) > n else "(none came)"


def findings(i):
    i.send(msg=message("clean"))
    line = status_line(i, 0)
    claim("a clean message says No", "No" in line, line)
    reply = i.send(msg="Subject: no from, no date\n\nx\n")
    line = status_line(i, 1)
    claim("a bad form is accepted by default", reply.startswith("250"), reply)
    claim("and named in one header line", "From" in line.title() and "Date" in line.title() and "DATE" in line, line)


def gtube(i):
    reply = i.send(msg=message("spam", body=GTUBE + "\n"))
    claim("GTUBE is refused with 550 5.7.1", reply.startswith("550 5.7.1"), reply)
    claim("and never reached the disk", i.wait_queue_empty() and i.wait_log(r" rejected "))
    i.restart("spam_action = mark")
    n = len(i.mails())
    i.send(msg=message("spam", body=GTUBE + "\n"))
    found = i.wait_mails(n + 1)
    claim("spam_action = mark: accepted and flagged", len(found) == n + 1 and any(h == "X-Spam-Flag: YES" for h in headers_of(content(found[-1]))),
          headers_of(content(found[-1])))
    n = len(i.mails())
    big = message("big spam", body=GTUBE + "\n" + "filler line\n" * 200000)
    i.send(msg=big)
    found = i.wait_mails(n + 1)
    text = content(found[-1])
    claim("a streamed message is scanned and marked too", b"X-Spam-Flag: YES" in text[:5000] and text.endswith(big.encode()), text[:1500])


def classifier(i):
    folder = f"{i.dir}/train"
    spam_words = "viagra casino winner lottery cheap pills unsubscribe guarantee millions".split()
    ham_words = "meeting schedule patch compile kernel lunch report review colleague".split()
    for kind, words in (("spam", spam_words), ("ham", ham_words)):
        os.makedirs(f"{folder}/{kind}")
        for k in range(220):
            with open(f"{folder}/{kind}/{k}", "w") as f:
                f.write(message(f"{words[k % 9]} {words[k % 7]}", body=" ".join(words[(k + j) % 9] for j in range(40)) + f" n{k}\n"))
    r1 = i.postern("spam", "learn", "--spam", f"{folder}/spam")
    r2 = i.postern("spam", "learn", "--ham", f"{folder}/ham")
    claim("postern spam learn", r1.returncode == 0 and r2.returncode == 0 and "220" in r1.stdout + r1.stderr, r1.stdout + r1.stderr + r2.stderr)
    n = len(i.mails())
    i.send(msg=message("winner", body=" ".join(spam_words * 5) + "\n"))
    bad = status_line(i, n)
    i.send(msg=message("meeting", body=" ".join(ham_words * 5) + "\n"))
    good = status_line(i, n + 1)
    claim("the classifier knows spam", "BAYES_9" in bad, bad)
    claim("and ham", "BAYES_0" in good, good)


def dead_or_hanging(i):
    i.expect_deaths = True
    i.restart("spam_timeout = 2s", "restart_delay_max = 2s")
    pids = i.pids("spamcheck")
    for p in pids:
        os.kill(p, signal.SIGSTOP)
    reply = i.send()
    claim("a spamcheck that hangs: 451, not a hang", reply.startswith("451 4.7"), reply)
    for p in pids:
        os.kill(p, signal.SIGCONT)
    i.kill("spamcheck")
    claim("a dead one is started again", until(lambda: i.send().startswith("250"), 15), i.log()[-800:])
    i.restart("spam_failure = accept")
    pids = i.pids("spamcheck")
    for p in pids:
        os.kill(p, signal.SIGSTOP)
    reply = i.send()
    claim("spam_failure = accept: taken unchecked", reply.startswith("250"), reply)
    for p in pids:
        os.kill(p, signal.SIGCONT)


run(findings, gtube, classifier, dead_or_hanging)
