PROGRAMS += postern-spamcheck
postern-spamcheck_TO := libexec
postern-spamcheck_MAIN := spamcheck/main.c
postern-spamcheck_SRC := $(filter-out spamcheck/main.c,$(sort $(wildcard spamcheck/*.c)))
