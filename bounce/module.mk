PROGRAMS += postern-bounce
postern-bounce_TO := libexec
postern-bounce_MAIN := bounce/main.c
postern-bounce_SRC := $(filter-out bounce/main.c,$(sort $(wildcard bounce/*.c)))
