# Every .c below common/ is part of the library.
LIB_SRC := $(sort $(wildcard common/*/*.c))
