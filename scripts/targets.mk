# What people call: make deps run | deps check | install | uninstall | crashcheck | bigcheck | powercut | e2e | lint | bench | format
.PHONY: deps run check bigcheck crashcheck powercut e2e fuzz lint tests install uninstall bench format

deps:
	@scripts/deps
# `make deps check` on a fresh machine: what follows is evaluated again when the packages are there.
ifneq ($(filter deps,$(MAKECMDGOALS)),)
run check: deps
endif

SELF = $(MAKE) --no-print-directory VARIANT=$(VARIANT)
run:
	+@$(SELF) all
	@VARIANT=$(VARIANT) scripts/demo
check:
	+@$(SELF) -j$$(nproc) all tests
	@VARIANT=$(VARIANT) scripts/check
tests: all
	+@$(SELF) $(O)/tests/unit-tests $(O)/tests/intruder $(O)/tests/fill-queue $(O)/tests/faults.so fuzz-targets
e2e: all
	@POSTERN_BUILD=$(abspath $(O)) tests/e2e/run $(T)
# Every step of every daemon, every state that a power failure may leave, every fault: over an hour.
crashcheck: all tests
	@POSTERN_BUILD=$(abspath $(O)) POSTERN_CRASH=full POSTERN_FAULTS=full POSTERN_KILLS=1000 POSTERN_OVERLOAD=2000 POSTERN_SCENARIO_TIMEOUT=14400 \
		tests/e2e/run powerfail crash faults kills overload
# A million messages in the queue, ten thousand recipients of one: some minutes, and 6 GB below POSTERN_MILLION_DIR (a tmpfs is quick).
bigcheck: all tests
	@POSTERN_BUILD=$(abspath $(O)) POSTERN_MILLION=1000000 POSTERN_CROWD=10000 POSTERN_SCENARIO_TIMEOUT=1800 tests/e2e/run -v million
# Real file systems in a virtual machine, every write logged and replayed: about half an hour with plain emulation.
powercut: all
	@POSTERN_BUILD=$(abspath $(O)) tests/powercut/run
fuzz: tests
	@POSTERN_BUILD=$(abspath $(O)) tests/fuzz/replay
lint: all
	@POSTERN_BUILD=$(abspath $(O)) scripts/lint
format:
	clang-format -i $$(git ls-files '*.c' '*.h')
bench: all
	@scripts/bench
install: all
	@$(foreach v,$(INSTALL_VARS),$(v)='$($(v))') scripts/install
uninstall:
	@$(foreach v,$(INSTALL_VARS),$(v)='$($(v))') scripts/install uninstall
