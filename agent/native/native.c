/*
 * System calls that Node has no function for. Every failure is an Error with `code`, `errno` and `syscall`, as Node's
 * own. Paths and names are Buffers or strings (UTF-8), so that names which are no UTF-8 work.
 *
 * The addon may need no glibc symbol younger than 2.28 (architecture.md, "Binary"): calls whose wrapper is younger go
 * through syscall(2). No libstdc++.
 */
#include "native.h"

#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- extended attributes ---- */

static napi_value do_lsetxattr(napi_env env, napi_callback_info info) {
  napi_value args[4];
  char path[PATH_BYTES], name[XATTR_NAME_MAX + 1];
  if (!get_args(env, info, 4, args)) return NULL;
  if (!get_path(env, args[0], path, sizeof path) || !get_path(env, args[1], name, sizeof name)) return NULL;
  void *value;
  size_t length;
  int64_t flags;
  if (!get_bytes(env, args[2], &value, &length) || !get_int(env, args[3], &flags)) return NULL;
  if (lsetxattr(path, name, value, length, (int)flags) != 0) return throw_errno(env, "lsetxattr", errno, path);
  return NULL;
}

static napi_value do_lgetxattr(napi_env env, napi_callback_info info) {
  napi_value args[2], result;
  char path[PATH_BYTES], name[XATTR_NAME_MAX + 1];
  if (!get_args(env, info, 2, args)) return NULL;
  if (!get_path(env, args[0], path, sizeof path) || !get_path(env, args[1], name, sizeof name)) return NULL;
  char *value = malloc(XATTR_SIZE_MAX);
  if (value == NULL) return throw_errno(env, "lgetxattr", ENOMEM, path);
  ssize_t length = lgetxattr(path, name, value, XATTR_SIZE_MAX);
  int error = errno;
  if (length >= 0) napi_create_buffer_copy(env, (size_t)length, value, NULL, &result);
  free(value);
  return length < 0 ? throw_errno(env, "lgetxattr", error, path) : result;
}

static napi_value do_llistxattr(napi_env env, napi_callback_info info) {
  napi_value args[1], result, text;
  char path[PATH_BYTES];
  if (!get_args(env, info, 1, args) || !get_path(env, args[0], path, sizeof path)) return NULL;
  char *list = malloc(XATTR_LIST_MAX);
  if (list == NULL) return throw_errno(env, "llistxattr", ENOMEM, path);
  ssize_t length = llistxattr(path, list, XATTR_LIST_MAX);
  if (length < 0) {
    int error = errno;
    free(list);
    return throw_errno(env, "llistxattr", error, path);
  }
  napi_create_array(env, &result);
  uint32_t count = 0;
  for (char *name = list; name < list + length; name += strlen(name) + 1) {
    napi_create_string_latin1(env, name, NAPI_AUTO_LENGTH, &text);
    napi_set_element(env, result, count++, text);
  }
  free(list);
  return result;
}

static napi_value do_lremovexattr(napi_env env, napi_callback_info info) {
  napi_value args[2];
  char path[PATH_BYTES], name[XATTR_NAME_MAX + 1];
  if (!get_args(env, info, 2, args)) return NULL;
  if (!get_path(env, args[0], path, sizeof path) || !get_path(env, args[1], name, sizeof name)) return NULL;
  if (lremovexattr(path, name) != 0) return throw_errno(env, "lremovexattr", errno, path);
  return NULL;
}

/* ---- nodes and times ---- */

/* mknod(path, mode, major, minor) */
static napi_value do_mknod(napi_env env, napi_callback_info info) {
  napi_value args[4];
  char path[PATH_BYTES];
  int64_t mode, major_number, minor_number;
  if (!get_args(env, info, 4, args) || !get_path(env, args[0], path, sizeof path)) return NULL;
  if (!get_int(env, args[1], &mode) || !get_int(env, args[2], &major_number) || !get_int(env, args[3], &minor_number))
    return NULL;
  dev_t device = makedev((unsigned)major_number, (unsigned)minor_number);
  /* glibc's mknod and mknodat are GLIBC_2.33 */
  if (syscall(SYS_mknodat, AT_FDCWD, path, (mode_t)mode, (unsigned)device) != 0)
    return throw_errno(env, "mknod", errno, path);
  return NULL;
}

