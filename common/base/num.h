/* num - numbers from text, always with a range. Nothing else in the tree parses numbers. */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include "base/sv.h"

/* Decimal digits only: no sign, no blanks, no leading '+'. */
bool num_u64(struct sv s, uint64_t min, uint64_t max, uint64_t *ret) MUST_CHECK;
bool num_hex(struct sv s, uint64_t max, uint64_t *ret) MUST_CHECK;
bool num_i64(struct sv s, int64_t min, int64_t max, int64_t *ret) MUST_CHECK;
/* "90", "90s", "5m", "2h", "5d", "1w": seconds when no unit is named. */
bool num_secs(struct sv s, uint64_t min, uint64_t max, uint64_t *ret_secs) MUST_CHECK;
/* "10", "64K", "50M", "2G" (powers of 1024; "KiB" forms too): bytes. */
bool num_size(struct sv s, uint64_t min, uint64_t max, uint64_t *ret_bytes) MUST_CHECK;

#define NUM_TEXT_MAX 32
/* The shortest exact form that the parsers above read back: "5d", "50M". Returns dst. */
const char *num_fmt_secs(uint64_t secs, char dst[NUM_TEXT_MAX]);
const char *num_fmt_size(uint64_t bytes, char dst[NUM_TEXT_MAX]);
/* For people: "3d 4h", "12.4 MiB". Returns dst. */
const char *num_human_secs(uint64_t secs, char dst[NUM_TEXT_MAX]);
const char *num_human_size(uint64_t bytes, char dst[NUM_TEXT_MAX]);

#endif
