import { type ServerFrame, type ServerFrameType, serverFrames } from '../../protocol/agent-frames.ts';

export type ParsedFrame =
  | { readonly kind: 'frame'; readonly frame: ServerFrame }
  /** Well-formed, but of a kind that this agent does not know, or with wrong fields: said and left. */
  | { readonly kind: 'unknown'; readonly type: string; readonly why: string }
  /** Not text, not JSON, not an object with a type: no server of ours speaks so. */
  | { readonly kind: 'malformed' };

/** Reads one message of the server. */
export function parseServerFrame(message: unknown): ParsedFrame {
  const value = parseJson(message);
  const type = typeof value === 'object' && value !== null && 'type' in value ? value.type : undefined;
  if (typeof type !== 'string') return { kind: 'malformed' };
  if (!isKnown(type)) return { kind: 'unknown', type: type.slice(0, 64), why: 'is of no known type' };
  const result = serverFrames[type].safeParse(value);
  if (result.success) return { kind: 'frame', frame: result.data };
  const field = result.error.issues[0]?.path.join('.') ?? '';
  return { kind: 'unknown', type, why: `has a wrong ${field === '' ? 'form' : field}` };
}

function isKnown(type: string): type is ServerFrameType {
  return Object.hasOwn(serverFrames, type);
}

function parseJson(message: unknown): unknown {
  if (!(message instanceof Buffer)) return undefined;
  try {
    return JSON.parse(message.toString('utf8'));
  } catch {
    return undefined;
  }
}
