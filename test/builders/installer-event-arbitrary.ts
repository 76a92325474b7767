import fc from 'fast-check';
import { errorCodes } from '../../core/base/error-codes.ts';
import type { InstallerEvent } from '../../installer/state/installer-events.ts';
import { stepIds } from '../../protocol/provision-event.ts';

const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    '',
    '\x1b[2J\x1b[31m',
    'long words '.repeat(60),
    'x'.repeat(400),
    'a\r\nb\tc',
    'Gr\u00f6\u00dfe \u2026 \u2192 \ud83d\ude00',
  ),
);
const maybeText = fc.option(text, { nil: null });
const timeMs = fc.integer({ min: -1e13, max: 1e13 });
const sizeBytes = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const uuid = fc.constantFrom('0193a2f0-5b1c-7cc0-9b1e-6f3a2d1c4b5a', '6f1e2d3c-4b5a-4978-8a6b-5c4d3e2f1a0b');
const linkName = fc.oneof(fc.constantFrom('eth0', 'eth1', 'enp175s0f1np1.4094'), text);
const code = fc.constantFrom(...(Object.keys(errorCodes) as (keyof typeof errorCodes)[]));

const link = fc.record({
  name: linkName,
  macAddress: text,
  driver: maybeText,
  isUsbGadget: fc.boolean(),
  isBootLink: fc.boolean(),
  isExcluded: fc.boolean(),
  stage: fc.constantFrom('unused', 'no_carrier', 'asking', 'probing', 'reached', 'failed'),
  speedMbps: fc.option(fc.integer({ min: 1, max: 800_000 }), { nil: null }),
  addresses: fc.array(text, { maxLength: 4 }),
  gateways: fc.array(text, { maxLength: 3 }),
  sinceMs: timeMs,
  detail: maybeText,
});

const provision = fc.record(
  {
    v: fc.constant(1 as const),
    seq: fc.integer({ min: 1, max: 30 }),
    time: fc.constant('2026-11-20T12:00:30.000Z'),
    provision_uuid: uuid,
    step: fc.option(fc.constantFrom(...stepIds), { nil: null }),
    state: fc.constantFrom('started', 'progress', 'succeeded', 'warning', 'skipped', 'failed', 'aborted'),
    percent: fc.double({ min: 0, max: 100, noNaN: true }),
    bytes_done: fc.option(sizeBytes, { nil: null }),
    bytes_total: fc.option(sizeBytes, { nil: null }),
    rate_bps: fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: null }),
    message: text,
    code: text,
    disk_state: fc.constantFrom('untouched', 'erased', 'partial', 'complete'),
  },
  {
    requiredKeys: [
      'v',
      'seq',
      'time',
      'provision_uuid',
      'step',
      'state',
      'percent',
      'bytes_done',
      'bytes_total',
      'rate_bps',
      'message',
    ],
  },
);

const kind = <const K extends InstallerEvent['kind']>(value: K) => fc.constant(value);

/** Any event, with any text in it. */
export const installerEvent: fc.Arbitrary<InstallerEvent> = fc.oneof(
  fc.record({
    kind: kind('started'),
    version: text,
    machine: fc.record({ vendor: maybeText, product: maybeText, serial: maybeText, smbiosUuid: maybeText }),
    memoryBytes: sizeBytes,
    parameterProblems: fc.array(text, { maxLength: 5 }),
    crash: maybeText,
  }),
  fc.record({
    kind: kind('disks'),
    disks: fc.array(fc.record({ path: text, sizeBytes, model: maybeText, serial: maybeText, refusal: maybeText }), {
      maxLength: 30,
    }),
  }),
  fc.record({ kind: kind('link'), link }),
  fc.record({ kind: kind('link_gone'), name: linkName }),
  fc.record({ kind: kind('working_link'), name: fc.option(linkName, { nil: null }) }),
  fc.record({ kind: kind('server'), server: maybeText, pin: maybeText }),
  fc.record({
    kind: kind('question'),
    question: fc.option(fc.record({ name: fc.constant('server' as const), prompt: text, problem: maybeText }), {
      nil: null,
    }),
  }),
  fc.record({ kind: kind('clock_set'), from: text, to: text }),
  fc.record({
    kind: kind('clock_set'),
    from: fc.constant('1970-01-01T00:00:00Z'),
    to: fc.constant('2026-11-20T12:00:00Z'),
  }),
  fc.record({ kind: kind('identity'), origin: fc.constantFrom('found', 'carried', 'made'), detail: maybeText }),
  fc.record({ kind: kind('enrolling'), way: fc.constantFrom('token', 'approval') }),
  fc.record({
    kind: kind('approval'),
    approval: fc.option(
      fc.record({
        code: fc.oneof(fc.constant('A3C-WXM'), text),
        expiresAt: fc.oneof(fc.constant('2026-11-20T12:15:00Z'), text),
      }),
      { nil: null },
    ),
  }),
  fc.record({ kind: kind('enrolled'), machineUuid: text }),
  fc.record({ kind: kind('connected'), isConnected: fc.boolean(), detail: maybeText }),
  fc.record({
    kind: kind('trouble'),
    trouble: fc.option(fc.record({ code, what: text, todo: text, retryAtMs: fc.option(timeMs, { nil: null }) }), {
      nil: null,
    }),
  }),
  fc.record({
    kind: kind('command'),
    name: text,
    state: fc.constantFrom('taken', 'done', 'failed', 'rejected'),
    reason: maybeText,
  }),
  fc.record({ kind: kind('provision_started'), provisionUuid: uuid, image: text, disk: maybeText }),
  fc.record({ kind: kind('provision'), event: provision }),
  fc.record({ kind: kind('leaving'), how: fc.constantFrom('reboot', 'kexec', 'poweroff'), detail: maybeText }),
  fc.record({ kind: kind('remote_shell'), port: fc.integer({ min: 1, max: 65_535 }), fingerprint: text }),
  fc.record({ kind: kind('rescue_shell'), keys: text }),
  fc.record({ kind: kind('notice'), text }),
);
