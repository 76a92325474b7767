import { randomBytes, randomUUID } from 'node:crypto';

/** What makes a machine the same one when it is started again. */
export interface GuestIdentity {
  readonly smbiosUuid: string;
  readonly serial: string;
  readonly boardSerial: string;
  /** One for each card. */
  readonly macs: readonly string[];
}

/** A machine that never was. */
export function newIdentity(cards = 1): GuestIdentity {
  const number = randomBytes(4).toString('hex').toUpperCase();
  return {
    smbiosUuid: randomUUID(),
    serial: `SN${number}`,
    boardSerial: `BN${number}`,
    macs: Array.from({ length: cards }, () =>
      ['52', '54', '00', ...(randomBytes(3).toString('hex').match(/../g) ?? [])].join(':'),
    ),
  };
}
