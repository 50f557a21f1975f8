PROGRAMS += postern-remote-delivery
postern-remote-delivery_TO := libexec
postern-remote-delivery_MAIN := remote-delivery/main.c
postern-remote-delivery_SRC := $(filter-out remote-delivery/main.c,$(sort $(wildcard remote-delivery/*.c)))
postern-remote-delivery_LIBS := -lssl -lcrypto
