PROGRAMS += postern-authd
postern-authd_TO := libexec
postern-authd_MAIN := authd/main.c
postern-authd_SRC := $(filter-out authd/main.c,$(sort $(wildcard authd/*.c)))
postern-authd_LIBS := -lpam -lcrypt -lcrypto -ldb
