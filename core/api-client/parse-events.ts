/** One event of a stream of server-sent events (HTML standard, 9.2.6). */
export interface ServerSentEvent {
  readonly type: string;
  readonly data: string;
}

/** Longest event, characters: a server of ours sends some hundred. */
const longestEvent = 1024 * 1024;

/**
 * Reads `text/event-stream` from pieces that are cut anywhere. Comments and fields without a meaning here (`id`, `retry`)
 * are left out; an event without data is none.
 * @throws RangeError when an event does not end.
 */
export async function* parseEvents(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  let type = '';
  let data: string[] = [];
  for await (const piece of pieces) {
    rest += decoder.decode(piece, { stream: true });
    const lines = splitLines(rest);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { type: type === '' ? 'message' : type, data: data.join('\n') };
        type = '';
        data = [];
        continue;
      }
      const [field, value] = splitField(line);
      if (field === 'event') type = value;
      if (field === 'data') data.push(value);
    }
    const held = rest.length + data.reduce((sum, line) => sum + line.length, 0);
    if (held > longestEvent) throw new RangeError(`an event of the server is longer than ${longestEvent} characters`);
  }
}

// A CR at the very end may be the first half of a CR LF: it stays with the rest.
function splitLines(text: string): string[] {
  const isOpen = text.endsWith('\r');
  const lines = (isOpen ? text.slice(0, -1) : text).split(/\r\n|\n|\r/);
  if (isOpen) lines.push(`${lines.pop() ?? ''}\r`);
  return lines;
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon === -1) return [line, ''];
  const value = line.slice(colon + 1);
  return [line.slice(0, colon), value.startsWith(' ') ? value.slice(1) : value];
}
