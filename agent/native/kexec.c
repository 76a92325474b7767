/* kexec_file_load(2), which glibc has no wrapper for. Reading and checking a kernel takes a while: on a thread. */
#include "native.h"

#include <sys/syscall.h>
#include <unistd.h>

struct kexec_call {
  napi_async_work work;
  napi_deferred deferred;
  int kernel_fd;
  int initrd_fd;
  unsigned long flags;
  int error;
  size_t length;
  char command_line[];
};

static void execute_kexec(napi_env env, void *data) {
  (void)env;
  struct kexec_call *call = data;
  long result =
      syscall(SYS_kexec_file_load, call->kernel_fd, call->initrd_fd, call->length, call->command_line, call->flags);
  call->error = result == 0 ? 0 : errno;
}

static void complete_kexec(napi_env env, napi_status status, void *data) {
  struct kexec_call *call = data;
  settle_errno(env, call->deferred, "kexec_file_load", status == napi_cancelled ? ECANCELED : call->error);
  napi_delete_async_work(env, call->work);
  free(call);
}

/* kexecFileLoad(kernelFd, initrdFd, commandLine, flags); the command line without NUL */
napi_value kexec_file_load_async(napi_env env, napi_callback_info info) {
  napi_value args[4], promise, label;
  int64_t kernel_fd, initrd_fd, flags;
  void *bytes;
  size_t length;
  if (!get_args(env, info, 4, args) || !get_int(env, args[0], &kernel_fd) || !get_int(env, args[1], &initrd_fd) ||
      !get_bytes(env, args[2], &bytes, &length) || !get_int(env, args[3], &flags))
    return NULL;
  /* The length that the kernel wants counts the NUL; nothing at all is 0 (kexec_file_load(2)). */
  struct kexec_call *call = calloc(1, sizeof *call + length + 1);
  if (call == NULL) return throw_errno(env, "kexec_file_load", ENOMEM, NULL);
  call->kernel_fd = (int)kernel_fd;
  call->initrd_fd = (int)initrd_fd;
  call->flags = (unsigned long)flags;
  call->length = length == 0 ? 0 : length + 1;
  if (length > 0) memcpy(call->command_line, bytes, length);
  napi_create_promise(env, &call->deferred, &promise);
  napi_create_string_latin1(env, "kexec_file_load", NAPI_AUTO_LENGTH, &label);
  napi_create_async_work(env, NULL, label, execute_kexec, complete_kexec, call, &call->work);
  napi_queue_async_work(env, call->work);
  return promise;
}
