PROGRAMS += postern-resolve
postern-resolve_TO := libexec
postern-resolve_MAIN := resolve/main.c
postern-resolve_SRC := $(filter-out resolve/main.c,$(sort $(wildcard resolve/*.c)))
