import assert from 'node:assert/strict';
import { it } from 'node:test';
import { layerError } from '../../../../agent/layer/layer-error.ts';
import { ProvisionError } from '../../../../core/base/errors.ts';

const context = { label: 'layer 3 (sha256:ab)', root: '/nonexistent', signal: new AbortController().signal };
const failure = (code: string, syscall = 'openat'): Error => Object.assign(new Error(code), { code, syscall });

it('every errno becomes the error that says what to do, naming layer and entry', () => {
  for (const [errno, code] of [
    ['ENOSPC', 'root_full'],
    ['EDQUOT', 'root_full'],
    ['EIO', 'device_io'],
    ['EROFS', 'device_io'],
    ['EUCLEAN', 'device_io'],
    ['ENODEV', 'device_io'],
    ['EMFILE', 'memory_insufficient'],
    ['EACCES', 'permission'],
    ['ENAMETOOLONG', 'layer_entry_invalid'],
    ['EMLINK', 'layer_entry_invalid'],
  ] as const) {
    const cause = failure(errno);
    const error = layerError(cause, context, 'usr/bin/x');
    assert.equal(error.code, code, errno);
    assert.match(error.message, /layer 3 \(sha256:ab\).*usr\/bin\/x/);
    assert.equal(error.cause, cause);
    assert.deepEqual([error.facts['entry'], error.facts['errno']], ['usr/bin/x', errno]);
  }
});

it('what the entry asks for is the entry’s fault, what we did wrong is ours', () => {
  assert.equal(layerError(failure('EPERM', 'linkat'), context, 'h').code, 'layer_entry_invalid');
  assert.equal(layerError(failure('EPERM', 'setxattr'), context, 'l').code, 'layer_entry_invalid');
  assert.equal(layerError(failure('EPERM', 'mknodat'), context, 'n').code, 'permission');
  assert.equal(layerError(failure('EINVAL', 'layer program'), context, 'f').code, 'invariant');
  assert.equal(layerError(new TypeError('x'), context, 'f').code, 'invariant');
});

it('an abort keeps its reason, and a ProvisionError stays', () => {
  const controller = new AbortController();
  const reason = new ProvisionError('aborted', 'stopped');
  controller.abort(reason);
  const aborted = { ...context, signal: controller.signal };
  assert.equal(layerError(failure('ECANCELED', 'layer program'), aborted, 'f'), reason);
  assert.equal(layerError(reason, context, 'f'), reason);
});
