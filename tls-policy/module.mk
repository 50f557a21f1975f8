PROGRAMS += postern-tls-policy
postern-tls-policy_TO := libexec
postern-tls-policy_MAIN := tls-policy/main.c
postern-tls-policy_SRC := $(filter-out tls-policy/main.c,$(sort $(wildcard tls-policy/*.c)))
postern-tls-policy_LIBS := -lcurl -ljansson -lz -ldb