/* lutimes(path, atimeSec, atimeNsec, mtimeSec, mtimeNsec): never follows */
static napi_value do_lutimes(napi_env env, napi_callback_info info) {
  napi_value args[5];
  char path[PATH_BYTES];
  int64_t numbers[4];
  if (!get_args(env, info, 5, args) || !get_path(env, args[0], path, sizeof path)) return NULL;
  for (int i = 0; i < 4; i += 1)
    if (!get_int(env, args[i + 1], &numbers[i])) return NULL;
  struct timespec times[2] = {{numbers[0], numbers[1]}, {numbers[2], numbers[3]}};
  if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) != 0) return throw_errno(env, "utimensat", errno, path);
  return NULL;
}

/* ---- locks and block devices ---- */

static napi_value do_flock(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int64_t fd, operation;
  if (!get_args(env, info, 2, args) || !get_int(env, args[0], &fd) || !get_int(env, args[1], &operation)) return NULL;
  int result;
  do result = flock((int)fd, (int)operation);
  while (result != 0 && errno == EINTR);
  return result == 0 ? NULL : throw_errno(env, "flock", errno, NULL);
}

static napi_value blkpg(napi_env env, int64_t fd, int operation, struct blkpg_partition *partition) {
  struct blkpg_ioctl_arg arg = {.op = operation, .flags = 0, .datalen = sizeof *partition, .data = partition};
  if (ioctl((int)fd, BLKPG, &arg) != 0) return throw_errno(env, "ioctl BLKPG", errno, NULL);
  return NULL;
}

/* {number, startBytes, lengthBytes} */
static napi_value blkpg_of_object(napi_env env, napi_callback_info info, int operation) {
  napi_value args[2];
  int64_t fd, number, start, length;
  if (!get_args(env, info, 2, args) || !get_int(env, args[0], &fd)) return NULL;
  if (!get_int_of(env, args[1], "number", &number) || !get_int_of(env, args[1], "startBytes", &start) ||
      !get_int_of(env, args[1], "lengthBytes", &length))
    return NULL;
  struct blkpg_partition partition = {.pno = (int)number, .start = start, .length = length};
  return blkpg(env, fd, operation, &partition);
}

static napi_value do_blkpg_add(napi_env env, napi_callback_info info) {
  return blkpg_of_object(env, info, BLKPG_ADD_PARTITION);
}

static napi_value do_blkpg_resize(napi_env env, napi_callback_info info) {
  return blkpg_of_object(env, info, BLKPG_RESIZE_PARTITION);
}

static napi_value do_blkpg_delete(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int64_t fd, number;
  if (!get_args(env, info, 2, args) || !get_int(env, args[0], &fd) || !get_int(env, args[1], &number)) return NULL;
  struct blkpg_partition partition = {.pno = (int)number};
  return blkpg(env, fd, BLKPG_DEL_PARTITION, &partition);
}

static napi_value do_blk_reread_table(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int64_t fd;
  if (!get_args(env, info, 1, args) || !get_int(env, args[0], &fd)) return NULL;
  if (ioctl((int)fd, BLKRRPART, 0) != 0) return throw_errno(env, "ioctl BLKRRPART", errno, NULL);
  return NULL;
}

/* ---- calls that may take long: on a thread of the pool, answered by a promise ---- */

struct slow_call {
  napi_async_work work;
  napi_deferred deferred;
  const char *name;
  int (*run)(struct slow_call *);
  int64_t numbers[4];
  int error;
};

static int run_ioctl_range(struct slow_call *call) {
  uint64_t range[2] = {(uint64_t)call->numbers[1], (uint64_t)call->numbers[2]};
  unsigned long request = strcmp(call->name, "ioctl BLKDISCARD") == 0 ? BLKDISCARD : BLKZEROOUT;
  return ioctl((int)call->numbers[0], request, range);
}

static int run_blk_flush(struct slow_call *call) { return ioctl((int)call->numbers[0], BLKFLSBUF, 0); }

