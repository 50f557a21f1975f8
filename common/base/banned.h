/* banned - included before every file by the Makefile: calls that cannot be used safely do not compile. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#undef sprintf /* with clang, _FORTIFY_SOURCE makes a macro of it */

#pragma GCC poison gets strcpy strcat sprintf vsprintf strncpy strncat stpcpy strtok
#pragma GCC poison atoi atol atoll atof scanf sscanf fscanf
#pragma GCC poison tmpnam tempnam mktemp system popen
#pragma GCC poison ctime asctime localtime gmtime

#endif
