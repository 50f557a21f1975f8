# Fuzz targets: tests/fuzz/fuzz_<name>.c with the driver that replays corpora; `make fuzz-<name>` hunts with libFuzzer (clang).
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_LIBS = $(PROGRAMS:%=$(O)/lib%.a) $(LIBPOSTERN)
FUZZ_EXTRA = $(foreach p,$(PROGRAMS),$($(p)_LIBS)) $(LIBS)
FUZZ_SECS ?= 60

CFLAGS_tests += $(foreach f,smtpd resolve queue-mgr local-delivery remote-delivery bounce spamcheck authd tls-policy tools,-iquote $(f))
$(O)/tests/fuzz/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/driver.o $(FUZZ_LIBS)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(FUZZ_EXTRA)

.PHONY: fuzz-targets
fuzz-targets: $(FUZZ_NAMES:%=$(O)/tests/fuzz/fuzz_%)
-include $(FUZZ_NAMES:%=$(O)/tests/fuzz/fuzz_%.d)

fuzz-%:
	$(MAKE) -s VARIANT=fuzz CC=clang fuzz-hunt NAME=$*
fuzz-hunt: $(O)/tests/fuzz/fuzz_$(NAME).o $(FUZZ_LIBS)
	$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $(O)/hunt_$(NAME) $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(FUZZ_EXTRA)
	@mkdir -p $(O)/corpus/$(NAME)
	$(O)/hunt_$(NAME) -max_total_time=$(FUZZ_SECS) -timeout=5 $(O)/corpus/$(NAME) tests/fuzz/corpus/$(NAME)
