/*
 * Creating the entries of a layer: a program of fixed records (agent/layer/layer-program.ts writes them) is run in order
 * against a table of open directories. The program decides nothing; names are single components, so nothing here can
 * leave a directory that the caller opened, and no symlink is ever followed.
 */
#ifndef DURANTIC_LAYER_OPERATIONS_H
#define DURANTIC_LAYER_OPERATIONS_H

#include "native.h"

#include <stdatomic.h>

#define DIRECTORY_SLOTS 8704

enum operation_kind {
  OPERATION_DIRECTORY = 1,   /* make `name` (or take the folder that is there) into slot `other`, with metadata */
  OPERATION_DIRECTORY_META,  /* metadata of the folder in `slot` */
  OPERATION_DIRECTORY_CLOSE, /* times of the folder in `slot` when FLAG_TIMES, then close it */
  OPERATION_FILE_CREATE,     /* a new file becomes the current file */
  OPERATION_FILE_WRITE,      /* a piece of a chunk at `size` (the offset) of the current file */
  OPERATION_FILE_FINISH,     /* length, metadata, close */
  OPERATION_SYMLINK,
  OPERATION_NODE, /* fifo or device */
  OPERATION_LINK, /* `target` in slot `other` gets the further name `name` */
};

#define FLAG_TIMES 1
#define FLAG_TRUNCATE 2

/* One record, little-endian, followed by name NUL, target NUL and the xattrs, padded to 8 bytes. */
struct operation {
  uint32_t record_bytes;
  uint8_t kind;
  uint8_t flags;
  uint16_t slot;
  uint16_t other;
  uint16_t name_bytes;
  uint32_t target_bytes;
  uint32_t xattr_bytes; /* each: u32 name bytes (with NUL), u32 value bytes, name NUL, value */
  uint32_t mode;
  uint32_t uid;
  uint32_t gid;
  uint32_t atime_nsec;
  uint32_t mtime_nsec;
  uint32_t major;
  uint32_t minor;
  uint32_t chunk;
  uint32_t chunk_offset;
  uint32_t chunk_bytes;
  uint32_t reserved;
  double size;
  double atime_sec;
  double mtime_sec;
};

struct chunk {
  const uint8_t *bytes;
  size_t length;
};

struct layer {
  int directories[DIRECTORY_SLOTS];
  int file;
  bool busy;
  atomic_bool cancelled;
  /* xattrs that are neither removed nor set, NUL-terminated names one after the other */
  char *kept_xattrs;
  size_t kept_xattr_bytes;
};

struct program {
  const uint8_t *bytes;
  size_t length;
  const struct chunk *chunks;
  uint32_t chunk_count;
  /* results: where it stopped, why, and in which call; how many xattrs the filesystem does not support */
  size_t offset;
  int error;
  const char *syscall_name;
  uint32_t unsupported_xattrs;
};

void layer_run(struct layer *layer, struct program *program);

#endif
