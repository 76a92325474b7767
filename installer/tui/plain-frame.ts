import { shortText } from '../console/ascii-text.ts';
import { factsOf } from '../console/facts.ts';
import type { InstallerState } from '../state/installer-state.ts';
import { footerRows } from './footer-rows.ts';
import type { View } from './view.ts';

/**
 * The facts as plain lines, the newest kinds at the bottom: what is shown until ink is loaded, and if it ever fails.
 */
export function plainFrame(state: InstallerState, view: View, note: string): readonly string[] {
  const { columns } = view;
  const rows = Math.max(1, view.rows - footerRows);
  const title = ` durantic installer ${state.version ?? ''}`.trimEnd();
  const facts = factsOf(state).flatMap(({ lines }) => lines);
  const question = state.question === null ? [] : [state.question.prompt, `> ${view.typed}`];
  const body = [...facts, ...question].slice(-Math.max(0, rows - 3));
  const lines = [title, '-'.repeat(columns), '', ...body.map((text) => ` ${text}`)].slice(0, rows);
  const padding = Array.from({ length: rows - lines.length }, () => '');
  return [...lines, ...padding, '-'.repeat(columns), ` ${note}`].map((text) => shortText(text, columns));
}
