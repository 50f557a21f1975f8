PROGRAMS += postern-logd
postern-logd_TO := libexec
postern-logd_MAIN := logd/main.c
postern-logd_SRC := $(filter-out logd/main.c,$(sort $(wildcard logd/*.c)))
