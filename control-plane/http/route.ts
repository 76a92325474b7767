import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { ErrorStatus } from './api-error.ts';

/** Who may call: `api` = a bearer API token, `public` = anyone (the route checks by itself what it needs). */
export type Access = 'api' | 'public';

export interface RouteRequest<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** The account of the API token; for public routes the server's only account. */
  readonly accountUuid: string;
  /** Address of the caller as the socket has it. */
  readonly address: string;
  readonly raw: FastifyRequest;
  readonly reply: FastifyReply;
}

/** Answers with another 2xx than the route's first: the body must match that status in `responses`. */
export class StatusReply {
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, body: unknown) {
    this.status = status;
    this.body = body;
  }
}

/** A request that the handler has taken over (`reply.hijack()`, a stream) gives this. */
export const alreadyReplied = Symbol('alreadyReplied');

interface RouteBase {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** OpenAPI form: `/api/provisioning/machines/{uuid}`. Served with and without trailing slash. */
  readonly path: string;
  /** `provisioning_api_get_machine`: application, `api`, function. */
  readonly operationId: string;
  readonly tag: string;
  /** One line, imperative. */
  readonly summary: string;
  readonly access: Access;
  /** Status → body of the answers that are no errors; the first is the usual one. null: no body. */
  readonly responses: Readonly<Record<number, z.ZodType | null>>;
  /** Beside 401 and 422, which follow from access and schemas. */
  readonly errors?: readonly ErrorStatus[];
  /** Other than JSON, `text/plain`: then the schema stands for the text. */
  readonly contentType?: string;
}

/** A route with its types erased, as the application keeps it. */
export interface Route extends RouteBase {
  readonly params: z.ZodType | undefined;
  readonly query: z.ZodType | undefined;
  readonly body: z.ZodType | undefined;
  readonly handle: (request: RouteRequest<unknown, unknown, unknown>) => unknown;
}

export interface RouteSpec<P, Q, B> extends RouteBase {
  readonly params?: z.ZodType<P>;
  readonly query?: z.ZodType<Q>;
  readonly body?: z.ZodType<B>;
  /**
   * Gives the body of the answer, which is parsed by its schema before it is sent: what the schema does not name
   * never leaves the server.
   */
  readonly handle: (request: RouteRequest<P, Q, B>) => unknown;
}

/** One endpoint: schema, documentation and handler in one place; the router and the OpenAPI document read it. */
export function defineRoute<P = undefined, Q = undefined, B = undefined>(spec: RouteSpec<P, Q, B>): Route {
  return {
    ...spec,
    params: spec.params,
    query: spec.query,
    body: spec.body,
    // The schemas of this very spec have parsed what the handler is given.
    handle: (request) => spec.handle(request as RouteRequest<P, Q, B>),
  };
}
