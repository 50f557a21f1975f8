# Two programs in one folder, hence explicit lists. mailq and newaliases are sendmail by another name.
TOOLS_SHARED := tools/tool.c tools/text.c tools/queue_client.c
PROGRAMS += postern sendmail
postern_TO := bin
postern_MAIN := tools/postern.c
postern_SRC := $(TOOLS_SHARED) $(filter-out tools/postern.c,$(sort $(wildcard tools/postern_*.c))) tools/grid.c tools/opt.c
postern_LIBS := -ljansson -lssl -lcrypto -lcrypt -lcrypto
sendmail_TO := bin
sendmail_MAIN := tools/sendmail.c
sendmail_SRC := $(TOOLS_SHARED) $(sort $(wildcard tools/sendmail_*.c))
programs: $(O)/bin/mailq $(O)/bin/newaliases
$(O)/bin/mailq $(O)/bin/newaliases: | $(O)/bin/sendmail
	@ln -sf sendmail $@
