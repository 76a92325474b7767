/** Literal context bits, literal position bits, position bits: GRUB's i386-pc core is made with these (util/mkimage.c). */
const lc = 3;
const lpMask = 0;
const posMask = 3;

const isMatchAt = 0;
const isRepAt = 192;
const isRepG0At = 204;
const isRepG1At = 216;
const isRepG2At = 228;
const isRep0LongAt = 240;
const posSlotAt = 432;
const specPosAt = 688;
const alignAt = 802;
const lenCoderAt = 818;
const repLenCoderAt = 1332;
const literalAt = 1846;

/**
 * Decodes a bare LZMA1 stream (no header, `lc=3 lp=0 pb=2`, no end mark needed) of a known size, after the LZMA
 * specification in the LZMA SDK. Gives null when the bytes are no such stream: the caller tries several offsets.
 */
export function decodeLzma(input: Uint8Array, outputBytes: number): Buffer | null {
  if (input[0] !== 0) return null;
  return new Decoder(input, outputBytes).run();
}

class Decoder {
  readonly #input: Uint8Array;
  readonly #output: Buffer;
  readonly #probs: Uint16Array;
  #at = 5;
  #range = 0xffffffff;
  #code = 0;
  #length = 0;
  #isCorrupt = false;
  #state = 0;
  readonly #reps = [1, 1, 1, 1];

  constructor(input: Uint8Array, outputBytes: number) {
    this.#input = input;
    this.#output = Buffer.alloc(outputBytes);
    this.#probs = new Uint16Array(literalAt + (0x300 << lc)).fill(1024);
    for (let index = 1; index < 5; index += 1) this.#code = ((this.#code << 8) | (input[index] ?? 0)) >>> 0;
  }

  run(): Buffer | null {
    while (this.#length < this.#output.byteLength) {
      const posState = this.#length & posMask;
      if (this.#bit(isMatchAt + (this.#state << 4) + posState) === 0) this.#literal();
      else if (!this.#match(posState)) return null;
      if (this.#isCorrupt) return null;
    }
    return this.#output;
  }

  #bit(index: number): number {
    if (this.#range < 0x1000000) {
      if (this.#at >= this.#input.byteLength) this.#isCorrupt = true;
      this.#range = (this.#range << 8) >>> 0;
      this.#code = ((this.#code << 8) | (this.#input[this.#at] ?? 0)) >>> 0;
      this.#at += 1;
    }
    const prob = this.#probs[index] ?? 1024;
    const bound = (this.#range >>> 11) * prob;
    if (this.#code < bound) {
      this.#range = bound;
      this.#probs[index] = prob + ((2048 - prob) >>> 5);
      return 0;
    }
    this.#range -= bound;
    this.#code -= bound;
    this.#probs[index] = prob - (prob >>> 5);
    return 1;
  }

  #directBits(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index += 1) {
      if (this.#range < 0x1000000) {
        if (this.#at >= this.#input.byteLength) this.#isCorrupt = true;
        this.#range = (this.#range << 8) >>> 0;
        this.#code = ((this.#code << 8) | (this.#input[this.#at] ?? 0)) >>> 0;
        this.#at += 1;
      }
      this.#range >>>= 1;
      const isOne = this.#code >= this.#range;
      if (isOne) this.#code -= this.#range;
      value = value * 2 + (isOne ? 1 : 0);
    }
    return value;
  }

  #tree(base: number, bits: number): number {
    let node = 1;
    for (let index = 0; index < bits; index += 1) node = (node << 1) | this.#bit(base + node);
    return node - (1 << bits);
  }

  #reverseTree(base: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let index = 0; index < bits; index += 1) {
      const bit = this.#bit(base + node);
      node = (node << 1) | bit;
      value |= bit << index;
    }
    return value;
  }

  #literal(): void {
    const previous = this.#output[this.#length - 1] ?? 0;
    const context = ((this.#length & lpMask) << lc) + (previous >>> (8 - lc));
    const base = literalAt + 0x300 * context;
    let symbol = 1;
    if (this.#state >= 7) {
      let matchByte = this.#output[this.#length - (this.#reps[0] ?? 1)] ?? 0;
      while (symbol < 0x100) {
        const matchBit = (matchByte >>> 7) & 1;
        matchByte <<= 1;
        const bit = this.#bit(base + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(base + symbol);
    this.#output[this.#length] = symbol & 0xff;
    this.#length += 1;
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #match(posState: number): boolean {
    let length: number;
    if (this.#bit(isRepAt + this.#state) === 0) {
      this.#reps.pop();
      length = this.#lengthOf(lenCoderAt, posState);
      this.#state = this.#state < 7 ? 7 : 10;
      this.#reps.unshift(this.#distance(length) + 1);
    } else {
      if (this.#length === 0) return false;
      if (this.#repeat(posState)) return this.#copy(1);
      length = this.#lengthOf(repLenCoderAt, posState);
      this.#state = this.#state < 7 ? 8 : 11;
    }
    return this.#copy(length + 2);
  }

  /** Chooses which earlier distance is used again; true for a short repeat of one byte. */
  #repeat(posState: number): boolean {
    if (this.#bit(isRepG0At + this.#state) === 0) {
      if (this.#bit(isRep0LongAt + (this.#state << 4) + posState) !== 0) return false;
      this.#state = this.#state < 7 ? 9 : 11;
      return true;
    }
    const which = this.#bit(isRepG1At + this.#state) === 0 ? 1 : 2 + this.#bit(isRepG2At + this.#state);
    const [distance = 1] = this.#reps.splice(which, 1);
    this.#reps.unshift(distance);
    return false;
  }

  #lengthOf(base: number, posState: number): number {
    if (this.#bit(base) === 0) return this.#tree(base + 2 + (posState << 3), 3);
    if (this.#bit(base + 1) === 0) return 8 + this.#tree(base + 130 + (posState << 3), 3);
    return 16 + this.#tree(base + 258, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(posSlotAt + (Math.min(length, 3) << 6), 6);
    if (slot < 4) return slot;
    const bits = (slot >>> 1) - 1;
    const high = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return high + this.#reverseTree(specPosAt + high - slot - 1, bits);
    return high + this.#directBits(bits - 4) * 16 + this.#reverseTree(alignAt, 4);
  }

  #copy(count: number): boolean {
    const distance = this.#reps[0] ?? 1;
    if (distance > this.#length) return false;
    const end = Math.min(this.#length + count, this.#output.byteLength);
    for (; this.#length < end; this.#length += 1) {
      this.#output[this.#length] = this.#output[this.#length - distance] ?? 0;
    }
    return true;
  }
}
