#include "layer-operations.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Operation, its strings, and the run that it belongs to. */
struct step {
  struct layer *layer;
  struct program *program;
  struct operation operation;
  const char *name;
  const char *target;
  const uint8_t *xattrs;
};

static int failed(struct step *step, const char *syscall_name) {
  step->program->error = errno;
  step->program->syscall_name = syscall_name;
  return -1;
}

static int invalid(struct step *step) {
  errno = EINVAL;
  return failed(step, "layer program");
}

/* ---- metadata: owner, mode, xattrs, times, in this order: chown clears setuid, chmod and ACLs meet in the mode ---- */

/* Where metadata goes: an open file, or a name in a folder for what cannot be opened (symlink, fifo, device). */
struct place {
  int fd;
  int directory;
  const char *name;
  char path[PATH_BYTES];
};

static void place_at(struct place *place, int directory, const char *name) {
  place->fd = -1;
  place->directory = directory;
  place->name = name;
  snprintf(place->path, sizeof place->path, "/proc/self/fd/%d/%s", directory, name);
}

static ssize_t list_xattrs(const struct place *place, char *list, size_t size) {
  return place->fd >= 0 ? flistxattr(place->fd, list, size) : llistxattr(place->path, list, size);
}

static bool is_kept(const struct layer *layer, const char *name) {
  const char *end = layer->kept_xattrs + layer->kept_xattr_bytes;
  for (const char *kept = layer->kept_xattrs; kept < end; kept += strlen(kept) + 1)
    if (strcmp(kept, name) == 0) return true;
  return false;
}

/* What a new entry inherited (a default ACL) or an old folder had goes away. */
static int clear_xattrs(struct step *step, const struct place *place) {
  ssize_t length = list_xattrs(place, NULL, 0);
  if (length == 0 || (length < 0 && errno == ENOTSUP)) return 0;
  if (length < 0) return failed(step, "listxattr");
  char *list = malloc((size_t)length);
  if (list == NULL) return failed(step, "malloc");
  length = list_xattrs(place, list, (size_t)length);
  int result = length < 0 ? failed(step, "listxattr") : 0;
  for (const char *name = list; result == 0 && name < list + length; name += strlen(name) + 1) {
    if (is_kept(step->layer, name)) continue;
    int removed = place->fd >= 0 ? fremovexattr(place->fd, name) : lremovexattr(place->path, name);
    if (removed != 0 && errno != ENODATA && errno != ENOTSUP) result = failed(step, "removexattr");
  }
  free(list);
  return result;
}

static int set_xattrs(struct step *step, const struct place *place) {
  const uint8_t *next = step->xattrs, *end = step->xattrs + step->operation.xattr_bytes;
  while (next < end) {
    uint32_t lengths[2];
    if ((size_t)(end - next) < sizeof lengths) return invalid(step);
    memcpy(lengths, next, sizeof lengths);
    next += sizeof lengths;
    if (lengths[0] == 0 || (uint64_t)lengths[0] + lengths[1] > (uint64_t)(end - next)) return invalid(step);
    const char *name = (const char *)next;
    const uint8_t *value = next + lengths[0];
    if (name[lengths[0] - 1] != '\0') return invalid(step);
    next = value + lengths[1];
    int result = place->fd >= 0 ? fsetxattr(place->fd, name, value, lengths[1], 0)
                                : lsetxattr(place->path, name, value, lengths[1], 0);
    if (result != 0 && errno == ENOTSUP) step->program->unsupported_xattrs += 1;
    else if (result != 0) return failed(step, "setxattr");
  }
  return 0;
}

static int set_times(struct step *step, const struct place *place) {
  const struct operation *op = &step->operation;
  struct timespec times[2] = {{(time_t)op->atime_sec, op->atime_nsec}, {(time_t)op->mtime_sec, op->mtime_nsec}};
  int result = place->fd >= 0 ? futimens(place->fd, times)
                              : utimensat(place->directory, place->name, times, AT_SYMLINK_NOFOLLOW);
  return result == 0 ? 0 : failed(step, "utimensat");
}

/*
 * A new inode mostly has the right owner and mode already: asking is cheaper than a journalled change. Files and nodes are
 * made without setuid and setgid, and chown leaves those of folders, so that the mode seen before chown tells enough.
 */
