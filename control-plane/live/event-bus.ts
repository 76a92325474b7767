/** What has changed; a subscriber reads the rest from the database. */
export type LiveEvent =
  | { readonly type: 'machine'; readonly uuid: string }
  | { readonly type: 'machine_deleted'; readonly uuid: string }
  | { readonly type: 'provision'; readonly uuid: string; readonly machineUuid: string }
  | { readonly type: 'approval'; readonly uuid: string };

/** Tells whoever watches (`GET /api/events`) that something changed. Subscribers are called at once and must not throw. */
export class EventBus {
  readonly #subscribers = new Set<(event: LiveEvent) => void>();

  publish(event: LiveEvent): void {
    for (const subscriber of this.#subscribers) subscriber(event);
  }

  /** @returns A function that ends the subscription. */
  subscribe(subscriber: (event: LiveEvent) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }
}
