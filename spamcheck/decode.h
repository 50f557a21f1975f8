/* decode - bytes of a part or a header to UTF-8: transfer encodings by GMime, character sets by iconv.
 *
 * The converters are opened when the decoder is made, before the sandbox closes: iconv loads its modules from disk. Only the
 * character sets of that list are converted; a name in a message opens nothing. Output is bounded per message. */
#ifndef SPAMCHECK_DECODE_H
#define SPAMCHECK_DECODE_H

#include "base/buf.h"

#define DECODE_MESSAGE_MAX (1024 * 1024) /* decoded bytes of one message: as much as is read of it */

struct decoder;

struct decoder *decoder_new(void); /* never NULL; once per process, by the leader */
void decoder_free(struct decoder *d);
void decoder_begin(struct decoder *d); /* a new message: the bound starts anew */

enum decode_result { DECODE_OK, DECODE_UNKNOWN_ENCODING, DECODE_UNKNOWN_CHARSET };
/* encoding: "base64" etc., empty for none; charset: empty for none. *ret_text is `body` itself where nothing has to be done, else a
 * view that is valid until the next call. What cannot be decoded comes as it stands. */
enum decode_result decode_text(struct decoder *d, struct sv body, struct sv encoding, struct sv charset, struct sv *ret_text);
/* Encoded words of a header value (RFC 2047), unfolded; what is none stays. Appends to out. */
void decode_words(struct decoder *d, struct sv value, struct buf *out);

#endif
