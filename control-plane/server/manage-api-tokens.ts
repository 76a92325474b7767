import { ProvisionError } from '../../core/base/errors.ts';
import { type Column, renderTable } from '../../core/operator/table.ts';
import { shortTime } from '../../core/operator/time-ago.ts';
import type { ApiToken } from '../../protocol/api/api-tokens.ts';
import { createApiToken, listApiTokens, revokeApiToken } from '../enrolment/api-tokens.ts';
import { openServerDatabase } from './open-server-database.ts';

/** Makes an API token in the database of a server, which may be running. @throws ProvisionError */
export function createTokenOffline(dataDir: string, name: string): { uuid: string; token: string } {
  using opened = openServerDatabase(dataDir);
  return createApiToken(opened.db, { accountUuid: opened.accountUuid, name, nowMs: Date.now() });
}

/** @throws ProvisionError */
export function listTokensOffline(dataDir: string): ApiToken[] {
  using opened = openServerDatabase(dataDir);
  return listApiTokens(opened.db, opened.accountUuid);
}

/** From the server's next request on the token is worth nothing. @throws ProvisionError `usage` for an unknown one. */
export function revokeTokenOffline(dataDir: string, uuid: string): void {
  using opened = openServerDatabase(dataDir);
  if (!revokeApiToken(opened.db, opened.accountUuid, uuid)) {
    throw new ProvisionError('usage', `there is no API token ${uuid}; "api-token list" shows what there is`);
  }
}

/** A table for a person. */
export function describeApiTokens(tokens: readonly ApiToken[]): string {
  const columns: readonly Column<ApiToken>[] = [
    { title: 'UUID', value: ({ uuid }) => uuid },
    { title: 'TOKEN', value: ({ hint }) => `dur_…${hint}` },
    { title: 'CREATED', value: ({ created_at }) => shortTime(created_at) },
    { title: 'LAST USED', value: ({ last_used_at }) => shortTime(last_used_at) },
    { title: 'NAME', value: ({ name }) => name },
  ];
  return renderTable(columns, tokens, null)
    .map((line) => `${line}\n`)
    .join('');
}
