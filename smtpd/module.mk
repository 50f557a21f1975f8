PROGRAMS += postern-smtpd
postern-smtpd_TO := libexec
postern-smtpd_MAIN := smtpd/main.c
postern-smtpd_LIBS := -lssl -lcrypto
postern-smtpd_SRC := $(filter-out smtpd/main.c,$(sort $(wildcard smtpd/*.c)))
