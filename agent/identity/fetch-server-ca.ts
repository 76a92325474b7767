import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { ProvisionError } from '../../core/base/errors.ts';
import { pinnedCertificate } from '../../core/pinned-ca/pinned-certificate.ts';
import { caReplySchema } from '../../protocol/enrolment.ts';
import { askServer, dispatcherOver } from '../link/ask-server.ts';
import { dialServer } from '../link/dial.ts';
import type { DialVia } from '../link/dial-via.ts';

/** Sets the machine's clock; null where that is not the agent's business. */
export type SetClock = ((time: Date, signal: AbortSignal) => Promise<void>) | null;

export interface FetchServerCaOptions {
  readonly server: URL;
  /** `sha256:…` of the CA's SubjectPublicKeyInfo. */
  readonly pin: string;
  readonly proxy: URL | null;
  readonly setClock: SetClock;
  readonly onClockSet?: (from: Date, to: Date) => void;
  readonly timeoutMs: number;
  /** The only way out to use; see `dialServer`. */
  readonly via?: DialVia;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970, injectable. */
  readonly now?: () => number;
}

/**
 * The server's CA by its pin (protocol.md, "Server identity"): one request over an unverified connection that carries no
 * secret. The certificate is believed when its key hashes to the pin, and then its validity and that of the server's own
 * certificate, which it signed; `server_time` is taken for the clock only when the clock cannot be right and it can.
 * Gives the one certificate as PEM.
 * @throws ProvisionError `server_pin_mismatch`, `clock_wrong`, `server_unreachable`, `server_error`,
 * `server_answer_invalid`, `server_rate_limited`, `aborted`.
 */
export async function fetchServerCa(options: FetchServerCaOptions): Promise<string> {
  const { server, timeoutMs, signal } = options;
  let leaf: X509Certificate | null = null;
  const dispatcher = dispatcherOver(async () => {
    const socket = await dialServer({ ...options, trust: { kind: 'none' } });
    leaf = peerCertificate(socket);
    return socket;
  });
  try {
    const url = new URL('/api/agent/ca', server);
    const reply = await askServer(dispatcher, url, { method: 'GET', schema: caReplySchema, timeoutMs, signal });
    const ca = pinnedCertificate(reply.certificate, options.pin, server.host);
    await correctClock(signedBy(leaf, ca) ? [ca, leaf] : [ca], new Date(reply.server_time), options);
    return ca.toString();
  } finally {
    await dispatcher.destroy();
  }
}

async function correctClock(
  certificates: readonly X509Certificate[],
  serverTime: Date,
  options: FetchServerCaOptions,
): Promise<void> {
  const localTime = new Date((options.now ?? Date.now)());
  if (areValidAt(certificates, localTime)) return;
  const { host } = options.server;
  const facts = { host, local_time: localTime.toISOString(), server_time: serverTime.toISOString() };
  if (!areValidAt(certificates, serverTime)) {
    const message = `the certificate of the server ${host} is valid neither at this machine's time (${facts.local_time}) nor at the server's own (${facts.server_time})`;
    throw new ProvisionError('clock_wrong', message, { facts });
  }
  if (options.setClock === null) {
    const message = `the clock of this machine shows ${facts.local_time}, when the certificate of the server ${host} is not valid; the server's clock shows ${facts.server_time}`;
    throw new ProvisionError('clock_wrong', message, { facts });
  }
  await options.setClock(serverTime, options.signal);
  options.onClockSet?.(localTime, serverTime);
}

function areValidAt(certificates: readonly X509Certificate[], time: Date): boolean {
  return certificates.every(({ validFromDate, validToDate }) => validFromDate <= time && time <= validToDate);
}

function signedBy(leaf: X509Certificate | null, ca: X509Certificate): leaf is X509Certificate {
  return leaf?.verify(ca.publicKey) === true;
}

function peerCertificate(socket: Socket): X509Certificate | null {
  return socket instanceof TLSSocket ? (socket.getPeerX509Certificate() ?? null) : null;
}
