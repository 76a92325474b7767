/** The status codes that the API answers errors with. */
export type ErrorStatus = 400 | 401 | 403 | 404 | 409 | 413 | 422 | 429 | 503;

/** One thing that is wrong with a body: where, what, a word for programs. */
export interface FieldProblem {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
}

/** An answer that a handler gives by throwing it. */
export class ApiError extends Error {
  readonly status: ErrorStatus;
  readonly problems: readonly FieldProblem[] | undefined;
  /** Seconds, for 429 and 503. */
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: ErrorStatus,
    message: string,
    options: { problems?: readonly FieldProblem[]; retryAfterSeconds?: number } = {},
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.problems = options.problems;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** 404 naming what is not there. */
export function notFound(what: string): ApiError {
  return new ApiError(404, `${what} does not exist`);
}

/** 422 for a field that has the right form and a wrong value. */
export function unprocessable(field: string, message: string): ApiError {
  return new ApiError(422, message, {
    problems: [{ loc: ['body', ...(field === '' ? [] : [field])], msg: message, type: 'value_error' }],
  });
}
