import assert from 'node:assert/strict';
import type { ApiClient } from './api-client.ts';

/** What is known of an object: null means that it is not there. */
interface Known {
  uuid: string | null;
  value: string | null;
  /** A write that was sent and got no answer: it may have been stored or not. */
  pending: { readonly value: string | null } | undefined;
}

interface Kind {
  readonly path: string;
  /** Field that carries the value. */
  readonly field: string;
  /** What the field has for a value. */
  readonly text: (value: string) => string;
}

/** Collections that are written to; secrets do not give their value back, so it is their description that is compared. */
const kinds: readonly Kind[] = [
  { path: '/api/controlplane/variables/', field: 'value', text: (value) => value },
  { path: '/api/controlplane/machine-roles/', field: 'template_data', text: (value) => `#cloud-config\n# ${value}\n` },
  { path: '/api/provisioning/images/', field: 'docker_image_url', text: (value) => `registry.test/image:${value}` },
  { path: '/api/controlplane/secrets/', field: 'description', text: (value) => value },
];

/**
 * Makes, changes and deletes objects over REST, one request at a time, and remembers what was answered 2xx: that must be
 * there after whatever happened to the server.
 */
export class RestWriter {
  readonly #client: ApiClient;
  readonly #random: () => number;
  readonly #name: string;
  readonly #kind: Kind;
  readonly #known = new Map<string, Known>();
  #counter = 0;
  /** Writes that were answered 2xx. */
  answered = 0;
  /** Writes that got no answer. */
  unanswered = 0;

  /** @param number Chooses the collection; names of objects begin with it. */
  constructor(client: ApiClient, random: () => number, number: number) {
    this.#client = client;
    this.#random = random;
    this.#name = `writer-${number}-`;
    const kind = kinds[number % kinds.length];
    assert.ok(kind);
    this.#kind = kind;
  }

  /** Writes until a request gets no answer, which is how the end of the server shows. */
  async writeUntilCut(): Promise<void> {
    for (;;) {
      const index = Math.floor(this.#random() * 12);
      const name = this.#name + index;
      const known = this.#known.get(name) ?? { uuid: null, value: null, pending: undefined };
      this.#known.set(name, known);
      this.#counter += 1;
      const value = known.value !== null && this.#random() < 0.25 ? null : `v${this.#counter}`;
      known.pending = { value };
      try {
        await this.#write(name, known, value);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        this.unanswered += 1;
        return;
      }
      known.value = value;
      known.pending = undefined;
      this.answered += 1;
    }
  }

  /** Compares with what the server has now, and takes that for known. @throws AssertionError */
  async verify(): Promise<void> {
    const { path, field, text } = this.#kind;
    const reply = await this.#client.api<Record<string, string>[]>('GET', path);
    assert.equal(reply.status, 200);
    const stored = new Map(reply.body.map((object) => [object['name'] ?? '', object]));
    for (const [name, known] of this.#known) {
      const object = stored.get(name);
      const isValue = (value: string | null): boolean =>
        value === null ? object === undefined : object?.[field] === text(value);
      const isPending = known.pending !== undefined && isValue(known.pending.value);
      assert.ok(
        isPending || isValue(known.value),
        `${path} ${name} is ${object?.[field]}, answered was ${known.value}, unanswered ${JSON.stringify(known.pending)}`,
      );
      if (isPending && known.pending !== undefined) known.value = known.pending.value;
      known.pending = undefined;
      known.uuid = object?.['uuid'] ?? null;
    }
    for (const name of stored.keys()) {
      assert.ok(!name.startsWith(this.#name) || this.#known.has(name), `${path} has ${name}, which nobody made`);
    }
  }

  async #write(name: string, known: Known, value: string | null): Promise<void> {
    const { path, field, text } = this.#kind;
    const { uuid } = known;
    if (value === null) {
      const { status } = await this.#client.api('DELETE', path + uuid);
      assert.equal(status, 204);
      known.uuid = null;
      return;
    }
    const body = { [field]: text(value), ...(field === 'description' ? { value: `sealed ${value}` } : {}) };
    const reply =
      uuid === null
        ? await this.#client.api('POST', path, { name, ...body })
        : await this.#client.api('PATCH', path + uuid, body);
    assert.equal(reply.status, uuid === null ? 201 : 200, JSON.stringify(reply.body));
    known.uuid = String(reply.body['uuid']);
  }
}
