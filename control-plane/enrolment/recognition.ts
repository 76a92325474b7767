import type { MachineFacts } from '../../protocol/machine-facts.ts';

/** The facts by which a machine can be recognised; null and empty where the firmware tells nothing. */
export interface Recognition {
  readonly systemUuid: string | null;
  readonly boardSerial: string | null;
  readonly systemVendor: string | null;
  /** Permanent addresses, each once, sorted. */
  readonly macs: readonly string[];
}

/**
 * What of a machine's facts can tell it from others. Firmware that nobody filled in has placeholders that thousands of
 * boards share (DMTF DSP0134 demands nothing else): they count as nothing said.
 */
export function recognitionOf(facts: MachineFacts): Recognition {
  const { system_uuid: systemUuid, board_serial: boardSerial } = facts;
  return {
    systemUuid: systemUuid === null || isPlaceholderUuid(systemUuid) ? null : systemUuid.toLowerCase(),
    boardSerial: boardSerial === null || isPlaceholderSerial(boardSerial) ? null : boardSerial.trim(),
    systemVendor: facts.system_vendor,
    macs: [...new Set(facts.nics.map(({ mac }) => mac))].filter((mac) => !isPlaceholderMac(mac)).sort(),
  };
}

/**
 * Whether a never-installed machine and one with a new key are one (protocol.md, "Machine identity"): SMBIOS UUID, board
 * serial and the whole set of MACs are equal. A board without a serial of its own equals only another without; without
 * UUID or MACs there is nothing to go by. `findRekeyCandidate` asks the database the same.
 */
export function isSameHardware(one: Recognition, other: Recognition): boolean {
  return (
    one.systemUuid !== null &&
    one.systemUuid === other.systemUuid &&
    one.boardSerial === other.boardSerial &&
    one.macs.length > 0 &&
    one.macs.join() === other.macs.join()
  );
}

/** UUIDs that vendors ship on whole series of boards. */
const sharedUuids = new Set([
  '03000200-0400-0500-0006-000700080009',
  '00020003-0004-0005-0006-000700080009',
  '12345678-1234-5678-90ab-cddeefaabbcc',
  '78563412-3412-7856-90ab-cddeefaabbcc',
  '12345678-1234-1234-1234-123456789012',
  '00112233-4455-6677-8899-aabbccddeeff',
  '33221100-5544-7766-8899-aabbccddeeff',
  '01234567-89ab-cdef-0123-456789abcdef',
]);

/** All zero ("not present") and all F ("not set") are DSP0134's own, section 7.2.1; so is anything of two digits. */
function isPlaceholderUuid(uuid: string): boolean {
  const text = uuid.toLowerCase();
  return sharedUuids.has(text) || new Set(text.replaceAll('-', '')).size <= 2;
}

/** What stands in serial fields that nobody filled in, letters and digits only. */
const emptySerials = new Set([
  ...['none', 'na', 'null', 'nil', 'unknown', 'undefined', 'default', 'defaultstring', 'notspecified', 'unspecified'],
  ...['notavailable', 'notapplicable', 'notpresent', 'notprovided', 'notset', 'notsettable', 'notdefined', 'invalid'],
  ...['tobefilledbyoem', 'tobefilled', 'tobefilledbyoemoem', 'filledbyoem', 'oem', 'oemstring', 'tbd', 'empty'],
  ...['serial', 'serialnumber', 'serialno', 'systemserialnumber', 'systemserial', 'boardserialnumber', 'boardserial'],
  ...['baseboardserialnumber', 'mbserialnumber', 'chassisserialnumber', 'type2boardserialnumber', 'standard', 'error'],
]);

function isPlaceholderSerial(serial: string): boolean {
  const text = serial.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
  if (emptySerials.has(text) || new Set(text).size <= 1) return true;
  const digits = text.replace(/^(sys|sn|mb)/, '');
  return digits.length >= 5 && '01234567890123456789abcdef'.includes(digits);
}

/** All zero, all ones, and group addresses (IEEE 802, the lowest bit of the first byte) belong to no interface. */
function isPlaceholderMac(mac: string): boolean {
  return mac === '00:00:00:00:00:00' || (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1;
}
