/*
 * The core as a Node-API module: its `exports` object has one function a row of `bindings`, with
 * the C function's name. Numbers go in and out; offsets come back unsigned, results signed.
 * Generated code and hot paths call the same functions as plain wasm exports instead.
 */
#include <node_api.h>

#include "kernel.h"

struct bpf_map;
extern void *map_lookup_elem(struct bpf_map *, const void *);
extern s32 map_update_elem(struct bpf_map *, const void *, const void *, u64);
extern s32 map_delete_elem(struct bpf_map *, const void *);
extern s32 map_get_next_key(struct bpf_map *, const void *, void *);
extern s32 map_push_elem(struct bpf_map *, const void *, u64);
extern s32 map_pop_elem(struct bpf_map *, void *);
extern s32 map_peek_elem(struct bpf_map *, void *);
extern s32 map_copy_value(struct bpf_map *, const void *, void *);
extern s32 map_update_value(struct bpf_map *, const void *, const void *, u64);
extern u32 csum_partial(const u8 *, u32, u32);

#define MAX_ARGS 4
#define P(i) ((void *)args[i])

typedef u32 (*binding_call)(const u32 *args);

static u32 call_lookup(const u32 *args)
{
	return (u32)map_lookup_elem(P(0), P(1));
}

static u32 call_update(const u32 *args)
{
	return map_update_elem(P(0), P(1), P(2), args[3]);
}

static u32 call_delete(const u32 *args)
{
	return map_delete_elem(P(0), P(1));
}

static u32 call_next_key(const u32 *args)
{
	return map_get_next_key(P(0), P(1), P(2));
}

static u32 call_push(const u32 *args)
{
	return map_push_elem(P(0), P(1), args[2]);
}

static u32 call_pop(const u32 *args)
{
	return map_pop_elem(P(0), P(1));
}

static u32 call_peek(const u32 *args)
{
	return map_peek_elem(P(0), P(1));
}

static u32 call_copy_value(const u32 *args)
{
	return map_copy_value(P(0), P(1), P(2));
}

static u32 call_update_value(const u32 *args)
{
	return map_update_value(P(0), P(1), P(2), args[3]);
}

static u32 call_csum_partial(const u32 *args)
{
	return csum_partial(P(0), args[1], args[2]);
}

struct binding {
	const char *name;
	binding_call call;
	u32 argc;
	bool is_signed;
};

static const struct binding bindings[] = {
	{ "map_lookup_elem", call_lookup, 2, false },
	{ "map_update_elem", call_update, 4, true },
	{ "map_delete_elem", call_delete, 2, true },
	{ "map_get_next_key", call_next_key, 3, true },
	{ "map_push_elem", call_push, 3, true },
	{ "map_pop_elem", call_pop, 2, true },
	{ "map_peek_elem", call_peek, 2, true },
	{ "map_copy_value", call_copy_value, 3, true },
	{ "map_update_value", call_update_value, 4, true },
	{ "csum_partial", call_csum_partial, 3, false },
};

static napi_value invoke(napi_env env, napi_callback_info info)
{
	napi_value values[MAX_ARGS], result = NULL;
	u32 args[MAX_ARGS] = { 0 };
	size_t argc = MAX_ARGS;
	void *data;
	if (napi_get_cb_info(env, info, &argc, values, NULL, &data) != napi_ok)
		return NULL;
	const struct binding *binding = data;
	if (argc < binding->argc) {
		napi_throw_type_error(env, NULL, "too few arguments");
		return NULL;
	}
	for (u32 i = 0; i < binding->argc; i++) {
		if (napi_get_value_uint32(env, values[i], &args[i]) != napi_ok) {
			napi_throw_type_error(env, NULL, "a number was expected");
			return NULL;
		}
	}
	u32 value = binding->call(args);
	if (binding->is_signed)
		napi_create_int32(env, (s32)value, &result);
	else
		napi_create_uint32(env, value, &result);
	return result;
}

NAPI_MODULE_INIT()
{
	for (u32 i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++) {
		const struct binding *binding = &bindings[i];
		napi_value function;
		if (napi_create_function(env, binding->name, NAPI_AUTO_LENGTH, invoke,
					 (void *)binding, &function) != napi_ok ||
		    napi_set_named_property(env, exports, binding->name, function) != napi_ok)
			return NULL;
	}
	return exports;
}

/* emnapi takes memory for what it keeps on the wasm side from these. */
EXPORT(malloc) void *core_malloc(u32 bytes)
{
	/* The size stands before the block, since area_free wants it. */
	u32 *block = area_alloc(bytes + 8);
	if (!block)
		return NULL;
	block[0] = bytes + 8;
	return block + 2;
}

EXPORT(free) void core_free(void *block)
{
	if (block)
		area_free((u32 *)block - 2, ((u32 *)block)[-2]);
}
