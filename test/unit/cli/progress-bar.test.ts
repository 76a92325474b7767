import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProgressBar } from '../../../cli/progress-bar.ts';
import { formatBytes } from '../../../core/base/format-bytes.ts';
import type { ProvisionEvent } from '../../../protocol/provision-event.ts';

const base: ProvisionEvent = {
  v: 1,
  seq: 1,
  time: '2026-11-20T00:00:00.000Z',
  provision_uuid: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
  step: 'layer_extraction',
  state: 'progress',
  percent: 42.4,
  bytes_done: 500_000_000,
  bytes_total: 1_000_000_000,
  rate_bps: 100_000_000,
  message: 'Layer Extraction',
};

function record(isTTY: boolean) {
  let text = '';
  const output = { isTTY, columns: 120, write: (part: string) => (text += part) };
  return { show: createProgressBar(output), text: () => text };
}

test('a terminal gets one live line with bar, amounts, rate and time left', () => {
  const { show, text } = record(true);
  show(base);
  assert.equal(
    text(),
    '\r\x1b[K[##########--------------]  42% [4/7] Layer Extraction  500 MB of 1.0 GB, 100 MB/s, 5 s left',
  );
});

test('without a terminal: a line every 10 percent and one for each outcome, no control characters', () => {
  const { show, text } = record(false);
  for (const percent of [9, 11, 12, 19, 21])
    show({ ...base, percent, bytes_done: null, bytes_total: null, rate_bps: null });
  show({ ...base, state: 'warning', message: 'an entry is hidden' });
  show({ ...base, state: 'succeeded', message: '3 layers' });
  assert.deepEqual(text().trim().split('\n'), [
    '[4/7] Layer Extraction: 11%',
    '[4/7] Layer Extraction: 21%',
    '[4/7] Layer Extraction: warning: an entry is hidden',
    '[4/7] Layer Extraction: 3 layers',
  ]);
});

test('the last line of a failure names the code, the state of the disk and whether trying again can help', () => {
  const { show, text } = record(false);
  show({
    ...base,
    step: null,
    state: 'failed',
    message: 'the registry is gone',
    code: 'registry_unreachable',
    disk_state: 'partial',
    retryable: true,
  });
  assert.equal(
    text(),
    'durantic: the registry is gone [registry_unreachable]\nThe disk holds parts of the new system; nothing on it boots. Trying again can help.\n',
  );
});

test('why a step failed is said once, by the last line', () => {
  const { show, text } = record(false);
  const failure = { ...base, state: 'failed' as const, message: 'the disk is on fire', code: 'device_io' };
  show(failure);
  show({ ...failure, step: null, disk_state: 'partial' });
  assert.deepEqual(text().split('\n').slice(0, 2), [
    '[4/7] Layer Extraction: FAILED',
    'durantic: the disk is on fire [device_io]',
  ]);
});

test('sizes are decimal', () => {
  assert.deepEqual([0, 999, 1000, 1_500_000, 123_456_789_000].map(formatBytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '1.5 MB',
    '123 GB',
  ]);
});
