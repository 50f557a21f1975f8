# Where things go and how they are built. Every value may be set on the command line.
VARIANT ?= release
BUILD   ?= build
O       := $(BUILD)/$(VARIANT)
PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR  ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/postern
SYSCONFDIR ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
STATEDIR ?= /var/spool/postern
RUNDIR  ?= /run/postern
LOGDIR  ?= /var/log
MANDIR  ?= $(PREFIX)/share/man
UNITDIR ?= /lib/systemd/system
SYSUSERSDIR ?= /usr/lib/sysusers.d
TMPFILESDIR ?= /usr/lib/tmpfiles.d

CC ?= gcc
AR ?= ar
Q  := $(if $(V),,@)
VERSION := 0.1.0

CPPFLAGS += -D_GNU_SOURCE -include common/base/banned.h -DPOSTERN_VERSION='"$(VERSION)"'
CFLAGS_WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers $(if $(CI),-Werror)
CFLAGS_HARD := -fstack-protector-strong -fstack-clash-protection -fPIE -fno-strict-aliasing
LDFLAGS_HARD := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
CFLAGS_release := -O2 -g -D_FORTIFY_SOURCE=2 $(CFLAGS_HARD)
CFLAGS_debug := -Og -g3 $(CFLAGS_HARD)
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DPOSTERN_ASAN=1
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DPOSTERN_ASAN=1
CFLAGS_cov := -O0 -g --coverage
LDFLAGS_release := $(LDFLAGS_HARD)
LDFLAGS_debug := $(LDFLAGS_HARD)
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_fuzz := -fsanitize=address,undefined
LDFLAGS_cov := --coverage
CFLAGS += -std=gnu11 $(CFLAGS_$(VARIANT)) $(CFLAGS_WARN)
LDFLAGS += $(LDFLAGS_$(VARIANT))
LIBS := -lseccomp -ldb -lidn2 -lpcre2-8
