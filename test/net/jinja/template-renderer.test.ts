import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TemplateError } from '../../../control-plane/jinja/template-error.ts';
import { TemplateRenderer } from '../../../control-plane/jinja/template-renderer.ts';
import { ProvisionError } from '../../../core/base/errors.ts';
import { templateCases, templateContext } from '../../builders/debian-python.ts';
import { Resources } from '../../resources.ts';

function startRenderer(
  resources: Resources,
  options: { timeLimitMs?: number; memoryLimitMiB?: number } = {},
): TemplateRenderer {
  const renderer = new TemplateRenderer(options);
  resources.defer('close the renderer', () => renderer.close());
  return renderer;
}

test('templates render in the thread as they do without it, also when many are asked for at once', async () => {
  await using resources = new Resources();
  const renderer = startRenderer(resources, { timeLimitMs: 30_000 });
  const cases = templateCases();
  const texts = await Promise.all(cases.map(({ template }) => renderer.render(template, templateContext())));
  assert.deepEqual(
    texts,
    cases.map(({ expected }) => expected),
  );
});

const bombs: Readonly<
  Record<
    string,
    { readonly timeLimitMs: number; readonly template: string; readonly message: RegExp; readonly line: number }
  >
> = {
  'loops without end': {
    timeLimitMs: 1000,
    template:
      '\n{% for a in range(99999) %}\n{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}',
    message: /^the template took longer than 1 s and was ended$/,
    line: 3,
  },
  'a list of long texts': {
    timeLimitMs: 30_000,
    template: "{% set l = [] %}\n{% for i in range(100000) %}\n{% do l.append('x' * 20000 ~ i) %}{% endfor %}",
    message: /^the template needed more than 64 MiB and was ended$/,
    line: 3,
  },
  'a list of lists': {
    timeLimitMs: 30_000,
    template: '{% set l = [] %}{% for i in range(100000) %}{% do l.append(range(100000)) %}{% endfor %}',
    message: /^the template needed more than 64 MiB and was ended$/,
    line: 1,
  },
  'wide numbers': {
    timeLimitMs: 30_000,
    template: "{% set l = [] %}{% for i in range(100000) %}{% do l.append('%1900000d' % i) %}{% endfor %}",
    message: /^the template needed more than 64 MiB and was ended$/,
    line: 1,
  },
};

test('a template that overruns time or memory is ended with its line, and the next one renders', {
  timeout: 60_000,
}, async () => {
  await using resources = new Resources();
  for (const [what, { timeLimitMs, template, message, line }] of Object.entries(bombs)) {
    const renderer = startRenderer(resources, { timeLimitMs });
    const [bomb, next] = await Promise.allSettled([renderer.render(template, {}), renderer.render('{{ 1 + 1 }}', {})]);
    assert.ok(bomb.status === 'rejected' && bomb.reason instanceof TemplateError, `${what}: ${JSON.stringify(bomb)}`);
    assert.match(bomb.reason.message, message, what);
    assert.equal(bomb.reason.line, line, what);
    assert.deepEqual(next, { status: 'fulfilled', value: '2' }, what);
    await renderer.close();
  }
});

test('a fault in a template leaves the thread as it is', async () => {
  await using resources = new Resources();
  const renderer = startRenderer(resources);
  await assert.rejects(renderer.render('\n{{ x }}', {}), { name: 'TemplateError', line: 2, message: 'x is undefined' });
  const startedMs = performance.now();
  for (let count = 0; count < 50; count += 1) {
    assert.equal(await renderer.render('{{ secrets.A }}', { secrets: { A: String(count) } }), String(count));
  }
  // A new thread takes 50 ms and more each time.
  assert.ok(performance.now() - startedMs < 1500, 'the thread is kept');
});

test('closing fails what is being rendered and what waits, and lets nothing start again', async () => {
  const renderer = new TemplateRenderer({ timeLimitMs: 30_000 });
  await renderer.render('warm', {});
  const running = renderer.render('{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}', {});
  const waiting = renderer.render('x', {});
  const outcomes = Promise.allSettled([running, waiting]);
  await renderer.close();
  for (const outcome of await outcomes) {
    assert.ok(outcome.status === 'rejected' && outcome.reason instanceof ProvisionError);
    assert.equal(outcome.reason.code, 'aborted');
  }
  await assert.rejects(renderer.render('x', {}), { code: 'aborted' });
});
