import type { AgentEvent } from '../run-agent.ts';

/** The agent's state as the one sentence that `systemctl status` shows. */
export class ServiceStatus {
  #link = 'starting';
  #isTrying = false;
  #trouble: string | null = null;
  #last = '';

  /** The sentence after this event; null when it is the one before. */
  take(event: AgentEvent): string | null {
    this.#apply(event);
    const sentence = this.#trouble === null ? this.#link : `${this.#link}; trouble: ${this.#trouble}`;
    if (sentence === this.#last) return null;
    this.#last = sentence;
    return sentence;
  }

  #apply(event: AgentEvent): void {
    switch (event.kind) {
      case 'not_enrolled':
        this.#set(
          `not enrolled: waiting for ${event.missing.join(' and ')}, which "durantic enroll" and install.sh make`,
        );
        return;
      case 'enrolment_invalid':
        this.#set(`not enrolled: ${event.message}`);
        return;
      case 'connecting':
        // While it is tried again and again, the reason of the last failure says more.
        if (!this.#isTrying) this.#set(`connecting to ${event.server}`);
        return;
      case 'connected':
        this.#set(`connected to ${event.server} as machine ${event.machineUuid}`);
        this.#trouble = null;
        return;
      case 'disconnected':
        this.#set(`not connected, and trying again: ${event.message}`);
        this.#isTrying = true;
        return;
      case 'problem':
        this.#trouble = event.message;
        return;
      default:
    }
  }

  #set(link: string): void {
    this.#link = link;
    this.#isTrying = false;
  }
}