static int set_owner_and_mode(struct step *step, const struct place *place) {
  const struct operation *op = &step->operation;
  struct stat now;
  bool is_open = place->fd >= 0;
  int result = is_open ? (int)syscall(SYS_fstat, place->fd, &now)
                       : (int)syscall(SYS_newfstatat, place->directory, place->name, &now, AT_SYMLINK_NOFOLLOW);
  if (result != 0) return failed(step, "fstat");
  if (now.st_uid != op->uid || now.st_gid != op->gid) {
    result = is_open ? fchown(place->fd, op->uid, op->gid)
                     : fchownat(place->directory, place->name, op->uid, op->gid, AT_SYMLINK_NOFOLLOW);
    if (result != 0) return failed(step, "fchown");
  }
  if (S_ISLNK(now.st_mode)) return 0;
  if ((now.st_mode & 07777) == op->mode) return 0;
  /* fchmodat would follow, but this is no symlink and nobody else writes here */
  result = is_open ? fchmod(place->fd, op->mode) : fchmodat(place->directory, place->name, op->mode, 0);
  return result == 0 ? 0 : failed(step, "fchmod");
}

static int apply_metadata(struct step *step, const struct place *place) {
  if (set_owner_and_mode(step, place) != 0) return -1;
  if (clear_xattrs(step, place) != 0) return -1;
  if (set_xattrs(step, place) != 0) return -1;
  return set_times(step, place);
}

/* ---- the operations ---- */

static int directory_of(const struct step *step) { return step->layer->directories[step->operation.slot]; }

/*
 * Whether to try a creation again: what is there and no folder is removed. For a folder unlinkat gives EISDIR, which is
 * how the caller learns that a whole tree is in the way.
 */
static bool make_room(struct step *step, int *result) {
  if (errno != EEXIST) return false;
  if (unlinkat(directory_of(step), step->name, 0) == 0) return true;
  *result = failed(step, "unlinkat");
  return false;
}

static int run_directory(struct step *step) {
  int result = 0, directory = directory_of(step);
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  if (mkdirat(directory, step->name, step->operation.mode & 0777) != 0 && errno != EEXIST)
    return failed(step, "mkdirat");
  int fd = openat(directory, step->name, flags);
  if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) {
    errno = EEXIST;
    if (!make_room(step, &result)) return result;
    if (mkdirat(directory, step->name, step->operation.mode & 0777) != 0) return failed(step, "mkdirat");
    fd = openat(directory, step->name, flags);
  }
  if (fd < 0) return failed(step, "openat");
  int *slot = &step->layer->directories[step->operation.other];
  if (*slot >= 0) close(*slot);
  *slot = fd;
  struct place place = {.fd = fd};
  return apply_metadata(step, &place);
}

static int run_directory_meta(struct step *step) {
  struct place place = {.fd = directory_of(step)};
  return apply_metadata(step, &place);
}

static int run_directory_close(struct step *step) {
  struct place place = {.fd = directory_of(step)};
  int result = (step->operation.flags & FLAG_TIMES) != 0 ? set_times(step, &place) : 0;
  close(place.fd);
  step->layer->directories[step->operation.slot] = -1;
  return result;
}

static int run_file_create(struct step *step) {
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  mode_t mode = step->operation.mode & 0777;
  int result = -1;
  if (step->layer->file >= 0) return invalid(step);
  int fd = openat(directory_of(step), step->name, flags, mode);
  if (fd < 0 && errno == EEXIST) {
    if (!make_room(step, &result)) return result;
    fd = openat(directory_of(step), step->name, flags, mode);
  }
  if (fd < 0) return failed(step, "openat");
  step->layer->file = fd;
  return 0;
}

