/* jhash as a function, for TypeScript and tests; maps have it inlined. */
#include "jhash.h"

EXPORT(jhash) u32 jhash_bytes(const void *key, u32 length, u32 initval)
{
	return jhash(key, length, initval);
}
