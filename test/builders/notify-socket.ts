import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { type Resources, waitFor } from '../resources.ts';

/** What systemd does with its end of NOTIFY_SOCKET: takes datagrams, and the kernel's word on who sent them. */
const receiver = `
import json, socket, struct, sys, time
address = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
receiver.bind('\\0' + address[1:] if address.startswith('@') else address)
print('bound', flush=True)
while True:
    data, ancillary, _, _ = receiver.recvmsg(65536, socket.CMSG_SPACE(12))
    pid, _, _ = struct.unpack('iii', ancillary[0][2])
    print(json.dumps({'pid': pid, 'atMs': time.monotonic() * 1000, 'text': data.decode()}), flush=True)
`;

export interface NotifyMessage {
  readonly pid: number;
  readonly atMs: number;
  /** Assignments, one on each line. */
  readonly text: string;
}

/** A NOTIFY_SOCKET with a real receiver behind it, in a process of its own. */
export interface NotifySocket {
  readonly address: string;
  readonly messages: readonly NotifyMessage[];
  readonly receiver: ChildProcess;
  /** Waits for a message that has this assignment, or one that begins so. */
  message(assignment: string | RegExp, timeoutMs?: number): Promise<NotifyMessage>;
}

/** @param address Default: a path of its own. */
export async function startNotifySocket(resources: Resources, address?: string): Promise<NotifySocket> {
  const bound = address ?? join(resources.tempDir(), 'notify');
  const child = resources.spawn('/usr/bin/python3', ['-I', '-c', receiver, bound], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const messages: NotifyMessage[] = [];
  let isBound = false;
  let rest = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === 'bound') isBound = true;
      else messages.push(JSON.parse(line) as NotifyMessage);
    }
  });
  await waitFor('the notify socket', () => isBound);
  const message = async (assignment: string | RegExp, timeoutMs = 10_000): Promise<NotifyMessage> => {
    const isIt = ({ text }: NotifyMessage): boolean =>
      text.split('\n').some((line) => (typeof assignment === 'string' ? line === assignment : assignment.test(line)));
    return await waitFor(`a message with ${assignment}`, () => messages.find(isIt), { timeoutMs });
  };
  return { address: bound, messages, receiver: child, message };
}
