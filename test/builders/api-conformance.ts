import assert from 'node:assert/strict';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';

export interface ApiReply {
  readonly status: number;
  /** Parsed JSON, the text of another type, or undefined for an empty body. */
  readonly body: unknown;
}

/** Sends one request. */
export type ApiSend = (method: string, path: string, body?: unknown) => Promise<ApiReply>;

interface Operation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly pattern: RegExp;
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: object }>> }>>;
}

/**
 * Calls a server and holds each answer against the OpenAPI document that the server itself gives: the operation and its
 * status must be in there, and the body must be as its schema says. Knows at the end what was never seen.
 */
export class ApiConformance {
  readonly operations: readonly Operation[];
  readonly #send: ApiSend;
  readonly #ajv: Ajv2020;
  readonly #validators = new Map<object, ValidateFunction>();
  readonly #seen = new Set<string>();

  constructor(document: unknown, send: ApiSend) {
    const { paths, components } = document as {
      paths: Record<string, Record<string, Omit<Operation, 'method' | 'path' | 'pattern'>>>;
      components: object;
    };
    this.#send = send;
    this.#ajv = new Ajv2020({ strict: false, allErrors: true });
    ajvFormats.default(this.#ajv);
    this.#ajv.addSchema({ $id: 'openapi', components });
    this.operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        ...operation,
        method: method.toUpperCase(),
        path,
        pattern: new RegExp(`^${path.replace(/\/$/, '').replaceAll(/\{\w+\}/g, '[^/]+')}/?$`),
      })),
    );
  }

  /** Sends the request, checks the answer, and gives its body; any other status than `expected` fails. */
  async call(method: string, path: string, expected: number, body?: unknown): Promise<unknown> {
    const reply = await this.#send(method, path, body);
    const label = `${method} ${path} answered ${reply.status}`;
    assert.equal(reply.status, expected, `${label}: ${JSON.stringify(reply.body)}`);
    this.check(method, path, reply);
    return reply.body;
  }

  check(method: string, path: string, reply: ApiReply): void {
    const label = `${method} ${path} answered ${reply.status}`;
    const plain = path.replace(/\?.*$/, '');
    const operation = this.operations
      .filter((each) => each.method === method && each.pattern.test(plain))
      // `/approvals/preview` is itself and would also match `/approvals/{id}`.
      .sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0];
    assert.ok(operation !== undefined, `${label}, and the document does not know it`);
    const response = operation.responses[String(reply.status)];
    assert.ok(response !== undefined, `${label}, which ${operation.operationId} does not document`);
    this.#seen.add(`${operation.operationId} ${reply.status}`);
    const content = Object.values(response.content ?? {})[0];
    if (content === undefined) {
      assert.equal(reply.body, undefined, `${label} with a body`);
      return;
    }
    const validate = this.#validator(content.schema);
    assert.ok(
      validate(reply.body),
      `${label}: ${this.#ajv.errorsText(validate.errors)}: ${JSON.stringify(reply.body)}`,
    );
  }

  /** `operationId status` of every documented 2xx that no call has seen. */
  unseen(): string[] {
    return this.operations.flatMap(({ operationId, responses }) =>
      Object.keys(responses)
        .filter((status) => status.startsWith('2') && !this.#seen.has(`${operationId} ${status}`))
        .map((status) => `${operationId} ${status}`),
    );
  }

  /** `operationId status` of every answer that was checked. */
  get seen(): ReadonlySet<string> {
    return this.#seen;
  }

  #validator(schema: object): ValidateFunction {
    const known = this.#validators.get(schema);
    if (known !== undefined) return known;
    const text = JSON.stringify(schema).replaceAll('"#/components/', '"openapi#/components/');
    const validate = this.#ajv.compile(JSON.parse(text) as object);
    this.#validators.set(schema, validate);
    return validate;
  }
}
