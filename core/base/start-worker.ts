import { getAsset } from 'node:sea';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { isSea } from './sea-asset.ts';
import { type WorkerName, workerAsset, workerSources } from './worker-sources.ts';

/** What the new thread may use, and what it is given. */
export type StartWorkerOptions = Pick<WorkerOptions, 'resourceLimits' | 'workerData'>;

/**
 * Starts a thread that runs one of the program's workers: from source its file, in the built binary the bundle that
 * scripts/build made of it. The thread sees no environment and no standard streams. Whoever starts it terminates it.
 */
export function startWorker(name: WorkerName, options: StartWorkerOptions): Worker {
  const apart = { name, env: {}, argv: [], stdin: true, stdout: true, stderr: true };
  if (isSea()) return new Worker(getAsset(workerAsset(name), 'utf8'), { ...options, ...apart, eval: true });
  return new Worker(new URL(`../../${workerSources[name]}`, import.meta.url), { ...options, ...apart });
}
