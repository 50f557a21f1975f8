/* submit - handing a report to smtpd, over a connected socket. */
#ifndef BOUNCE_SUBMIT_H
#define BOUNCE_SUBMIT_H

#include "report.h"

/* Takes fd. *ret: ok, refused (any 5xx: it will not get better), or neither: later. */
void submit_report(int fd, const struct report *r, const struct original *o, struct bounce_res *ret);

#endif