static int run_syncfs(struct slow_call *call) { return syncfs((int)call->numbers[0]); }

static int run_sync_file_range(struct slow_call *call) {
  return sync_file_range((int)call->numbers[0], call->numbers[1], call->numbers[2], (unsigned)call->numbers[3]);
}

static void execute_slow(napi_env env, void *data) {
  (void)env;
  struct slow_call *call = data;
  call->error = call->run(call) == 0 ? 0 : errno;
}

static void complete_slow(napi_env env, napi_status status, void *data) {
  struct slow_call *call = data;
  settle_errno(env, call->deferred, call->name, status == napi_cancelled ? ECANCELED : call->error);
  napi_delete_async_work(env, call->work);
  free(call);
}

static napi_value start_slow(napi_env env, napi_callback_info info, const char *name, int count,
                             int (*run)(struct slow_call *)) {
  napi_value args[4], promise, label;
  struct slow_call *call = calloc(1, sizeof *call);
  if (call == NULL) return throw_errno(env, name, ENOMEM, NULL);
  call->name = name;
  call->run = run;
  bool ok = get_args(env, info, (size_t)count, args);
  for (int i = 0; ok && i < count; i += 1) ok = get_int(env, args[i], &call->numbers[i]);
  if (!ok) {
    free(call);
    return NULL;
  }
  napi_create_promise(env, &call->deferred, &promise);
  napi_create_string_latin1(env, name, NAPI_AUTO_LENGTH, &label);
  napi_create_async_work(env, NULL, label, execute_slow, complete_slow, call, &call->work);
  napi_queue_async_work(env, call->work);
  return promise;
}

static napi_value do_blk_discard(napi_env env, napi_callback_info info) {
  return start_slow(env, info, "ioctl BLKDISCARD", 3, run_ioctl_range);
}

static napi_value do_blk_zeroout(napi_env env, napi_callback_info info) {
  return start_slow(env, info, "ioctl BLKZEROOUT", 3, run_ioctl_range);
}

static napi_value do_blk_flush_buffers(napi_env env, napi_callback_info info) {
  return start_slow(env, info, "ioctl BLKFLSBUF", 1, run_blk_flush);
}

static napi_value do_syncfs(napi_env env, napi_callback_info info) {
  return start_slow(env, info, "syncfs", 1, run_syncfs);
}

static napi_value do_sync_file_range(napi_env env, napi_callback_info info) {
  return start_slow(env, info, "sync_file_range", 4, run_sync_file_range);
}

static const struct {
  const char *name;
  napi_callback function;
} exported[] = {
    {"lsetxattr", do_lsetxattr},
    {"lgetxattr", do_lgetxattr},
    {"llistxattr", do_llistxattr},
    {"lremovexattr", do_lremovexattr},
    {"mknod", do_mknod},
    {"lutimes", do_lutimes},
    {"flock", do_flock},
    {"blkpgAdd", do_blkpg_add},
    {"blkpgResize", do_blkpg_resize},
    {"blkpgDelete", do_blkpg_delete},
    {"blkRereadTable", do_blk_reread_table},
    {"blkDiscard", do_blk_discard},
    {"blkZeroout", do_blk_zeroout},
    {"blkFlushBuffers", do_blk_flush_buffers},
    {"syncfs", do_syncfs},
    {"syncFileRange", do_sync_file_range},
    {"unixDatagramSend", unix_datagram_send},
    {"layerOpen", layer_open},
    {"layerSetDirectory", layer_set_directory},
    {"layerDirectory", layer_directory},
    {"layerRun", layer_run_async},
    {"layerCancel", layer_cancel},
    {"layerClose", layer_close},
    {"kexecFileLoad", kexec_file_load_async},
};

NAPI_MODULE_INIT() {
  for (size_t i = 0; i < sizeof exported / sizeof exported[0]; i += 1) {
    napi_value function;
    napi_create_function(env, exported[i].name, NAPI_AUTO_LENGTH, exported[i].function, NULL, &function);
    napi_set_named_property(env, exports, exported[i].name, function);
  }
  return exports;
}
