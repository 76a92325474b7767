#include "native.h"

#include <stdio.h>

/* strerrorname_np is GLIBC_2.32: the names that these calls can give, by hand. */
static const struct {
  int error;
  const char *name;
} error_names[] = {
    {E2BIG, "E2BIG"},         {EACCES, "EACCES"},   {EAGAIN, "EAGAIN"},     {EBADF, "EBADF"},
    {EBUSY, "EBUSY"},         {ECANCELED, "ECANCELED"}, {EDQUOT, "EDQUOT"}, {EEXIST, "EEXIST"},
    {EFAULT, "EFAULT"},       {EFBIG, "EFBIG"},     {EINTR, "EINTR"},       {EINVAL, "EINVAL"},
    {EIO, "EIO"},             {EISDIR, "EISDIR"},   {ELOOP, "ELOOP"},       {EMFILE, "EMFILE"},
    {EMLINK, "EMLINK"},       {ENAMETOOLONG, "ENAMETOOLONG"}, {ENFILE, "ENFILE"}, {ENODATA, "ENODATA"},
    {ENODEV, "ENODEV"},       {ENOENT, "ENOENT"},   {ENOMEM, "ENOMEM"},     {ENOSPC, "ENOSPC"},
    {ENOSYS, "ENOSYS"},       {ENOTBLK, "ENOTBLK"}, {ENOTDIR, "ENOTDIR"},   {ENOTEMPTY, "ENOTEMPTY"},
    {ENOTSUP, "ENOTSUP"},     {ENOTTY, "ENOTTY"},   {ENXIO, "ENXIO"},       {EOVERFLOW, "EOVERFLOW"},
    {EPERM, "EPERM"},         {ERANGE, "ERANGE"},   {EREMOTEIO, "EREMOTEIO"}, {EROFS, "EROFS"},
    {ESPIPE, "ESPIPE"},       {ESTALE, "ESTALE"},   {ETIMEDOUT, "ETIMEDOUT"}, {ETXTBSY, "ETXTBSY"},
    {EUCLEAN, "EUCLEAN"},     {EXDEV, "EXDEV"},     {ENOLINK, "ENOLINK"},   {EILSEQ, "EILSEQ"},
    {ECONNREFUSED, "ECONNREFUSED"}, {EMSGSIZE, "EMSGSIZE"}, {EPROTOTYPE, "EPROTOTYPE"}, {ENOBUFS, "ENOBUFS"},
    {ENOMEDIUM, "ENOMEDIUM"}, {ENOTCONN, "ENOTCONN"}, {ESHUTDOWN, "ESHUTDOWN"}, {EBADMSG, "EBADMSG"},
    {ENOEXEC, "ENOEXEC"},     {ENOKEY, "ENOKEY"},   {EKEYREJECTED, "EKEYREJECTED"}, {EADDRNOTAVAIL, "EADDRNOTAVAIL"},
};

static void name_of(int error, char *name, size_t size) {
  for (size_t i = 0; i < sizeof error_names / sizeof error_names[0]; i += 1) {
    if (error_names[i].error == error) {
      snprintf(name, size, "%s", error_names[i].name);
      return;
    }
  }
  snprintf(name, size, "E%d", error);
}

napi_value make_errno(napi_env env, const char *syscall_name, int error, const char *path) {
  char name[32], text[PATH_BYTES + 256];
  name_of(error, name, sizeof name);
  if (path == NULL) snprintf(text, sizeof text, "%s: %s, %s", name, strerror(error), syscall_name);
  else snprintf(text, sizeof text, "%s: %s, %s '%s'", name, strerror(error), syscall_name, path);
  napi_value code, message, value, result;
  napi_create_string_latin1(env, name, NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, code, message, &result);
  napi_create_int32(env, -error, &value);
  napi_set_named_property(env, result, "errno", value);
  napi_create_string_latin1(env, syscall_name, NAPI_AUTO_LENGTH, &value);
  napi_set_named_property(env, result, "syscall", value);
  return result;
}

void settle_errno(napi_env env, napi_deferred deferred, const char *syscall_name, int error) {
  napi_value value;
  if (error == 0) {
    napi_get_undefined(env, &value);
    napi_resolve_deferred(env, deferred, value);
  } else {
    napi_reject_deferred(env, deferred, make_errno(env, syscall_name, error, NULL));
  }
}

napi_value throw_errno(napi_env env, const char *syscall_name, int error, const char *path) {
  napi_throw(env, make_errno(env, syscall_name, error, path));
  return NULL;
}

static bool wrong_type(napi_env env, const char *message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

bool get_args(napi_env env, napi_callback_info info, size_t count, napi_value *args) {
  size_t given = count;
  napi_get_cb_info(env, info, &given, args, NULL, NULL);
  return given >= count ? true : wrong_type(env, "too few arguments");
}

bool get_int(napi_env env, napi_value value, int64_t *result) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) return wrong_type(env, "an argument is not a number");
  if (!(number >= -9007199254740991.0 && number <= 9007199254740991.0) || number != (double)(int64_t)number)
    return wrong_type(env, "an argument is not a safe integer");
  *result = (int64_t)number;
  return true;
}

bool get_int_of(napi_env env, napi_value object, const char *name, int64_t *result) {
  napi_value value;
  if (napi_get_named_property(env, object, name, &value) != napi_ok) return wrong_type(env, "an argument is no object");
  return get_int(env, value, result);
}

bool get_bytes(napi_env env, napi_value value, void **bytes, size_t *length) {
  bool is_buffer = false;
  if (napi_is_buffer(env, value, &is_buffer) != napi_ok || !is_buffer)
    return wrong_type(env, "an argument is not a Buffer");
  napi_get_buffer_info(env, value, bytes, length);
  return true;
}

bool get_path(napi_env env, napi_value value, char *path, size_t size) {
  napi_valuetype type;
  size_t length;
  napi_typeof(env, value, &type);
  if (type == napi_string) {
    napi_get_value_string_utf8(env, value, NULL, 0, &length);
    if (length < size) napi_get_value_string_utf8(env, value, path, size, &length);
  } else {
    void *bytes;
    if (!get_bytes(env, value, &bytes, &length)) return false;
    if (length < size) {
      memcpy(path, bytes, length);
      path[length] = '\0';
    }
  }
  if (length >= size) {
    throw_errno(env, "path", ENAMETOOLONG, NULL);
    return false;
  }
  if (memchr(path, '\0', length) != NULL) return wrong_type(env, "a path holds a NUL byte");
  return true;
}