static int run_file_write(struct step *step) {
  const struct operation *op = &step->operation;
  if (op->chunk >= step->program->chunk_count || step->layer->file < 0) return invalid(step);
  const struct chunk *chunk = &step->program->chunks[op->chunk];
  if ((uint64_t)op->chunk_offset + op->chunk_bytes > chunk->length) return invalid(step);
  const uint8_t *bytes = chunk->bytes + op->chunk_offset;
  size_t left = op->chunk_bytes;
  off_t offset = (off_t)op->size;
  while (left > 0) {
    ssize_t written = pwrite(step->layer->file, bytes, left, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(step, "pwrite");
    if (written == 0) {
      errno = EIO;
      return failed(step, "pwrite");
    }
    bytes += written;
    offset += written;
    left -= (size_t)written;
  }
  return 0;
}

static int run_file_finish(struct step *step) {
  struct place place = {.fd = step->layer->file};
  if (place.fd < 0) return invalid(step);
  int result = 0;
  if ((step->operation.flags & FLAG_TRUNCATE) != 0 && ftruncate(place.fd, (off_t)step->operation.size) != 0)
    result = failed(step, "ftruncate");
  if (result == 0) result = apply_metadata(step, &place);
  step->layer->file = -1;
  if (close(place.fd) != 0 && errno != EINTR && result == 0) result = failed(step, "close");
  return result;
}

static int run_symlink(struct step *step) {
  int result = -1, directory = directory_of(step);
  if (symlinkat(step->target, directory, step->name) != 0) {
    if (errno == EEXIST && !make_room(step, &result)) return result;
    if (symlinkat(step->target, directory, step->name) != 0) return failed(step, "symlinkat");
  }
  struct place place;
  place_at(&place, directory, step->name);
  return apply_metadata(step, &place);
}

static int make_node(const struct step *step) {
  const struct operation *op = &step->operation;
  unsigned device = (unsigned)makedev(op->major, op->minor);
  /* glibc's mknodat is GLIBC_2.33 */
  return (int)syscall(SYS_mknodat, directory_of(step), step->name, (op->mode & S_IFMT) | (op->mode & 0777), device);
}

static int run_node(struct step *step) {
  int result = -1;
  if (make_node(step) != 0) {
    if (errno == EEXIST && !make_room(step, &result)) return result;
    if (make_node(step) != 0) return failed(step, "mknodat");
  }
  struct place place;
  place_at(&place, directory_of(step), step->name);
  step->operation.mode &= 07777;
  return apply_metadata(step, &place);
}

static int run_link(struct step *step) {
  int result = -1, directory = directory_of(step), from = step->layer->directories[step->operation.other];
  if (from < 0) return invalid(step);
  if (linkat(from, step->target, directory, step->name, 0) == 0) return 0;
  if (errno == EEXIST && !make_room(step, &result)) return result;
  if (linkat(from, step->target, directory, step->name, 0) != 0) return failed(step, "linkat");
  return 0;
}

/* ---- reading the program ---- */

static bool is_component(const char *name, size_t length) {
  if (length == 0 || name[length] != '\0' || memchr(name, '\0', length) != NULL) return false;
  if (memchr(name, '/', length) != NULL) return false;
  return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

/* The strings of the record at `offset`, checked against its length. */
static bool read_step(struct step *step, size_t offset) {
  const struct program *program = step->program;
  struct operation *op = &step->operation;
  if (program->length - offset < sizeof *op) return false;
  memcpy(op, program->bytes + offset, sizeof *op);
  uint64_t needed = sizeof *op + (uint64_t)op->name_bytes + 1 + (uint64_t)op->target_bytes + 1 + op->xattr_bytes;
  if (op->record_bytes < needed || op->record_bytes > program->length - offset) return false;
  step->name = (const char *)program->bytes + offset + sizeof *op;
  step->target = step->name + op->name_bytes + 1;
  step->xattrs = (const uint8_t *)step->target + op->target_bytes + 1;
  if (step->target[op->target_bytes] != '\0' || step->name[op->name_bytes] != '\0') return false;
  if (memchr(step->target, '\0', op->target_bytes) != NULL) return false;
  if (op->slot >= DIRECTORY_SLOTS || op->other >= DIRECTORY_SLOTS) return false;
  bool is_file_part = op->kind == OPERATION_FILE_WRITE || op->kind == OPERATION_FILE_FINISH;
  if (is_file_part) return true;
  if (step->layer->directories[op->slot] < 0) return false;
  if (op->kind == OPERATION_DIRECTORY_META || op->kind == OPERATION_DIRECTORY_CLOSE) return true;
  if (!is_component(step->name, op->name_bytes)) return false;
  return op->kind != OPERATION_LINK || is_component(step->target, op->target_bytes);
}

static int run_step(struct step *step) {
  switch (step->operation.kind) {
    case OPERATION_DIRECTORY: return run_directory(step);
    case OPERATION_DIRECTORY_META: return run_directory_meta(step);
    case OPERATION_DIRECTORY_CLOSE: return run_directory_close(step);
    case OPERATION_FILE_CREATE: return run_file_create(step);
    case OPERATION_FILE_WRITE: return run_file_write(step);
    case OPERATION_FILE_FINISH: return run_file_finish(step);
    case OPERATION_SYMLINK: return run_symlink(step);
    case OPERATION_NODE: return run_node(step);
    case OPERATION_LINK: return run_link(step);
    default: return invalid(step);
  }
}

void layer_run(struct layer *layer, struct program *program) {
  struct step step = {.layer = layer, .program = program};
  while (program->offset < program->length) {
    if (atomic_load_explicit(&layer->cancelled, memory_order_relaxed)) {
      errno = ECANCELED;
      failed(&step, "layer program");
      return;
    }
    if (!read_step(&step, program->offset)) {
      invalid(&step);
      return;
    }
    if (run_step(&step) != 0) return;
    program->offset += step.operation.record_bytes;
  }
}
