import { globalFunctions } from './global-functions.ts';
import { templateLimits } from './limits.ts';
import { parseTemplate } from './parse-template.ts';
import { Rendering } from './rendering.ts';
import { Output, runBody } from './run-statements.ts';
import { Scope } from './scope.ts';
import { TemplateError, TemplateFault } from './template-error.ts';
import { fromJson, StrictDict, type Value } from './values.ts';

/** The names that a template can use, as JSON. */
export type TemplateContext = Readonly<Record<string, unknown>>;

/** Entries of the context whose missing members are errors wherever they are used, and what a member is called. */
const strictEntries: ReadonlyMap<string, string> = new Map([
  ['secrets', 'secret'],
  ['vars', 'variable'],
]);

/**
 * Renders a Jinja template (language: Jinja 3.1 with its extensions `do` and `loopcontrols`, without inheritance and
 * includes). It is an interpreter: nothing of the process is within a template's reach. Time and memory are bounded
 * only by whoever calls; see render-in-worker.
 * @param onLine Told each line that is reached.
 * @throws TemplateError with the line of the first fault.
 */
export function renderTemplate(
  template: string,
  context: TemplateContext,
  onLine: (line: number) => void = () => {},
): string {
  if (template.length > templateLimits.templateLength) {
    throw new TemplateError(null, `the template is longer than ${templateLimits.templateLength} characters`);
  }
  const rendering = new Rendering(onLine);
  try {
    const body = parseTemplate(template);
    const globals = new Scope(null);
    for (const [name, value] of globalFunctions()) globals.set(name, value);
    for (const [name, value] of Object.entries(context)) globals.set(name, contextValue(name, value));
    const output = new Output();
    if (runBody(body, new Scope(globals), rendering, output) !== undefined) {
      throw new TemplateFault('break and continue must be inside a loop');
    }
    return output.toString();
  } catch (error) {
    if (error instanceof TemplateFault) throw new TemplateError(rendering.line, error.message);
    // The end of the stack; texts and lists are bounded where they are made.
    if (error instanceof RangeError) throw new TemplateError(rendering.line, 'the template is nested too deeply');
    throw error;
  }
}

function contextValue(name: string, value: unknown): Value {
  const entryName = strictEntries.get(name);
  const converted = fromJson(value);
  return entryName !== undefined && converted instanceof Map ? new StrictDict(entryName, converted) : converted;
}
