import type { EntryMetadata, NodeType } from './plan-entry.ts';

/** Kinds and layout of the records: agent/native/layer-operations.h. */
const kinds = {
  directory: 1,
  directoryMeta: 2,
  directoryClose: 3,
  fileCreate: 4,
  fileWrite: 5,
  fileFinish: 6,
  symlink: 7,
  node: 8,
  link: 9,
} as const;
const fixedBytes = 88;
const flagTimes = 1;
const flagTruncate = 2;
const nodeTypeBits: Readonly<Record<NodeType, number>> = {
  fifo: 0o010000,
  'character-device': 0o020000,
  'block-device': 0o060000,
};
/** What a 64-bit time_t and ext4 take without overflow in the kernel's arithmetic; beyond it the kernel clamps. */
const farthestSec = 2 ** 40;

export interface Place {
  readonly slot: number;
  /** A single component, byte string. */
  readonly name: string;
}

export interface Times {
  readonly atime: { readonly sec: number; readonly nsec: number };
  readonly mtime: { readonly sec: number; readonly nsec: number };
}

interface Fields {
  readonly kind: number;
  readonly slot: number;
  readonly flags?: number;
  readonly other?: number;
  readonly name?: string;
  readonly target?: string;
  readonly metadata?: EntryMetadata;
  readonly times?: Times;
  /** With the type's bits for nodes. */
  readonly mode?: number;
  readonly major?: number;
  readonly minor?: number;
  readonly chunk?: { readonly index: number; readonly offset: number; readonly bytes: number };
  readonly sizeBytes?: number;
}

/** The records of one batch, written one after the other into one buffer. */
export class LayerProgram {
  #buffer = Buffer.allocUnsafe(64 * 1024);
  #length = 0;
  readonly chunks: Buffer[] = [];

  get lengthBytes(): number {
    return this.#length;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets all records and chunks; the buffer is kept. */
  clear(): void {
    this.#length = 0;
    this.chunks.length = 0;
  }

  directory(place: Place, slot: number, metadata: EntryMetadata): void {
    this.#add({ kind: kinds.directory, ...place, other: slot, metadata });
  }

  directoryMeta(slot: number, metadata: EntryMetadata): void {
    this.#add({ kind: kinds.directoryMeta, slot, metadata });
  }

  /** Without times the folder is only closed. */
  directoryClose(slot: number, times: Times | null): void {
    this.#add({ kind: kinds.directoryClose, slot, flags: times === null ? 0 : flagTimes, ...(times ? { times } : {}) });
  }

  fileCreate(place: Place, mode: number): void {
    this.#add({ kind: kinds.fileCreate, ...place, mode });
  }

  /** The bytes are not copied: their ArrayBuffer must not change until the program has run. */
  fileWrite(bytes: Buffer, offsetBytes: number): void {
    // Neighbouring files come from the same chunk, which is handed over once and whole.
    if (this.chunks.at(-1)?.buffer !== bytes.buffer) this.chunks.push(Buffer.from(bytes.buffer));
    const chunk = { index: this.chunks.length - 1, offset: bytes.byteOffset, bytes: bytes.length };
    this.#add({ kind: kinds.fileWrite, slot: 0, chunk, sizeBytes: offsetBytes });
  }

  /** `sizeBytes` is set where the file may end in a hole. */
  fileFinish(metadata: EntryMetadata, sizeBytes: number | null): void {
    const end = sizeBytes === null ? {} : { flags: flagTruncate, sizeBytes };
    this.#add({ kind: kinds.fileFinish, slot: 0, metadata, ...end });
  }

  symlink(place: Place, target: string, metadata: EntryMetadata): void {
    this.#add({ kind: kinds.symlink, ...place, target, metadata });
  }

  node(place: Place, node: { type: NodeType; major: number; minor: number }, metadata: EntryMetadata): void {
    const mode = nodeTypeBits[node.type] | metadata.mode;
    this.#add({ kind: kinds.node, ...place, metadata, mode, major: node.major, minor: node.minor });
  }

  link(place: Place, target: Place): void {
    this.#add({ kind: kinds.link, ...place, other: target.slot, target: target.name });
  }

  #add(fields: Fields): void {
    const name = fields.name ?? '';
    const target = fields.target ?? '';
    const xattrs = fields.metadata?.xattrs ?? [];
    const xattrBytes = xattrs.reduce((sum, xattr) => sum + 8 + xattr.name.length + 1 + xattr.value.length, 0);
    const recordBytes = (fixedBytes + name.length + 1 + target.length + 1 + xattrBytes + 7) & ~7;
    const start = this.#reserve(recordBytes);
    const buffer = this.#buffer;
    buffer.fill(0, start, start + recordBytes);
    buffer.writeUInt32LE(recordBytes, start);
    buffer[start + 4] = fields.kind;
    buffer[start + 5] = fields.flags ?? 0;
    buffer.writeUInt16LE(fields.slot, start + 6);
    buffer.writeUInt16LE(fields.other ?? 0, start + 8);
    buffer.writeUInt16LE(name.length, start + 10);
    buffer.writeUInt32LE(target.length, start + 12);
    buffer.writeUInt32LE(xattrBytes, start + 16);
    this.#writeNumbers(start, fields);
    let offset = start + fixedBytes;
    buffer.write(name, offset, 'latin1');
    offset += name.length + 1;
    buffer.write(target, offset, 'latin1');
    offset += target.length + 1;
    for (const xattr of xattrs) offset = this.#writeXattr(offset, xattr.name, xattr.value);
  }

