import { parentPort, workerData } from 'node:worker_threads';
import { describeError } from '../../core/base/describe-error.ts';
import { renderTemplate, type TemplateContext } from './render-template.ts';
import { TemplateError } from './template-error.ts';

/** What a template worker is given at its start. */
export interface TemplateWorkerData {
  /** One 32-bit integer: the line that the running template is at. */
  readonly line: SharedArrayBuffer;
}

export interface TemplateJob {
  readonly template: string;
  /** JSON of the context: cheaper to hand over than a tree of objects. */
  readonly contextJson: string;
}

/** `ready` comes once; then each job has one answer. */
export type TemplateReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'rendered'; readonly text: string }
  | { readonly kind: 'fault'; readonly line: number | null; readonly message: string }
  | { readonly kind: 'bug'; readonly message: string };

const line = new Int32Array((workerData as TemplateWorkerData).line);

parentPort?.on('message', (job: TemplateJob) => parentPort?.postMessage(answer(job)));
parentPort?.postMessage({ kind: 'ready' } satisfies TemplateReply);

function answer({ template, contextJson }: TemplateJob): TemplateReply {
  try {
    const text = renderTemplate(template, JSON.parse(contextJson) as TemplateContext, (reached) => {
      line[0] = reached;
    });
    return { kind: 'rendered', text };
  } catch (error) {
    if (error instanceof TemplateError) return { kind: 'fault', line: error.line, message: error.message };
    return { kind: 'bug', message: describeError(error) };
  }
}
