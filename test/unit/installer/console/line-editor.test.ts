import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineEditor } from '../../../../installer/console/line-editor.ts';

/** The text after these keys and the last answer among them. */
function type(...keys: readonly string[]): { text: string; answer: string | null } {
  const editor = new LineEditor();
  let answer: string | null = null;
  for (const key of keys) answer = editor.push(key).answer ?? answer;
  return { text: editor.text, answer };
}

test('what is typed is answered with Enter, mistakes are taken back', () => {
  assert.deepEqual(type('http', '://x\x7fs', '\r'), { text: '', answer: 'http://s' });
  assert.deepEqual(type('wrong\x15right\n'), { text: '', answer: 'right' });
  assert.deepEqual(type('one two\x17three\r'), { text: '', answer: 'one three' });
  assert.deepEqual(type('\b\b\x7fa\r\n'), { text: '', answer: 'a' });
  assert.deepEqual(type('\r'), { text: '', answer: '' });
});

test('Ctrl-C, Ctrl-D, Ctrl-Z, arrows and function keys are nothing, wherever a sequence is cut', () => {
  const keys = 'a\x03b\x04c\x1a\x1b[Ad\x1b[1;5Ce\x1bOPf\x1b[[Ag\x1b[15~h\x1bxi';
  assert.equal(type(keys).text, 'abcdefghi');
  assert.equal(type(...keys).text, 'abcdefghi');
  assert.equal(type('\u00e9\u4e2d').text, '');
});

test('Ctrl-L asks for a redraw and changes nothing', () => {
  const editor = new LineEditor();
  editor.push('ab');
  assert.deepEqual(editor.push('\fc'), { answer: null, isRedraw: true });
  assert.equal(editor.text, 'abc');
});

test('whatever comes in, the line is printable ASCII of bounded length', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 400 }), { maxLength: 5 }), (chunks) => {
      const { text, answer } = type(...chunks);
      assert.match(text, /^[ -~]{0,300}$/);
      assert.match(answer ?? '', /^[ -~]{0,300}$/);
    }),
  );
});
