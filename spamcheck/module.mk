PROGRAMS += postern-spamcheck
postern-spamcheck_TO := libexec
postern-spamcheck_MAIN := spamcheck/main.c
postern-spamcheck_SRC := $(filter-out spamcheck/main.c,$(sort $(wildcard spamcheck/*.c)))
# Their headers are not held to our warnings.
CFLAGS_spamcheck := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags gmime-3.0))
postern-spamcheck_LIBS := $(shell pkg-config --libs gmime-3.0) -ldb -lm
