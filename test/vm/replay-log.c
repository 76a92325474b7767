/*
 * Replays a log of QEMU's blklogwrites (format: drivers/md/dm-log-writes.c of Linux) onto a block device or a file.
 *
 *   replay-log LOG TARGET POINTS    POINTS: ascending numbers of entries, one per line. At each: the device is
 *                                   flushed, its partition table read again, and "POINT PARTITIONS" printed.
 *   replay-log LOG TARGET FROM TO   applies the entries FROM to TO-1 and prints nothing.
 *
 * Static, so that it runs in any guest. Any failure ends it with status 1 and a reason.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x6a736677736872ULL
#define FLAG_FLUSH 1
#define FLAG_DISCARD 4
#define CHUNK (1 << 20)

struct superblock { uint64_t magic, version, entries; uint32_t sector_size; } __attribute__((packed));
struct entry { uint64_t sector, sectors, flags, data_len; } __attribute__((packed));

static int log_fd, target_fd, target_is_device;
static const char *target_name;
static uint64_t log_offset, sector_size;
static char buffer[CHUNK];

static void read_log(void *data, size_t length, uint64_t offset)
{
	for (size_t done = 0; done < length;) {
		ssize_t got = pread(log_fd, (char *)data + done, length - done, offset + done);
		if (got <= 0)
			err(1, "the log ends at byte %llu", (unsigned long long)(offset + done));
		done += got;
	}
}

static void write_target(const char *data, size_t length, uint64_t offset)
{
	for (size_t done = 0; done < length;) {
		ssize_t put = pwrite(target_fd, data + done, length - done, offset + done);
		if (put <= 0)
			err(1, "cannot write the target at byte %llu", (unsigned long long)(offset + done));
		done += put;
	}
}

static void discard_target(uint64_t offset, uint64_t length)
{
	uint64_t range[2] = { offset, length };
	int failed = target_is_device ? ioctl(target_fd, BLKDISCARD, range)
				      : fallocate(target_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
	if (failed)
		err(1, "cannot discard %llu bytes at %llu", (unsigned long long)length, (unsigned long long)offset);
}

/* Applies the entry at log_offset and moves on; with `apply` 0 it only moves on. */
static void next_entry(int apply)
{
	struct entry entry;
	read_log(&entry, sizeof entry, log_offset);
	uint64_t flags = le64toh(entry.flags), offset = le64toh(entry.sector) * sector_size;
	uint64_t length = le64toh(entry.sectors) * sector_size;
	if (flags & ~15ULL)
		errx(1, "the log has no entry at byte %llu", (unsigned long long)log_offset);
	log_offset += sector_size;
	if (flags & FLAG_DISCARD) {
		if (apply && length > 0)
			discard_target(offset, length);
		return;
	}
	for (uint64_t done = 0; apply && done < length;) {
		size_t part = length - done < CHUNK ? length - done : CHUNK;
		read_log(buffer, part, log_offset + done);
		write_target(buffer, part, offset + done);
		done += part;
	}
	log_offset += length;
}

static int count_partitions(void)
{
	const char *name = strrchr(target_name, '/');
	char path[512];
	int count = 0;
	snprintf(path, sizeof path, "/sys/class/block/%s", name ? name + 1 : target_name);
	DIR *dir = opendir(path);
	if (!dir)
		err(1, "cannot open %s", path);
	for (struct dirent *item; (item = readdir(dir));) {
		char probe[1024];
		snprintf(probe, sizeof probe, "%s/%s/partition", path, item->d_name);
		count += access(probe, F_OK) == 0;
	}
	closedir(dir);
	return count;
}

static void look(uint64_t point)
{
	if (fsync(target_fd))
		err(1, "cannot flush the target");
	/* Drops the page cache of the device, so that the kernel reads the table from the medium. */
	if (ioctl(target_fd, BLKFLSBUF, 0))
		err(1, "BLKFLSBUF");
	if (ioctl(target_fd, BLKRRPART, 0))
		err(1, "BLKRRPART at point %llu", (unsigned long long)point);
	printf("%llu %d\n", (unsigned long long)point, count_partitions());
	fflush(stdout);
}

static uint64_t open_all(const char *log, const char *target)
{
	struct superblock super;
	struct stat status;
	target_name = target;
	if ((log_fd = open(log, O_RDONLY | O_CLOEXEC)) < 0)
		err(1, "%s", log);
	if ((target_fd = open(target, O_RDWR | O_CLOEXEC)) < 0 || fstat(target_fd, &status))
		err(1, "%s", target);
	target_is_device = S_ISBLK(status.st_mode);
	read_log(&super, sizeof super, 0);
	if (le64toh(super.magic) != MAGIC || le64toh(super.version) != 1)
		errx(1, "%s is no log of writes", log);
	sector_size = le32toh(super.sector_size);
	log_offset = sector_size;
	return le64toh(super.entries);
}

int main(int argc, char **argv)
{
	if (argc != 4 && argc != 5)
		errx(1, "usage: replay-log LOG TARGET POINTS | LOG TARGET FROM TO");
	uint64_t entries = open_all(argv[1], argv[2]), position = 0;
	if (argc == 5) {
		uint64_t from = strtoull(argv[3], NULL, 10), to = strtoull(argv[4], NULL, 10);
		if (to > entries)
			errx(1, "the log has only %llu entries", (unsigned long long)entries);
		for (; position < to; position++)
			next_entry(position >= from);
		if (fsync(target_fd))
			err(1, "cannot flush the target");
		return 0;
	}
	FILE *points = fopen(argv[3], "r");
	if (!points)
		err(1, "%s", argv[3]);
	for (unsigned long long point; fscanf(points, "%llu", &point) == 1;) {
		if (point < position || point > entries)
			errx(1, "point %llu is not between %llu and %llu", point, (unsigned long long)position,
			     (unsigned long long)entries);
		for (; position < point; position++)
			next_entry(1);
		look(point);
	}
	return 0;
}
