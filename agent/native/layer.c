/* The Node side of layer-operations.c: a layer is an external value, a program runs on a thread of the pool. */
#include "layer-operations.h"

#include <unistd.h>

static const napi_type_tag layer_tag = {0x6475726c61796572, 0x8a1d0c5b7e4f4213};

static void close_all(struct layer *layer) {
  for (int i = 0; i < DIRECTORY_SLOTS; i += 1) {
    if (layer->directories[i] >= 0) close(layer->directories[i]);
    layer->directories[i] = -1;
  }
  if (layer->file >= 0) close(layer->file);
  layer->file = -1;
}

static void finalize_layer(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  struct layer *layer = data;
  close_all(layer);
  free(layer->kept_xattrs);
  free(layer);
}

/* layerOpen(keptXattrs: Buffer of NUL-terminated names) → handle */
napi_value layer_open(napi_env env, napi_callback_info info) {
  napi_value args[1], handle;
  void *names;
  size_t length;
  if (!get_args(env, info, 1, args) || !get_bytes(env, args[0], &names, &length)) return NULL;
  if (length > 0 && ((const char *)names)[length - 1] != '\0') {
    napi_throw_type_error(env, "ERR_INVALID_ARG_VALUE", "the names must end with NUL");
    return NULL;
  }
  struct layer *layer = calloc(1, sizeof *layer);
  char *kept = malloc(length + 1);
  if (layer == NULL || kept == NULL) {
    free(layer);
    free(kept);
    return throw_errno(env, "malloc", ENOMEM, NULL);
  }
  memcpy(kept, names, length);
  layer->kept_xattrs = kept;
  layer->kept_xattr_bytes = length;
  layer->file = -1;
  for (int i = 0; i < DIRECTORY_SLOTS; i += 1) layer->directories[i] = -1;
  napi_create_external(env, layer, finalize_layer, NULL, &handle);
  napi_type_tag_object(env, handle, &layer_tag);
  return handle;
}

static struct layer *get_layer(napi_env env, napi_value value, bool must_be_idle) {
  bool matches = false;
  void *data = NULL;
  if (napi_check_object_type_tag(env, value, &layer_tag, &matches) != napi_ok || !matches ||
      napi_get_value_external(env, value, &data) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "an argument is not a layer");
    return NULL;
  }
  struct layer *layer = data;
  if (must_be_idle && layer->busy) {
    throw_errno(env, "layer program", EBUSY, NULL);
    return NULL;
  }
  return layer;
}

static bool get_slot(napi_env env, napi_value value, int64_t *slot) {
  if (!get_int(env, value, slot)) return false;
  if (*slot >= 0 && *slot < DIRECTORY_SLOTS) return true;
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "no such directory slot");
  return false;
}

/* layerSetDirectory(handle, slot, fd): the layer owns the descriptor from now on */
napi_value layer_set_directory(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int64_t slot, fd;
  if (!get_args(env, info, 3, args)) return NULL;
  struct layer *layer = get_layer(env, args[0], true);
  if (layer == NULL || !get_slot(env, args[1], &slot) || !get_int(env, args[2], &fd)) return NULL;
  if (layer->directories[slot] >= 0) close(layer->directories[slot]);
  layer->directories[slot] = (int)fd;
  return NULL;
}

/* layerDirectory(handle, slot) → fd, -1 when the slot is empty */
napi_value layer_directory(napi_env env, napi_callback_info info) {
  napi_value args[2], result;
  int64_t slot;
  if (!get_args(env, info, 2, args)) return NULL;
  struct layer *layer = get_layer(env, args[0], true);
  if (layer == NULL || !get_slot(env, args[1], &slot)) return NULL;
  napi_create_int32(env, layer->directories[slot], &result);
  return result;
}

/* layerCancel(handle): the running program stops before its next record with ECANCELED */
napi_value layer_cancel(napi_env env, napi_callback_info info) {
  napi_value args[1];
  if (!get_args(env, info, 1, args)) return NULL;
  struct layer *layer = get_layer(env, args[0], false);
  if (layer != NULL) atomic_store_explicit(&layer->cancelled, true, memory_order_relaxed);
  return NULL;
}

