PROGRAMS += postern-queue-mgr
postern-queue-mgr_TO := libexec
postern-queue-mgr_MAIN := queue-mgr/main.c
postern-queue-mgr_SRC := $(filter-out queue-mgr/main.c,$(sort $(wildcard queue-mgr/*.c)))
