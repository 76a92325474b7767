import { buildInfo } from '../../core/base/build-info.ts';
import type { RunningServer } from './start-server.ts';

/** What the person who started the server reads: how to reach it, how to trust it, the first token, what to do next. */
export function describeStart(server: RunningServer, { dataDir }: { dataDir: string }): string {
  const { context, adminToken } = server;
  const [url = '', ...others] = context.publicUrls;
  const lines = [
    `durantic server ${buildInfo().version} is ready`,
    '',
    `  address      ${url}`,
    ...others.map((each) => `               ${each}`),
    ...(context.httpBootUrl === null ? [] : [`  HTTP boot    ${context.httpBootUrl}`]),
    context.pin === null ? `  pin          none${withoutPin(url)}` : `  pin          ${context.pin}`,
    ...(adminToken === null ? [] : [`  API token    ${adminToken}`, '               (shown this once; keep it)']),
    '',
    ...(adminToken === null ? laterStart(dataDir) : firstSteps(url, adminToken, context.pin)),
  ];
  return `${lines.join('\n')}\n`;
}

function withoutPin(url: string): string {
  return url.startsWith('http:') ? ': plain HTTP' : ': machines use the CAs of their system';
}

function laterStart(dataDir: string): string[] {
  return ['Another API token:', `  durantic server api-token create --data-dir ${shellWord(dataDir)}`];
}

/** The commands of an operator, for the shell that he has open. */
function firstSteps(url: string, token: string, pin: string | null): string[] {
  return [
    'Next, in another terminal, make a token with which machines enrol:',
    `  export DURANTIC_ENDPOINT=${url} DURANTIC_API_TOKEN=${token}${pin === null ? '' : ` DURANTIC_PIN=${pin}`}`,
    '  durantic server token create',
  ];
}

function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
