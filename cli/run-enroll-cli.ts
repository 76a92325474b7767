import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type EnrollEvent, enrollMachine } from '../agent/identity/enroll-machine.ts';
import { setSystemClock } from '../agent/identity/set-clock.ts';
import { describeError } from '../core/base/describe-error.ts';
import { ProvisionError } from '../core/base/errors.ts';
import { parsePin } from '../core/pinned-ca/pin.ts';
import { abortOnSignals } from './abort-on-signals.ts';

export interface EnrollCliOptions {
  readonly server: string;
  readonly pin: string | null;
  readonly caFile: string | null;
  /** `-` is standard input. */
  readonly tokenFile: string | null;
  readonly approval: boolean;
  readonly plainHttp: boolean;
  readonly force: boolean;
  readonly setClock: boolean;
  readonly configFile: string;
  readonly stateDir: string;
}

/** Connects an enrolment to a terminal: token, messages, signals. The machine's UUID goes to stdout, the rest to stderr. */
export async function runEnrollCli(options: EnrollCliOptions): Promise<void> {
  const signal = abortOnSignals();
  const server = serverOrigin(options.server);
  const token = options.approval ? null : await readToken(options.tokenFile);
  const machineUuid = await enrollMachine({
    server,
    ...(options.pin === null ? {} : { pin: parsePin(options.pin) }),
    ...(options.caFile === null ? {} : { ca: await readInput(options.caFile, 'the CA file') }),
    plainHttp: options.plainHttp,
    token,
    configFile: options.configFile,
    identityFile: join(options.stateDir, 'identity.json'),
    force: options.force,
    setClock: options.setClock ? setSystemClock : null,
    onEvent: (event) => process.stderr.write(`${describeEvent(event)}\n`),
    signal,
  });
  process.stderr.write(`enrolled at ${server}\n`);
  process.stdout.write(`${machineUuid}\n`);
}

function serverOrigin(value: string): string {
  const url = URL.parse(value);
  const isOrigin = url !== null && url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '';
  if (!isOrigin || !['https:', 'http:'].includes(url.protocol)) {
    throw new ProvisionError(
      'usage',
      '--server must be scheme, host and port only, such as https://durantic.example:8443',
    );
  }
  return url.origin;
}

/** Never from the command line, which every process of the machine can read. */
async function readToken(tokenFile: string | null): Promise<string> {
  const fromEnvironment = process.env['DURANTIC_TOKEN'];
  // Programs that are started from here need not know it.
  delete process.env['DURANTIC_TOKEN'];
  const given = tokenFile === null ? fromEnvironment : await readInput(tokenFile, 'the token file');
  const token = given?.trim() ?? '';
  if (token === '') {
    throw new ProvisionError('usage', 'there is no token: set DURANTIC_TOKEN or give --token-file, or take --approval');
  }
  return token;
}

async function readInput(path: string, what: string): Promise<string> {
  try {
    return path === '-' ? await text(process.stdin) : await readFile(path, 'utf8');
  } catch (cause) {
    throw new ProvisionError('usage', `${what} ${path} cannot be read`, { cause });
  }
}

function describeEvent(event: EnrollEvent): string {
  switch (event.kind) {
    case 'code': {
      const renewed = event.isRenewal
        ? 'the code has expired; the new one is'
        : 'approve this machine on the server with the code';
      return `${renewed} ${event.code}`;
    }
    case 'unreachable':
      return `${describeError(event.error)}; trying again`;
    case 'reachable':
      return 'the server answers again';
    case 'approved':
      return 'approved';
    case 'retrying':
      return `${describeError(event.error)}; trying again in ${Math.ceil(event.delayMs / 1000)} s`;
    case 'clock_set':
      return `the clock was set from ${event.from.toISOString()} to ${event.to.toISOString()}`;
  }
}
