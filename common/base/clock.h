/* clock - the two clocks, read only at the edge of a program: inner code gets the time as an argument. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/defs.h"

uint64_t clock_mono_ms(void); /* for deadlines and durations; never jumps */
uint64_t clock_real_ms(void); /* Unix time in ms; may jump */
uint64_t clock_real_secs(void);
void rnd_bytes(void *dst, size_t n); /* from the kernel; never fails after boot */
uint64_t rnd_u64(void);

#endif
