PROGRAMS += postern-local-delivery
postern-local-delivery_TO := libexec
postern-local-delivery_MAIN := local-delivery/main.c
postern-local-delivery_SRC := $(filter-out local-delivery/main.c,$(sort $(wildcard local-delivery/*.c)))
