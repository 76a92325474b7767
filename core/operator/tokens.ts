import { z } from 'zod';
import { accountSchema } from '../../protocol/api/account.ts';
import {
  type BootstrapKeyInfo,
  type BootstrapLifetime,
  bootstrapKeySchema,
  bootstrapTokenSchema,
} from '../../protocol/api/bootstrap.ts';
import { ProvisionError } from '../base/errors.ts';
import { accountPath } from './images.ts';
import type { Operator } from './operator.ts';
import { printJson, printLines, printTable } from './output.ts';
import type { Column } from './table.ts';
import { shortTime } from './time-ago.ts';

const tokensPath = '/api/provisioning/bootstrap-tokens/';
const keysPath = '/api/provisioning/bootstrap-keys/';

/** Makes a bootstrap token and prints what is done with it. */
export async function createToken(
  { api, output }: Operator,
  options: { readonly lifetime: BootstrapLifetime; readonly name: string | undefined },
): Promise<void> {
  const token = await api.post(tokensPath, options, bootstrapTokenSchema);
  if (output.json) return printJson(output, token);
  printLines(output, [
    `Any number of machines can enrol with this token until ${shortTime(token.expires_at)} UTC (key ${token.kid}).`,
    '',
    'On a machine that runs already, as root:',
    '',
    `  ${token.install_command}`,
    '',
    "On the installer's kernel command line (PXE, iPXE):",
    '',
    `  ${token.kernel_parameters}`,
  ]);
}

export async function listTokenKeys({ api, output }: Operator): Promise<void> {
  const keys = await api.get(keysPath, z.array(bootstrapKeySchema));
  if (output.json) return printJson(output, keys);
  const columns: Column<BootstrapKeyInfo>[] = [
    { title: 'KID', value: ({ kid }) => kid },
    { title: 'MADE (UTC)', value: (key) => shortTime(key.created_at) },
    { title: 'MAKES TOKENS', value: (key) => (key.is_issuing ? 'yes' : 'no') },
  ];
  printTable(output, { columns, rows: keys, empty: 'There is no key.' });
}

/** A new key; tokens under the others stay valid. */
export async function rotateTokenKey({ api, output }: Operator): Promise<void> {
  const key = await api.post(keysPath, {}, bootstrapKeySchema);
  if (output.json) return printJson(output, key);
  printLines(output, [
    `New tokens are made with the key ${key.kid} from now on.`,
    'Tokens under the other keys stay valid; "durantic server token retire KID" revokes all of one key.',
  ]);
}

/** Revokes every token that was made with the key. */
export async function retireTokenKey({ api, output }: Operator, kid: string): Promise<void> {
  await api.delete(`${keysPath}${encodeURIComponent(kid)}`);
  if (output.json) return printJson(output, { kid, retired: true });
  printLines(output, [`Every bootstrap token under the key ${kid} is revoked. Enrolled machines are not affected.`]);
}

/** Revokes every token that was made before a time. @throws ProvisionError `usage` for what is no time. */
export async function revokeTokensBefore({ api, output, now }: Operator, text: string): Promise<void> {
  const time = parseTime(text, now());
  const account = await api.patch(accountPath, { tokens_valid_from: time }, accountSchema);
  if (output.json) return printJson(output, account);
  printLines(output, [
    `Every bootstrap token that was made before ${shortTime(account.tokens_valid_from)} UTC is revoked.`,
    'Enrolled machines are not affected.',
  ]);
}

/** `now`, a date (its first moment in UTC) or an RFC 3339 time, as RFC 3339 in UTC. */
function parseTime(text: string, nowMs: number): string {
  if (text === 'now') return new Date(nowMs).toISOString();
  const isTime = z.union([z.iso.date(), z.iso.datetime({ offset: true })]).safeParse(text).success;
  if (isTime) return new Date(text).toISOString();
  throw new ProvisionError('usage', `${text} is no time; write now, 2026-11-20 or 2026-11-20T12:00:00Z`);
}
