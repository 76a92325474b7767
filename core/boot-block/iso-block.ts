import { crc32 } from 'node:zlib';
import { type IsoSettings, isoSettingsSchema } from '../../protocol/iso-settings.ts';
import { ProvisionError } from '../base/errors.ts';

/** Size of the file in the ISO, which never changes. */
export const isoBlockBytes = 4096;

/** Path of the file in the ISO. */
export const isoBlockPath = '/durantic/settings.bin';

/**
 * The first 16 bytes. Escapes, so that no program that carries this file carries the bytes; a transfer that changes line
 * ends or strips the eighth bit destroys it, as with PNG.
 */
export const isoBlockMagic = Buffer.from('\x89DURANTICISO\r\n\x1a\n', 'latin1');

const version = 1;
const offsets = { version: 16, payloadBytes: 20, crc: 24, payload: 32 } as const;

/** Room for the settings as JSON, bytes. */
export const isoBlockPayloadBytes = isoBlockBytes - offsets.payload;

/**
 * The fixed file of an installer ISO: magic (16 bytes), version, length of the payload, CRC-32, 4 bytes zero (32 bits
 * each, little-endian), the settings as JSON in UTF-8, zeros. The CRC is that of the whole block with zeros in its place.
 * Builder, server and `/init` use this one.
 * @throws ProvisionError `iso_block_invalid` when the settings are too long.
 */
export function encodeIsoBlock(settings: IsoSettings): Buffer {
  const payload = Buffer.from(JSON.stringify(isoSettingsSchema.parse(settings)), 'utf8');
  if (payload.byteLength > isoBlockPayloadBytes) {
    throw invalid(`the settings are longer than the ${isoBlockPayloadBytes} bytes that an installer ISO has for them`);
  }
  const block = Buffer.alloc(isoBlockBytes);
  isoBlockMagic.copy(block);
  block.writeUInt32LE(version, offsets.version);
  block.writeUInt32LE(payload.byteLength, offsets.payloadBytes);
  payload.copy(block, offsets.payload);
  block.writeUInt32LE(crc32(block), offsets.crc);
  return block;
}

/**
 * The settings in a block.
 * @throws ProvisionError `iso_block_invalid` saying what is wrong; never a part of its contents.
 */
export function decodeIsoBlock(bytes: Uint8Array): IsoSettings {
  const block = Buffer.from(bytes);
  if (block.byteLength !== isoBlockBytes || !block.subarray(0, isoBlockMagic.byteLength).equals(isoBlockMagic)) {
    throw invalid('there is no block with settings here');
  }
  const crc = block.readUInt32LE(offsets.crc);
  block.writeUInt32LE(0, offsets.crc);
  if (crc32(block) !== crc) throw invalid('the block with settings is damaged: its CRC is another');
  const found = block.readUInt32LE(offsets.version);
  if (found !== version) throw invalid(`the block with settings has version ${found}, known is ${version}`);
  const payloadBytes = block.readUInt32LE(offsets.payloadBytes);
  if (payloadBytes > isoBlockPayloadBytes) throw invalid('the block with settings is damaged: its length cannot be');
  return parsePayload(block.toString('utf8', offsets.payload, offsets.payload + payloadBytes));
}

function parsePayload(text: string): IsoSettings {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // JSON.parse quotes the text, which may hold a token.
    throw invalid('the block with settings holds no JSON');
  }
  const settings = isoSettingsSchema.safeParse(value);
  if (settings.success) return settings.data;
  throw invalid(`the block with settings is not valid at ${settings.error.issues[0]?.path.join('.') ?? ''}`);
}

function invalid(message: string): ProvisionError {
  return new ProvisionError('iso_block_invalid', message);
}
