/* One datagram to an AF_UNIX socket, which Node has no way to: what sd_notify(3) speaks. */
#include "native.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * unixDatagramSend(address, data): `/path`, or `@name` in the abstract namespace (unix(7)). Never waits: a receiver
 * whose queue is full gives EAGAIN.
 */
napi_value unix_datagram_send(napi_env env, napi_callback_info info) {
  napi_value args[2];
  char address[PATH_BYTES];
  void *data;
  size_t size;
  if (!get_args(env, info, 2, args) || !get_path(env, args[0], address, sizeof address)) return NULL;
  if (!get_bytes(env, args[1], &data, &size)) return NULL;

  struct sockaddr_un to = {.sun_family = AF_UNIX};
  bool is_abstract = address[0] == '@';
  size_t length = strlen(address);
  if (address[0] != '/' && !is_abstract) return throw_errno(env, "sendto", EINVAL, address);
  /* An abstract name has no NUL behind it, and may fill the field. */
  size_t used = is_abstract ? length : length + 1;
  if (used > sizeof to.sun_path) return throw_errno(env, "sendto", ENAMETOOLONG, address);
  memcpy(to.sun_path, address, length);
  if (is_abstract) to.sun_path[0] = '\0';

  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return throw_errno(env, "socket", errno, address);
  socklen_t to_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + used);
  ssize_t sent;
  do sent = sendto(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to, to_length);
  while (sent < 0 && errno == EINTR);
  int error = errno;
  close(fd);
  return sent < 0 ? throw_errno(env, "sendto", error, address) : NULL;
}