  #writeNumbers(start: number, fields: Fields): void {
    const buffer = this.#buffer;
    const { metadata } = fields;
    const times = fields.times ?? metadata;
    buffer.writeUInt32LE(fields.mode ?? metadata?.mode ?? 0, start + 20);
    if (metadata) {
      buffer.writeUInt32LE(metadata.uid, start + 24);
      buffer.writeUInt32LE(metadata.gid, start + 28);
    }
    if (times) {
      buffer.writeUInt32LE(times.atime.nsec, start + 32);
      buffer.writeUInt32LE(times.mtime.nsec, start + 36);
      buffer.writeDoubleLE(clampSec(times.atime.sec), start + 72);
      buffer.writeDoubleLE(clampSec(times.mtime.sec), start + 80);
    }
    if (fields.major !== undefined) buffer.writeUInt32LE(fields.major >>> 0, start + 40);
    if (fields.minor !== undefined) buffer.writeUInt32LE(fields.minor >>> 0, start + 44);
    if (fields.chunk) {
      buffer.writeUInt32LE(fields.chunk.index, start + 48);
      buffer.writeUInt32LE(fields.chunk.offset, start + 52);
      buffer.writeUInt32LE(fields.chunk.bytes, start + 56);
    }
    if (fields.sizeBytes !== undefined) buffer.writeDoubleLE(fields.sizeBytes, start + 64);
  }

  #writeXattr(offset: number, name: string, value: Buffer): number {
    this.#buffer.writeUInt32LE(name.length + 1, offset);
    this.#buffer.writeUInt32LE(value.length, offset + 4);
    this.#buffer.write(name, offset + 8, 'latin1');
    value.copy(this.#buffer, offset + 8 + name.length + 1);
    return offset + 8 + name.length + 1 + value.length;
  }

  #reserve(bytes: number): number {
    const start = this.#length;
    this.#length += bytes;
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length));
      this.#buffer.copy(larger, 0, 0, start);
      this.#buffer = larger;
    }
    return start;
  }
}

/** Slot and name of the record at an offset, to act on the place where a program stopped. */
export function placeAt(program: Buffer, offset: number): Place {
  const nameBytes = program.readUInt16LE(offset + 10);
  const name = program.toString('latin1', offset + fixedBytes, offset + fixedBytes + nameBytes);
  return { slot: program.readUInt16LE(offset + 6), name };
}

function clampSec(sec: number): number {
  return Math.max(-farthestSec, Math.min(farthestSec, sec));
}
