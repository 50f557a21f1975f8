PROGRAMS += postern-master
postern-master_TO := libexec
postern-master_MAIN := master/main.c
postern-master_SRC := $(filter-out master/main.c,$(sort $(wildcard master/*.c)))
