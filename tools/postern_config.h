/* postern_config - parameters described, for `postern config` and the manual. */
#ifndef POSTERN_CONFIG_H
#define POSTERN_CONFIG_H

#include "config/cfg.h"

void config_describe(const struct cfg_param *p, struct buf *out); /* "a time from 1s to 1h" */
void config_print_man(void);                                      /* mdoc: every parameter, by section */

#endif
