import type { EmulationFlags } from './emulation-flags.ts';
import type { EmulationServer } from './emulation-server.ts';
import { shellWord } from './shell-word.ts';

export interface Situation {
  readonly flags: EmulationFlags;
  readonly server: EmulationServer | null;
  /** As this shell would call it. */
  readonly binary: string;
  readonly consoleLog: string;
  readonly isTerminal: boolean;
}

/** What a person does next in another terminal, as lines that can be pasted. */
export function nextSteps({ flags, server, binary, consoleLog, isTerminal }: Situation): string[] {
  const { view } = flags;
  const isSerialHere = view === 'serial';
  return [
    ...(server === null ? noServer : operatorSteps(flags, server, shellWord(binary))),
    '',
    ...(typeof view === 'object' ? [`Screen: VNC, 127.0.0.1:${5900 + view.vnc}`] : []),
    ...(isSerialHere ? [] : [`Serial console: tail -f ${shellWord(consoleLog)}`]),
    isSerialHere && isTerminal ? 'The serial console follows; ^C ends everything.' : '^C ends everything.',
    '',
  ];
}

const noServer = ['There is no server: the installer asks which one it belongs to.'];

function operatorSteps(flags: EmulationFlags, { url, environment }: EmulationServer, program: string): string[] {
  const exports = Object.entries(environment ?? {}).filter(([, value]) => value !== '');
  const server = `${program} server`;
  return [
    `The machine is to belong to ${url}. In another terminal:`,
    '',
    ...(exports.length === 0
      ? []
      : [`  export ${exports.map(([name, value]) => `${name}=${shellWord(value)}`).join(' ')}`]),
    `  ${server} machines list --watch`,
    ...(flags.way === 'token' && flags.media !== 'tftp'
      ? []
      : [`  ${server} approve CODE                     # as the machine shows it`]),
    `  ${server} images add NAME REFERENCE --default`,
    `  ${server} provision MACHINE                # its name or UUID; erases its disk`,
  ];
}
