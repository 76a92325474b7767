/* What the files of the addon share: reading arguments, making errors. */
#ifndef DURANTIC_NATIVE_H
#define DURANTIC_NATIVE_H

#define _GNU_SOURCE
#define NAPI_VERSION 8

#include <errno.h>
#include <linux/limits.h>
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A path and its NUL. */
#define PATH_BYTES (PATH_MAX + 1)

/* An Error with message `EIO: Input/output error, syscall 'path'`, `code`, `errno` (negative, as Node's) and `syscall`. */
napi_value make_errno(napi_env env, const char *syscall_name, int error, const char *path);

/* Throws it; always NULL, so that a function can return it. */
napi_value throw_errno(napi_env env, const char *syscall_name, int error, const char *path);

/* Ends the promise of a call that ran on a thread: error 0 resolves it to undefined, another rejects it. */
void settle_errno(napi_env env, napi_deferred deferred, const char *syscall_name, int error);

/* The readers throw a TypeError (or ENAMETOOLONG) and return false when the argument is not what is asked for. */
bool get_args(napi_env env, napi_callback_info info, size_t count, napi_value *args);
bool get_int(napi_env env, napi_value value, int64_t *result);
bool get_int_of(napi_env env, napi_value object, const char *name, int64_t *result);
bool get_bytes(napi_env env, napi_value value, void **bytes, size_t *length);
bool get_path(napi_env env, napi_value value, char *path, size_t size);

/* layer.c */
napi_value layer_open(napi_env env, napi_callback_info info);
napi_value layer_set_directory(napi_env env, napi_callback_info info);
napi_value layer_directory(napi_env env, napi_callback_info info);
napi_value layer_run_async(napi_env env, napi_callback_info info);
napi_value layer_cancel(napi_env env, napi_callback_info info);
napi_value layer_close(napi_env env, napi_callback_info info);

/* kexec.c */
napi_value kexec_file_load_async(napi_env env, napi_callback_info info);

/* unix-datagram.c */
napi_value unix_datagram_send(napi_env env, napi_callback_info info);

#endif