napi_value layer_close(napi_env env, napi_callback_info info) {
  napi_value args[1];
  if (!get_args(env, info, 1, args)) return NULL;
  struct layer *layer = get_layer(env, args[0], true);
  if (layer != NULL) close_all(layer);
  return NULL;
}

struct run {
  napi_async_work work;
  napi_deferred deferred;
  napi_ref held; /* handle, program and chunks stay alive while the thread uses them */
  struct layer *layer;
  struct program program;
  struct chunk *chunks;
};

static void execute_run(napi_env env, void *data) {
  (void)env;
  struct run *run = data;
  layer_run(run->layer, &run->program);
}

static void set_number(napi_env env, napi_value object, const char *name, double number) {
  napi_value value;
  napi_create_double(env, number, &value);
  napi_set_named_property(env, object, name, value);
}

/* Resolves with {unsupportedXattrs}; rejects with the error and `offset` of the record that failed. */
static void complete_run(napi_env env, napi_status status, void *data) {
  struct run *run = data;
  napi_value result;
  run->layer->busy = false;
  if (status == napi_cancelled) {
    run->program.error = ECANCELED;
    run->program.syscall_name = "layer program";
  }
  if (run->program.error == 0) {
    napi_create_object(env, &result);
    set_number(env, result, "unsupportedXattrs", run->program.unsupported_xattrs);
    napi_resolve_deferred(env, run->deferred, result);
  } else {
    result = make_errno(env, run->program.syscall_name, run->program.error, NULL);
    set_number(env, result, "offset", (double)run->program.offset);
    set_number(env, result, "unsupportedXattrs", run->program.unsupported_xattrs);
    napi_reject_deferred(env, run->deferred, result);
  }
  napi_delete_reference(env, run->held);
  napi_delete_async_work(env, run->work);
  free(run->chunks);
  free(run);
}

static bool read_chunks(napi_env env, napi_value array, struct run *run) {
  uint32_t count = 0;
  if (napi_get_array_length(env, array, &count) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "the chunks are not an array");
    return false;
  }
  run->chunks = calloc(count + 1, sizeof *run->chunks);
  if (run->chunks == NULL) {
    throw_errno(env, "malloc", ENOMEM, NULL);
    return false;
  }
  for (uint32_t i = 0; i < count; i += 1) {
    napi_value chunk;
    void *bytes;
    napi_get_element(env, array, i, &chunk);
    if (!get_bytes(env, chunk, &bytes, &run->chunks[i].length)) return false;
    run->chunks[i].bytes = bytes;
  }
  run->program.chunks = run->chunks;
  run->program.chunk_count = count;
  return true;
}

/* layerRun(handle, program: Buffer, startOffset, chunks: Buffer[]) → Promise */
napi_value layer_run_async(napi_env env, napi_callback_info info) {
  napi_value args[4], promise, label, held;
  int64_t start;
  void *bytes;
  if (!get_args(env, info, 4, args)) return NULL;
  struct layer *layer = get_layer(env, args[0], true);
  if (layer == NULL) return NULL;
  struct run *run = calloc(1, sizeof *run);
  if (run == NULL) return throw_errno(env, "malloc", ENOMEM, NULL);
  run->layer = layer;
  bool ok = get_bytes(env, args[1], &bytes, &run->program.length) && get_int(env, args[2], &start);
  if (!ok || start < 0 || !read_chunks(env, args[3], run)) {
    if (ok && start < 0) napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "a negative offset");
    free(run->chunks);
    free(run);
    return NULL;
  }
  run->program.bytes = bytes;
  run->program.offset = (size_t)start;
  layer->busy = true;
  napi_create_array_with_length(env, 3, &held);
  napi_set_element(env, held, 0, args[0]);
  napi_set_element(env, held, 1, args[1]);
  napi_set_element(env, held, 2, args[3]);
  napi_create_reference(env, held, 1, &run->held);
  napi_create_promise(env, &run->deferred, &promise);
  napi_create_string_latin1(env, "durantic layer", NAPI_AUTO_LENGTH, &label);
  napi_create_async_work(env, NULL, label, execute_run, complete_run, run, &run->work);
  napi_queue_async_work(env, run->work);
  return promise;
}
