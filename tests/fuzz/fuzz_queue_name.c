/* A name that is read is written again as it was; an id too, and its parts fit. */
#include "spool/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sv text = { (const char *)p, n };
	struct spool_name name;
	struct spool_id id;
	char again[SPOOL_NAME_MAX];
	if (spool_name_parse(text, &name))
		BUG_IF(!sv_eqs(text, spool_name_text(&name, again)));
	if (spool_id_parse(text, &id))
		BUG_IF(!sv_eqs(text, id.text) || spool_id_shard(&id) >= SPOOL_SHARDS);
	return 0;
}
